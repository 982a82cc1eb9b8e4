"""What the lab knows of a photonic mesh on its bench: plain dataclasses that a bench file fills in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from drivers.envelope import ChannelLimit, PowerLimit, SafetyEnvelope
from drivers.errors import EnvelopeError, ShapeError

FREE_V_PER_S = 1e6
"""The slew of what nothing limits: more than any supply can."""


@dataclass(frozen=True)
class Modulator:
    """A modulator before one input port, at rest at 0 V: its source's channel, range in V, slew in V/s."""

    name: str
    channel: int
    low_V: float
    high_V: float
    max_slew_V_per_s: float


@dataclass(frozen=True)
class Heater:
    """The heater of one phase shifter: its supply's channel, and what it stands.

    `resistance_ohm` is the lowest that it may have, as when it is cold: currents and powers are reckoned
    with it. `max_slew_V_per_s` keeps it from thermal shock.
    """

    name: str
    channel: int
    high_V: float
    max_current_A: float
    resistance_ohm: float
    max_slew_V_per_s: float = math.inf

    def __post_init__(self) -> None:
        for field in ("high_V", "max_current_A", "resistance_ohm", "max_slew_V_per_s"):
            value = getattr(self, field)
            if not value > 0.0 or (math.isinf(value) and field != "max_slew_V_per_s"):
                raise ShapeError(f"heater {self.name}: {field} = {value} should be a positive number")

    @property
    def highest_V(self) -> float:
        """The highest voltage that keeps to both limits."""
        return min(self.high_V, self.max_current_A * self.resistance_ohm)


@dataclass(frozen=True)
class Port:
    """An output port: which of the meters reads it, where that saturates, and its noise if known."""

    name: str
    meter: int
    saturation_W: float
    noise_W: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.saturation_W < math.inf:
            raise ShapeError(f"port {self.name}: saturation {self.saturation_W} W is no power")


@dataclass(frozen=True)
class MeshLimits:
    """What the chip stands as a whole: all heaters together, and light."""

    heaters_W: float
    laser_W: float

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0.0 < getattr(self, field.name) < math.inf:
                raise EnvelopeError(f"limits: {field.name} = {getattr(self, field.name)} W is no power")


@dataclass(frozen=True)
class MeshTiming:
    """How long a reading averages, and how long what was changed takes to settle before it, in s.

    `electrical_s` is for modulators, `thermal_s` for heaters, `optical_s` for a laser that was just let out
    or shut.
    """

    averaging_s: float
    electrical_s: float
    thermal_s: float
    optical_s: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value < math.inf or (field.name == "averaging_s" and value == 0.0):
                raise ShapeError(f"timing: {field.name} = {value} s is no such time")


def modulator_envelope(modulators: Sequence[Modulator]) -> SafetyEnvelope:
    """The envelope of the modulators; raises ShapeError or EnvelopeError for what contradicts itself."""
    _once("modulator channel", [modulator.channel for modulator in modulators])
    limits = [ChannelLimit(m.name, m.low_V, m.high_V, m.max_slew_V_per_s) for m in modulators]
    return SafetyEnvelope(limits)


def heater_envelope(heaters: Sequence[Heater], limits: MeshLimits) -> SafetyEnvelope:
    """The envelope of the heaters, alone and together."""
    _once("heater channel", [heater.channel for heater in heaters])
    alone = [ChannelLimit(h.name, 0.0, h.highest_V, min(h.max_slew_V_per_s, FREE_V_PER_S)) for h in heaters]
    conductance_S = tuple(1.0 / heater.resistance_ohm for heater in heaters)
    return SafetyEnvelope(alone, power=PowerLimit(conductance_S, limits.heaters_W))


def check_ports(ports: Sequence[Port], meters: Sequence[int]) -> None:
    """Raise ShapeError for a port without a meter, one that is read twice, or none at all."""
    _once("meter", [port.meter for port in ports])
    _once("port name", [port.name for port in ports])
    missing = [port for port in ports if port.meter not in meters]
    if missing or not ports:
        what = f"{missing[0].name} is read by meter {missing[0].meter}" if missing else "no port is read"
        raise ShapeError(f"{what}; there are meters {', '.join(map(str, meters))}")


def _once(what: str, used: Sequence[object]) -> None:
    twice = sorted({str(one) for one in used if used.count(one) > 1})
    if twice:
        raise ShapeError(f"{what} {', '.join(twice)} is used more than once")
