"""Sessions over VISA: recorded, replayed, compared with another bench, shown."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hil import child
from hil.cli.exit_codes import FAILURE, INSTRUMENT, OK
from hil.config.visa_library import RECORD_VARIABLE, REPLAY_VARIABLE
from hil.errors import ConfigError, DrivingRefused
from simulators.recording import REPORTS_VARIABLE, Recording, checked_name
from simulators.recording.listing import Listing

if TYPE_CHECKING:
    from simulators.recording.comparison import Comparison

PYVISA_VARIABLE = "PYVISA_LIBRARY"


@dataclass(frozen=True)
class Recorded:
    """A command that was recorded.

    Attributes:
        child_exit_code: how it ended; 128 + N after signal N.
        exchanges: how many were recorded.
        instruments: with these.
        cut: whether the recording stops without a proper end, as after a kill.
    """

    recording: str
    child_exit_code: int
    exchanges: int = 0
    instruments: list[str] = field(default_factory=list)
    cut: bool = False

    @property
    def exit_code(self) -> int:
        """The command's, or 1 where it was good and nothing came to be recorded."""
        return self.child_exit_code or (OK if self.instruments else FAILURE)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {**asdict(self), "exit_code": self.exit_code}


@dataclass(frozen=True)
class Replayed:
    """A command that was answered from a recording.

    Attributes:
        child_exit_code: how it ended; 128 + N after signal N.
        answered: exchanges that the recording answered.
        divergence: where the command left the recording, in words, or None.
        unused: by instrument, the number of recorded exchanges that were not asked for, and the first.
        loosely: counts by message of what a loose replay answered `out_of_order`, `repeated` or `unknown`.
        cut: whether the recording stops without a proper end.
    """

    recording: str
    child_exit_code: int
    asked: bool = False
    answered: int = 0
    divergence: str | None = None
    unused: dict[str, Any] = field(default_factory=dict)
    loosely: dict[str, dict[str, int]] = field(default_factory=dict)
    cut: bool = False

    @property
    def exit_code(self) -> int:
        """4 where the command left the recording, else its own; 1 where it was good and asked nothing."""
        if self.divergence is not None:
            return INSTRUMENT
        return self.child_exit_code or (OK if self.asked else FAILURE)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {**asdict(self), "exit_code": self.exit_code}


def record(recording: Path | str, command: Sequence[str], visa: str | None = None) -> Recorded:
    """Run a command and record what its first process with VISA exchanges with its instruments.

    The instruments of a bench file are recorded over the library that the file names; a script that names
    none is recorded over `visa`, spelled as PyVISA takes it, or PYVISA_LIBRARY, or the system's VISA. Raises
    ConfigError for a file that is there already or a command that cannot be started.
    """
    path = Path(checked_name(recording)).resolve()
    if path.exists():
        raise ConfigError(f"{recording} is there already; choose another name, or remove it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent} is not a folder; make it, or choose another place")
    library = spelled(visa) if visa is not None else os.environ.get(PYVISA_VARIABLE, "")
    environment = {RECORD_VARIABLE: str(path), PYVISA_VARIABLE: f"record:{path}:{library}@hil"}
    code = child.run(command, environment)
    if not path.exists():
        return Recorded(str(recording), code)
    found = Recording(path)
    wire = sum(exchange.on_the_wire for exchange in found.exchanges)
    return Recorded(str(recording), code, wire, found.resources, found.cut)


def replay(recording: Path | str, command: Sequence[str], loose: bool = False) -> Replayed:
    """Run a command and answer it from a recording, with no instrument and no model of one.

    Strict, the command must do with each instrument exactly what was recorded; the first difference ends
    the replay. Loose, every message gets the answers that were recorded for it, and what was out of order is
    counted. Raises RecordingError for a file that cannot be read.
    """
    path = Path(checked_name(recording)).resolve()
    Recording(path)  # what is wrong with it is said before anything runs
    scheme = "replay-loose" if loose else "replay"
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            REPLAY_VARIABLE: f"{scheme}:{path}",
            PYVISA_VARIABLE: f"{scheme}:{path}@hil",
            REPORTS_VARIABLE: folder,
        }
        code = child.run(command, environment)
        reports = [
            json.loads(file.read_text(encoding="utf-8")) for file in sorted(Path(folder).glob("*.json"))
        ]
    told = max(
        reports, key=lambda report: (report["divergence"] is not None, report["answered"]), default=None
    )
    if told is None:
        return Replayed(str(recording), code)
    return Replayed(
        str(recording),
        code,
        asked=True,
        answered=told["answered"],
        divergence=told["divergence"],
        unused=told.get("unused", {}),
        loosely=told.get("loosely", {}),
        cut=told["cut"],
    )


def compare(
    recording: Path | str, against: Path | str, tolerance: float = 1e-3, *, drive: bool = False
) -> "Comparison":
    """Do a recorded session again on another bench and say what answers differently, header by header.

    `against` is a bench file, whose emulator is taken, or, with `drive`, a VISA library spelled as PyVISA takes
    it: then real instruments are driven as the recording says, past every envelope. Numbers are close if they
    differ by no more than `tolerance` of the largest in the recorded answer. Raises RecordingError, BenchError
    for a bench that cannot be emulated, and DrivingRefused, with nothing opened, for a library without `drive`.
    """
    from simulators.recording.comparison import compare as compare_with
    from simulators.recording.library import open_wrapped
    from simulators.visa import power_off

    found, library = Recording(recording), spelled(str(against))
    if not library.endswith("@hil") and not drive:
        raise DrivingRefused(
            f"{against} is no bench file: comparing sends what {recording} holds, voltages included, to real "
            "instruments, and no envelope is checked; take the chip off and say --drive, or name a bench file"
        )
    power_off(library.rpartition("@")[0])  # a bench just switched on, whatever this process did before
    return compare_with(found, open_wrapped(library), str(against), tolerance)


def show(recording: Path | str, instrument: str | None = None) -> Listing:
    """A recording as rows to read, and a summary; `instrument` is a part of a resource name or an identity.

    Raises RecordingError for a file that cannot be read, ConfigError where no instrument has that name.
    """
    listing = Listing(Recording(recording), instrument)
    if instrument and not listing.shares:
        known = "; ".join(Listing(Recording(recording)).shares) or "none"
        raise ConfigError(f"{recording}: no instrument {instrument!r}; there are {known}")
    return listing


def spelled(library: str) -> str:
    """A library as PyVISA takes it; a bench file may stand for its emulator."""
    if Path(library).suffix in (".yaml", ".yml"):
        return f"{Path(library).resolve()}@hil"
    return library
