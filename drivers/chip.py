"""What every chip on its bench shares: a QCoDeS instrument that satisfies the `Device` seam."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from qcodes.instrument import Instrument, InstrumentModule
from qcodes.parameters import Parameter

from drivers.errors import IdentityError, ShapeError
from drivers.partition import ChipHardware, Partition
from drivers.response import Array, ChannelGroup, Cost, Response
from drivers.roles import Instrument as BenchInstrument


class ChannelVoltage(Parameter[float, "ChannelModule"]):
    """A channel's voltage in V: read back from the hardware, set by a ramp within the envelope.

    Setting raises EnvelopeError or ShapeError with nothing sent, InstrumentError with the chip at rest.
    """

    def __init__(self, name: str, hardware: ChipHardware, channel: str, **kwargs: Any) -> None:
        self._hardware, self._channel = hardware, channel
        super().__init__(name, unit="V", label=f"{channel} voltage", **kwargs)

    def get_raw(self) -> float:
        """Ask the hardware."""
        return self._hardware.read_back(self._channel)

    def set_raw(self, value: float) -> None:
        """Ramp there and confirm."""
        self._hardware.move({self._channel: value})


class ChannelModule(InstrumentModule):
    """One driven channel; its limits are in the snapshot's metadata."""

    def __init__(
        self, parent: Instrument, name: str, hardware: ChipHardware, metadata: Mapping[str, Any]
    ) -> None:
        super().__init__(parent, name, metadata=dict(metadata))
        self.voltage: ChannelVoltage = self.add_parameter(
            "voltage", parameter_class=ChannelVoltage, hardware=hardware, channel=name
        )
        """Voltage in V; setting it ramps, getting it asks the hardware."""


class Chip(Instrument):
    """A chip and the instruments around it. They stay open when the chip is closed, with the chip at rest.

    Args:
        hardware: the instruments in concert.
        device: the chip with the inputs that it has by itself.
        channels: limits and the like of each driven channel, for the snapshot.

    Raises:
        ShapeError: a channel has a name that the driver needs for itself.
    """

    def __init__(
        self,
        name: str,
        hardware: ChipHardware,
        device: Partition,
        channels: Mapping[str, Mapping[str, Any]],
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._hardware, self._device = hardware, device
        for channel, metadata in channels.items():
            if hasattr(self, channel):
                raise ShapeError(f"channel name {channel} is taken by the driver; choose another")
            self.add_submodule(channel, ChannelModule(self, channel, hardware, metadata))

    @property
    def identity(self) -> Mapping[str, str]:
        """`kind`, `name`, and the answer and address of each instrument."""
        return self._device.identity

    @property
    def inputs(self) -> ChannelGroup:
        """The fast channels."""
        return self._device.inputs

    @property
    def controls(self) -> ChannelGroup:
        """The slow channels."""
        return self._device.controls

    @property
    def outputs(self) -> ChannelGroup:
        """What is read."""
        return self._device.outputs

    @property
    def taps(self) -> Mapping[str, ChannelGroup]:
        """What is read inside the chip."""
        return self._device.taps

    @property
    def layers(self) -> Sequence[Any]:
        """Empty: a single chip."""
        return self._device.layers

    @property
    def sample_rate_Hz(self) -> float:
        """Samples a second in a waveform handed to `run`."""
        return self._device.sample_rate_Hz

    @property
    def cost(self) -> Cost:
        """Samples read and seconds driven since the chip was opened."""
        return self._device.cost

    def with_inputs(self, names: Sequence[str]) -> Partition:
        """The same chip with the named channels fast and the others slow; nothing moves."""
        return self._device.with_inputs(names, owner=self)

    def set_controls(self, values: Array) -> None:
        """Ramp the controls to `values` in V and confirm; see `Partition.set_controls`."""
        self._device.set_controls(values)

    def run(self, inputs: Array) -> Response:
        """Play `inputs` (batch, time, n_in) in V and read the outputs; see `Partition.run`."""
        return self._device.run(inputs)

    def wait(self, seconds: float) -> None:
        """Let time pass with everything held; see `Partition.wait`."""
        self._device.wait(seconds)

    def rest(self) -> None:
        """Bring the chip to rest; the same as `safe_state`."""
        self.safe_state()

    def safe_state(self) -> None:
        """Bring everything to rest in a fixed order, whatever fails on the way.

        Starts from the read-back, tries every channel, and raises SafeStateError at the end for what is not
        known to be at rest. Harmless when the chip is at rest already.
        """
        self._hardware.safe_state()

    def get_idn(self) -> dict[str, str | None]:
        """The chip as QCoDeS identifies an instrument."""
        who = self._device.identity
        return {"vendor": None, "model": who["kind"], "serial": who["name"], "firmware": None}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def leave(self) -> None:
        """Let the instruments go as they are, whatever they put out: for a chip that is meant to stay on."""
        hardware: ChipHardware | None = self.__dict__.pop("_hardware", None)
        if hardware is not None:
            hardware.close()

    def close(self) -> None:
        """Go to the safe state and let the instruments go; a second call does nothing.

        The chip is closed also when the safe state is not reached; SafeStateError then says so.
        """
        hardware: ChipHardware | None = self.__dict__.pop("_hardware", None)
        try:
            if hardware is not None:
                try:
                    hardware.safe_state()
                finally:
                    hardware.close()
        finally:
            super().close()


def identify(instruments: Mapping[str, BenchInstrument], expect: Mapping[str, str]) -> dict[str, str]:
    """Ask each instrument who it is; raises IdentityError naming address, found and expected."""
    unknown = set(expect) - set(instruments)
    if unknown:
        raise ShapeError(
            f"an identity is expected of {', '.join(sorted(unknown))}; there are {', '.join(instruments)}"
        )
    found: dict[str, str] = {}
    for role, instrument in instruments.items():
        answer = instrument.identity()
        if role in expect and expect[role] not in answer:
            raise IdentityError(
                f"{instrument.address}: found {answer!r} where {expect[role]!r} was expected ({role}); "
                "check the address and the cables, nothing was driven"
            )
        found[role] = answer
        found[f"{role}_address"] = instrument.address
    return found
