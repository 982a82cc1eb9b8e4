"""The meter's settings, as after *RST."""

from dataclasses import dataclass, field

from simulators.instruments.thorlabs_pm100d.sensor import RANGES_A


@dataclass
class Relative:
    """A reference that readings can be shown against."""

    value: float = 0.0
    on: bool = False


@dataclass
class Settings:
    """All of them; powers in W, currents in A."""

    wavelength_m: float
    function: str = "POW"
    samples: int = 1
    loss_dB: float = 0.0
    beam_mm: float = 5.0
    span_A: float = RANGES_A[-1]
    autorange: bool = True
    decibel: bool = False
    low_bandwidth: bool = False
    response: float | None = None
    """A/W, given by the user instead of the head's; forgotten when the wavelength is set."""
    power: Relative = field(default_factory=Relative)
    current: Relative = field(default_factory=Relative)

    @property
    def loss(self) -> float:
        """The factor by which the light was weakened before the head."""
        return float(10.0 ** (0.1 * self.loss_dB))

    @property
    def beam_cm2(self) -> float:
        """Area of the beam."""
        return 3.141592653589793 * (0.05 * self.beam_mm) ** 2
