"""What a look at a bench has found, one line for each thing that was looked at."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from calibration.errors import CalibrationError
from drivers.errors import DriverError
from drivers.roles import Instrument
from hil.cli.exit_codes import INSTRUMENT, OK


@dataclass(frozen=True)
class Item:
    """One thing that was looked at."""

    what: str
    ok: bool
    finding: str
    exit_code: int = OK


@dataclass
class CheckResult:
    """What was found; `exit_code` is that of the first thing that is not right."""

    items: list[Item] = field(default_factory=list)
    summary: str = "nothing was driven"

    @property
    def ok(self) -> bool:
        """Whether a session may start."""
        return all(item.ok for item in self.items)

    @property
    def exit_code(self) -> int:
        """0, or what the first failure stands for."""
        return next((item.exit_code for item in self.items if not item.ok), OK)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {"ok": self.ok, "summary": self.summary, "items": [asdict(item) for item in self.items]}


def errors_left(instrument: Instrument) -> str:
    """What others have left in an instrument's error queue, which is empty now."""
    left = instrument.errors()
    return "none" if not left else "left by others, now read: " + "; ".join(left)


def attempt(what: str, action: Callable[[], Any], code: int = INSTRUMENT) -> tuple[Item, Any]:
    """Do something that may fail, and say how it came out."""
    try:
        found = action()
    except (DriverError, CalibrationError, OSError, ValueError) as error:
        return Item(what, False, str(error), code), None
    return Item(what, True, found if isinstance(found, str) else "all instruments answer"), found
