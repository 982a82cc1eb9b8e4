"""A chip with some channels as fast inputs and the others as slow controls."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np

from drivers.envelope import as_volts
from drivers.errors import ShapeError
from drivers.response import Array, ChannelGroup, Cost, Flags, Response


class ChipHardware(Protocol):
    """The bench instruments around one chip, in concert; what a chip driver is made of.

    `move`, `play` and `read_back` bring the chip to its safe state before they raise InstrumentError.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The driven channels, all of them in V."""

    @property
    def outputs_read(self) -> ChannelGroup:
        """What is read."""

    @property
    def taps(self) -> Mapping[str, ChannelGroup]:
        """What is read inside the chip."""

    @property
    def cost(self) -> Cost:
        """Samples read and seconds driven since the chip was opened."""

    def group(self, names: Sequence[str], playing: bool) -> ChannelGroup:
        """The named channels and their limits, as inputs if `playing`, else as controls."""

    def sample_rate_Hz(self, inputs: Sequence[str]) -> float:
        """Samples a second where the named channels are the inputs."""

    def read_back(self, name: str) -> float:
        """What one channel puts out now in V, asked of the hardware."""

    def move(self, targets: dict[str, float]) -> None:
        """Ramp channels to their targets in V and confirm; EnvelopeError or ShapeError with nothing sent."""

    def play(self, inputs: Array, names: Sequence[str]) -> tuple[Array, Flags, Mapping[str, Array]]:
        """Play `inputs`, shape (batch, time, n) in V, on the named channels; the others hold.

        Gives outputs (batch, time, n_out), flags (batch, time) and taps by name.
        """

    def wait(self, seconds: float) -> None:
        """Let at least this time pass on the bench's clock, everything held."""

    def safe_state(self) -> None:
        """Bring everything to rest in a fixed order; tries all before SafeStateError is raised."""

    def close(self) -> None:
        """Let the instruments go."""


class Partition:
    """A view of the hardware that satisfies the `Device` seam of `calibration`; all views share the chip.

    `owner` is kept alive as long as the view: a chip that nobody holds any more is closed, at rest. Raises
    ShapeError for an input name the chip does not have, one named twice, or none at all.
    """

    def __init__(
        self,
        hardware: ChipHardware,
        identity: Mapping[str, str],
        inputs: Sequence[str],
        owner: object = None,
    ) -> None:
        names = hardware.names
        unknown = [name for name in inputs if name not in names]
        if unknown:
            raise ShapeError(f"no channel {', '.join(unknown)}; there are {', '.join(names)}")
        if len(set(inputs)) != len(inputs) or not inputs:
            raise ShapeError(f"inputs must be different channels, at least one, not {list(inputs)}")
        self._hardware, self._owner = hardware, owner
        self._identity = dict(identity)
        self._inputs = tuple(inputs)
        self._controls = tuple(name for name in names if name not in inputs)

    @property
    def identity(self) -> Mapping[str, str]:
        """The chip and its instruments."""
        return dict(self._identity)

    @property
    def inputs(self) -> ChannelGroup:
        """The channels that play waveforms."""
        return self._hardware.group(self._inputs, playing=True)

    @property
    def controls(self) -> ChannelGroup:
        """The channels that hold a voltage; `max_slew` is how fast `set_controls` ramps."""
        return self._hardware.group(self._controls, playing=False)

    @property
    def outputs(self) -> ChannelGroup:
        """What is read."""
        return self._hardware.outputs_read

    @property
    def taps(self) -> Mapping[str, ChannelGroup]:
        """What is read inside the chip."""
        return self._hardware.taps

    @property
    def layers(self) -> Sequence[Any]:
        """Empty: a single chip."""
        return ()

    @property
    def sample_rate_Hz(self) -> float:
        """Samples a second in a waveform handed to `run`."""
        return self._hardware.sample_rate_Hz(self._inputs)

    @property
    def cost(self) -> Cost:
        """Samples read and seconds driven since the chip was opened, in all views together."""
        return self._hardware.cost

    def with_inputs(self, names: Sequence[str], owner: object = None) -> Self:
        """The same chip with other inputs; nothing moves. Raises ShapeError for a name it does not have."""
        return type(self)(self._hardware, self._identity, names, owner or self._owner)

    def wait(self, seconds: float) -> None:
        """Let at least this time pass on the bench's clock, by an instrument's own measuring; everything is held.

        Raises ShapeError for no time, InstrumentError with the chip at rest.
        """
        if not 0.0 <= seconds < float("inf"):
            raise ShapeError(f"a wait of {seconds} s: a number, not negative")
        if seconds > 0.0:
            self._hardware.wait(seconds)

    def set_controls(self, values: Array) -> None:
        """Ramp the controls, shape (n_controls,) in V, together from where they stand, and confirm.

        Raises ShapeError or EnvelopeError with nothing sent. If the hardware fails, the chip goes to
        rest before InstrumentError is raised.
        """
        volts = as_volts(values, (len(self._controls),), "controls") if self._controls else np.empty(0)
        self._hardware.move(dict(zip(self._controls, volts.tolist(), strict=True)))

    def run(self, inputs: Array) -> Response:
        """Play `inputs`, shape (batch, time, n_in) in V, and read the outputs at the end of each sample.

        See the chip's own `run` for how elements are joined, for flags and for errors.
        """
        volts = as_volts(inputs, (None, None, len(self._inputs)), "inputs")
        return Response(volts, *self._hardware.play(volts, self._inputs))

    def rest(self) -> None:
        """Bring the chip to its safe state."""
        self._hardware.safe_state()
