"""The meter's settings, as after *RST (Truevolt Operating and Service Guide, factory reset state)."""

from dataclasses import dataclass, field

from simulators.instruments.keysight_34465a.converter import LINE_HZ, RANGES

FUNCTIONS = tuple(RANGES)
_RESET_RANGES = {"VOLT": 10.0, "VOLT:AC": 10.0, "CURR": 1e-3, "CURR:AC": 1e-3, "RES": 1e3, "FRES": 1e3}
_AUTO_DELAY_S = (1e-3, 1.5e-3)
"""Automatic trigger delay below one power-line cycle, and from there on."""


@dataclass
class FunctionSettings:
    """What each measuring function remembers for itself."""

    span: float
    autorange: bool = True
    line_cycles: float = 10.0
    aperture_s: float = 0.2
    in_seconds: bool = False
    autozero: bool = True

    @property
    def integration_s(self) -> float:
        """How long a reading integrates, in the mode that is set."""
        return self.aperture_s if self.in_seconds else self.line_cycles / LINE_HZ


@dataclass
class TriggerSettings:
    """When triggers are taken, and what one brings about."""

    source: str = "IMM"
    negative: bool = True
    level_V: float = 0.0
    count: float = 1.0
    delay_s: float = 0.0
    auto_delay: bool = True
    samples: int = 1
    pretrigger: int = 0
    timed: bool = False
    timer_s: float = 1.0


@dataclass
class Settings:
    """All of them."""

    function: str = "VOLT"
    functions: dict[str, FunctionSettings] = field(
        default_factory=lambda: {name: FunctionSettings(span) for name, span in _RESET_RANGES.items()}
    )
    trigger: TriggerSettings = field(default_factory=TriggerSettings)
    binary: bool = False
    swapped: bool = False

    @property
    def now(self) -> FunctionSettings:
        """Those of the function in use."""
        return self.functions[self.function]

    @property
    def delay_s(self) -> float:
        """From a trigger to its first reading."""
        if not self.trigger.auto_delay:
            return self.trigger.delay_s
        return _AUTO_DELAY_S[self.now.integration_s >= 1.0 / LINE_HZ]

    @property
    def reading_s(self) -> float:
        """How long one reading takes; autozero measures zero after each."""
        zero = 2.0 if self.now.autozero else 1.0
        return zero * self.now.integration_s
