"""The calibration records of chips, kept beside the runs: one folder a version, never changed.

runs/calibrations/chip/1/   calibration.json, twin/   (see `calibration.mesh.MeshCalibration`)
runs/calibrations/chip/2/
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from calibration.mesh import MeshCalibration
from hil.errors import NoCalibration, Unwritable
from hil.store.files import PARTIAL, room_for, settle
from hil.store.index import RECORDS


class Records:
    """The records of one chip, by its name, below the folder of the runs."""

    def __init__(self, runs: Path, chip: str) -> None:
        self.folder, self._chip = runs / RECORDS / chip, chip

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions there are, oldest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return tuple(sorted(int(path.name) for path in found if path.name.isdecimal()))

    def latest(self) -> Path:
        """The folder of the newest record; raises NoCalibration where the chip was never calibrated."""
        if not self.versions:
            raise NoCalibration(
                f"{self.folder}: no calibration of {self._chip} is there; run hil calibrate first, "
                "or name the run that has one"
            )
        return self.folder / str(self.versions[-1])

    def publish(self, record: MeshCalibration, run: str) -> MeshCalibration:
        """Keep a finished record under the next version, once for each run; the record with that version.

        Raises DiskFull, Unwritable.
        """
        if self.versions:
            last = MeshCalibration.load(self.latest())
            if last.figures.get("run") == {"name": run}:
                return last
        while True:
            version = max(self.versions, default=0) + 1
            kept = replace(record, version=version).noted("run", {"name": run})
            if self._put(kept, self.folder / str(version)):
                return kept

    def _put(self, record: MeshCalibration, place: Path) -> bool:
        """Whole or not at all; False where another process was quicker to take the version."""
        partial = place.with_name(f".{place.name}.{os.getpid()}{PARTIAL}")
        try:
            with room_for(self.folder):
                record.save(partial)
                try:
                    os.rename(partial, place)
                except OSError:
                    if not place.exists():
                        raise
                    return False
                settle(self.folder)
        except PermissionError as error:
            raise Unwritable(f"no record can be kept in {self.folder}: {error.strerror}") from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return True
