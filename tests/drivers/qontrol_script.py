"""An open serial resource that knows which requests must come, in which order, and what is answered.

Pairs of request and reply lines, written down from the maker's protocol. Every request of the driver is
followed by `ID?`, which is answered without being listed. Leaving the block with pairs or lines left over
fails, as does a request that is not the next one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyvisa.constants
import pyvisa.errors

from drivers.qontrol import QontrolQ8iv

Pair = tuple[str, Sequence[str]]
IDENTITY = "Q8iv-0010"


def opening(units: int = 1, vmax: float = 12.0, imax: float = 24.0) -> list[Pair]:
    """What the driver asks when it is opened."""
    channels = 8 * units
    return [
        ("NUP=0", ["OK"]),
        ("NUPALL?", [f"Q8iv-{0x10 + k:04X}:{k}" for k in range(units)]),
        ("VFULL?", ["+12.0000 V"]),
        ("IFULL?", ["+24.0000 mA"]),
        ("VMAXALL?", [f"{vmax:+.4f} V"] * channels),
        ("IMAXALL?", [f"{imax:+.4f} mA"] * channels),
        ("FIRMWARE?", ["1.3.1"]),
    ]


class Script:
    """The resource; `stale` lines are already waiting, `mute` swallows everything sent."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = list(pairs)
        self.lines: list[str] = []
        self.sent: list[str] = []
        self.mute = False
        self.timeout: float | None = 1000.0
        self.write_termination = self.read_termination = "\n"
        self.resource_name = "ASRL3::INSTR"
        self.visalib = self

    def write(self, text: str) -> None:
        for line in text.split("\n"):
            if self.mute:
                self.sent.append(line)
            elif not line:
                continue  # ends whatever was begun
            elif line == "ID?":
                self.lines.append(IDENTITY)
            else:
                assert self.pairs, f"{line!r} was not expected"
                request, reply = self.pairs.pop(0)
                assert line == request
                self.sent.append(line)
                self.lines += reply

    def read(self) -> str:
        if not self.lines:
            raise pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
        return self.lines.pop(0)

    def clear(self) -> None:
        pass

    @property
    def session(self) -> None:
        """None: already closed, which spares the driver the closing."""

    def close(self) -> None:
        pass


@contextmanager
def expected_protocol(
    pairs: Sequence[Pair], units: int = 1, **limits: float
) -> Iterator[tuple[QontrolQ8iv, Script]]:
    """The driver on a script: what opening it needs, then `pairs`."""
    script = Script([*opening(units, **limits), *pairs])
    driver = QontrolQ8iv("heaters", resource=script)  # type: ignore[arg-type]
    try:
        yield driver, script
        assert script.pairs == [], "requests that did not come"
        assert script.lines == [], "lines that were not read"
    finally:
        driver.close()
