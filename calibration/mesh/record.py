"""The calibration of a mesh as it is kept: the twin, the darks, how every shifter came out, and the figures."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from calibration.device import Array
from calibration.errors import ModelFileError, WrongChip
from simulators.errors import ModelError
from simulators.models.mesh import PhotonicChip
from simulators.models.mesh.storage import load_chip, save_chip
from simulators.models.whole_file import replace_file

FORMAT = "hil-mesh-calibration/1"
CARD, TWIN = "calibration.json", "twin"


@dataclass(frozen=True)
class Shifter:
    """How the calibration of one phase shifter came out.

    Attributes:
        name: as in `MeshLayout.shifters`.
        ok: whether its heater and its fit can be trusted; `reason` says what is wrong otherwise.
        figures: fitted values and their standard errors, such as phase_rad, phase_error_rad, visibility.
    """

    name: str
    ok: bool = True
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def failed(self, reason: str) -> Self:
        """The same shifter, not to be trusted any more; the first reason stays."""
        return replace(self, ok=False, reason=self.reason or reason)


@dataclass(frozen=True, eq=False)
class MeshCalibration:
    """What is known of one chip; each stage of a calibration hands on a better one.

    Attributes:
        identity: of the device that was calibrated; `check` compares kind and name.
        twin: the chip's model with everything fitted so far; also the start of the next calibration.
        dark_W: what each detector reads without light, (N,).
        shifters: one for each of `twin.mesh.layout.shifters`, in their order.
        figures: what the stages measured, by stage, as plain values.
        version: raised by one with each calibration of the same chip.
        date: when it was finished, UTC, ISO 8601.
    """

    identity: Mapping[str, str]
    twin: PhotonicChip
    dark_W: Array
    shifters: tuple[Shifter, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    date: str = ""

    @classmethod
    def blank(cls, identity: Mapping[str, str], design: PhotonicChip) -> Self:
        """Nothing is known yet but the design."""
        shifters = tuple(Shifter(name) for name in design.mesh.layout.shifters)
        return cls(dict(identity), design, np.zeros(design.n_outputs), shifters)

    def dated(self) -> Self:
        """The same calibration, finished now."""
        return replace(self, date=datetime.now(UTC).isoformat(timespec="seconds"))

    def noted(self, stage: str, figures: Mapping[str, Any]) -> Self:
        """The same calibration with the figures of one more stage."""
        return replace(self, figures={**self.figures, stage: dict(figures)})

    def check(self, identity: Mapping[str, str]) -> None:
        """Raise WrongChip unless this is the calibration of the chip that says who it is."""
        for key in ("kind", "name"):
            if self.identity.get(key) != identity.get(key):
                raise WrongChip(
                    f"the calibration is of {key} {self.identity.get(key)!r}, the chip on the bench has {key} "
                    f"{identity.get(key)!r}; calibrate this chip, or name its own calibration"
                )

    def save(self, folder: Path) -> None:
        """Write the record into `folder`, made if missing: the twin first, the card that makes it valid last."""
        save_chip(self.twin, folder / TWIN)
        card = {
            "format": FORMAT,
            "identity": dict(self.identity),
            "version": self.version,
            "date": self.date,
            "dark_W": self.dark_W.tolist(),
            "shifters": [asdict(one) for one in self.shifters],
            "figures": dict(self.figures),
        }
        replace_file(folder / CARD, (json.dumps(card, indent=2, allow_nan=False) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises ModelFileError for a folder that is foreign, cut short or altered."""
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            if card["format"] != FORMAT:
                raise ModelFileError(
                    f"{folder}: format {card['format']!r} is not {FORMAT!r}; calibrate again"
                )
            return cls(
                card["identity"],
                load_chip(folder / TWIN),
                np.array(card["dark_W"], dtype=np.float64),
                tuple(Shifter(**one) for one in card["shifters"]),
                card["figures"],
                card["version"],
                card["date"],
            )
        except ModelFileError:
            raise
        except (OSError, ValueError, KeyError, TypeError, ModelError) as error:
            raise ModelFileError(f"{folder} holds no mesh calibration that can be read: {error}") from error
