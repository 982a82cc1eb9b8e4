"""What an algorithm sees of a chip: the `Device` seam.

A chip driver, an emulator in process and a replayed run each satisfy `Device` by shape alone: none of
them imports this module. The data of a batch travel as one block of numpy arrays in SI units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.uint8]


class Flag(IntFlag):
    """Why a sample is not to be trusted; stored per sample as a bit mask."""

    CLIPPED = 1
    """The amplifier or the meter was at the end of its range."""
    COMPLIANCE = 2
    """A source was limited, so the input was not what was asked for."""
    LATE = 4
    """The reading was not taken where the plan put it (settling, lost trigger)."""


class Channels(Protocol):
    """A group of like channels: who they are and what they stand."""

    @property
    def names(self) -> tuple[str, ...]:
        """Channel names, in the order of the arrays' last axis."""

    @property
    def unit(self) -> str:
        """SI unit of every channel in the group."""

    @property
    def low(self) -> Array:
        """Lowest value, shape (n,)."""

    @property
    def high(self) -> Array:
        """Highest value, shape (n,)."""

    @property
    def max_slew(self) -> Array:
        """Fastest change in unit/s, shape (n,); inf where nothing limits it."""

    @property
    def settling_s(self) -> float:
        """Time after a step until a reading is good."""

    @property
    def noise(self) -> float | None:
        """Standard deviation of one reading at rest, if known."""


class Measured(Protocol):
    """What came back for one `run`; `batch` counts waveforms, `time` samples."""

    @property
    def inputs(self) -> Array:
        """What was applied, (batch, time, n_in)."""

    @property
    def outputs(self) -> Array:
        """What was read, (batch, time, n_out)."""

    @property
    def flags(self) -> Flags:
        """`Flag` bits of each sample, (batch, time)."""

    @property
    def taps(self) -> Mapping[str, Array]:
        """Readings inside the chip by name, each (batch, time, n_tap)."""


class Spent(Protocol):
    """The budget used so far."""

    @property
    def readings(self) -> int:
        """Samples read since the device was opened."""

    @property
    def chip_time_s(self) -> float:
        """Time the chip was driven, ramps and waits included."""


@runtime_checkable
class Device(Protocol):
    """A chip that answers a waveform with a waveform."""

    @property
    def identity(self) -> Mapping[str, str]:
        """Who it is: at least `kind` and `name`; instruments and serial numbers where known."""

    @property
    def inputs(self) -> Channels:
        """The fast channels, driven by `run`."""

    @property
    def controls(self) -> Channels:
        """The slow, trainable channels, set by `set_controls`."""

    @property
    def outputs(self) -> Channels:
        """The channels that are read."""

    @property
    def taps(self) -> Mapping[str, Channels]:
        """Groups read inside the chip; empty where there are none."""

    @property
    def sample_rate_Hz(self) -> float:
        """Samples a second in a waveform handed to `run`."""

    @property
    def layers(self) -> Sequence["Device"]:
        """The parts of a network of devices, each a Device; empty for a single chip."""

    @property
    def cost(self) -> Spent:
        """The budget used so far."""

    def with_inputs(self, names: Sequence[str]) -> "Device":
        """The same chip with the named channels fast and the other input and control channels slow.

        Raises an error that is a ValueError for a name the chip does not have.
        """

    def set_controls(self, values: Array) -> None:
        """Ramp the controls, shape (n_controls,), to `values` and verify them.

        Raises an error that is a ValueError, with nothing sent, for a value outside the limits.
        """

    def run(self, inputs: Array) -> Measured:
        """Drive `inputs`, shape (batch, time, n_in), and read the outputs.

        Batch elements follow one another, joined by ramps of the device's own that are not returned.
        Raises an error that is a ValueError, with nothing sent, for a waveform outside the limits.
        """

    def rest(self) -> None:
        """Bring the chip to its safe state; harmless when it is there already."""


@runtime_checkable
class Shuttered(Protocol):
    """What a device offers besides where it has a light of its own: readings in the dark."""

    def light(self, on: bool) -> None:
        """Read the runs that follow with light on the chip, or in the dark; a device begins lit.

        Holds for all views of the chip, and is not changed by `rest`, which puts the light out until the
        next run that wants it.
        """


@runtime_checkable
class Waiting(Protocol):
    """What a device offers besides where it can be left as it stands while time passes on its bench."""

    def wait(self, seconds: float) -> None:
        """Let at least this time pass with everything held and nothing of it returned; no budget is spent.

        Time is the bench's own, whether that is the wall's or not.
        """


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """A plain `Channels`."""

    names: tuple[str, ...]
    unit: str
    low: Array
    high: Array
    max_slew: Array
    settling_s: float = 0.0
    noise: float | None = None

    def select(self, names: Sequence[str]) -> Self:
        """The named channels, in the order asked for; raises ValueError for a name that is not there."""
        place = {name: k for k, name in enumerate(self.names)}
        try:
            rows = [place[name] for name in names]
        except KeyError as unknown:
            raise ValueError(f"no channel {unknown}; there are {', '.join(self.names)}") from None
        return type(self)(
            tuple(names),
            self.unit,
            self.low[rows],
            self.high[rows],
            self.max_slew[rows],
            self.settling_s,
            self.noise,
        )


@dataclass(frozen=True, eq=False)
class Response:
    """A plain `Measured`."""

    inputs: Array
    outputs: Array
    flags: Flags
    taps: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """A plain `Spent`."""

    readings: int = 0
    chip_time_s: float = 0.0
