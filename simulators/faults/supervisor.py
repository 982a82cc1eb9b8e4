"""Faults by SCPI: a small instrument on the bench that nobody would find on a real one.

    FAULt:INJect "meter","no_answer","at","3"
    FAULt:INJect "dac","stuck","terminal","3","from","2 s"
    FAULt:LIST?
    FAULt:CLEar 1

Settings come in pairs, spelled as in the bench file. What cannot be injected is error -224 with the reason.
"""

from pydantic import ValidationError

from simulators.clock import VirtualClock
from simulators.errors import BenchError
from simulators.faults.fault import Fault
from simulators.faults.faults import Faults
from simulators.scpi import Integer, Optional, Rest, ScpiError, ScpiInstrument, Text, command, query, quoted


class Supervisor(ScpiInstrument):
    """Whoever stands behind the rack and pulls plugs."""

    identity = "hil,Bench supervisor,0,1"

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock)
        self._faults = faults

    @command("FAULt:INJect", Text(bare=True), Text(bare=True), Rest(Text(bare=True)))
    def inject(self, instrument: str, kind: str, settings: tuple[str, ...]) -> None:
        """Let something go wrong from now on."""
        if len(settings) % 2:
            raise ScpiError(-109, f"{settings[-1]} has no value")
        try:
            pairs = dict(zip(settings[::2], settings[1::2], strict=True))
            self._faults.inject(Fault.model_validate({"instrument": instrument, "kind": kind, **pairs}))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ScpiError(-224, f"{key}: {first['msg']}"[:200] if key else first["msg"][:200]) from None
        except BenchError as error:
            raise ScpiError(-224, str(error)[:200]) from None

    @query("FAULt:LIST")
    def faults(self) -> str:
        """What was injected and not cleared, a string each; an empty one where there is nothing."""
        return ",".join(quoted(str(each)) for each in self._faults.list()) or quoted("")

    @command("FAULt:CLEar", Optional(Integer(1)))
    def clear_faults(self, number: int | None) -> None:
        """Mend one, or all."""
        try:
            self._faults.clear(number)
        except BenchError as error:
            raise ScpiError(-224, str(error)) from None

    @query("SYSTem:TIME")
    def time(self) -> float:
        """The bench's own time in s, which `from` and `until` are meant in."""
        return self.clock.now
