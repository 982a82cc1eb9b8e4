"""What the lab knows of a chip's wiring: plain dataclasses that a bench file fills in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from drivers.envelope import ChannelLimit, DifferenceLimit, PowerLimit, SafetyEnvelope
from drivers.errors import EnvelopeError, ShapeError

REFERENCE = "reference"
"""The reference source's name in the envelope and in messages."""


@dataclass(frozen=True)
class Electrode:
    """An electrode driven by a source channel, with its range in V and its largest slew in V/s."""

    name: str
    channel: int
    low_V: float
    high_V: float
    max_slew_V_per_s: float
    role: Literal["input", "control"] = "control"
    max_step_V: float = float("inf")


@dataclass(frozen=True)
class Reference:
    """A known current source: a source channel through a resistor into the amplifier's virtual ground.

    `tolerance` is the resistor's relative standard uncertainty; range in V, slew in V/s.
    """

    channel: int
    resistor_ohm: float
    tolerance: float
    low_V: float = -1.0
    high_V: float = 1.0
    max_slew_V_per_s: float = 100.0


@dataclass(frozen=True)
class Readout:
    """The electrode that is read, and its transimpedance amplifier as the data sheet has it.

    `nominal_gain_V_per_A` only chooses steps and judges plausibility; what turns volts into amperes is
    measured. `settling_s` is the time after a step until a reading is good.
    """

    electrode: str
    nominal_gain_V_per_A: float
    saturation_V: float
    settling_s: float
    reference: Reference | None = None


@dataclass(frozen=True)
class JointLimits:
    """Limits on several electrodes at once; see `SafetyEnvelope`. Powers are in electrode order."""

    differences: Sequence[DifferenceLimit] = field(default=())
    spread_V: float | None = None
    power: PowerLimit | None = None


def build_envelope(
    electrodes: Sequence[Electrode], reference: Reference | None, joint: JointLimits
) -> SafetyEnvelope:
    """The envelope over the electrodes alone; the reference drives no electrode and has its own.

    Raises ShapeError for names or channels used twice, EnvelopeError for limits that contradict
    themselves.
    """
    channels = [electrode.channel for electrode in electrodes]
    channels += [] if reference is None else [reference.channel]
    if len(set(channels)) != len(channels):
        raise ShapeError(f"a source channel is wired twice: {sorted(channels)}")
    for electrode in electrodes:
        if not electrode.name.isidentifier() or electrode.name == REFERENCE:
            raise ShapeError(f"electrode name {electrode.name!r} cannot be used; take a word such as e1")
        if electrode.role not in ("input", "control"):
            raise ShapeError(f"{electrode.name}: role {electrode.role!r} is neither input nor control")
    if not electrodes:
        raise EnvelopeError("a chip needs at least one electrode")
    limits = [ChannelLimit(e.name, e.low_V, e.high_V, e.max_slew_V_per_s, e.max_step_V) for e in electrodes]
    return SafetyEnvelope(limits, differences=joint.differences, spread_V=joint.spread_V, power=joint.power)


def reference_envelope(reference: Reference) -> SafetyEnvelope:
    """The envelope of the reference source; raises EnvelopeError for limits that contradict themselves."""
    limit = ChannelLimit(REFERENCE, reference.low_V, reference.high_V, reference.max_slew_V_per_s)
    return SafetyEnvelope([limit])
