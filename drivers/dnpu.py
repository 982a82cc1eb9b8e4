"""A dopant network processing unit on its bench, as a QCoDeS instrument."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

from qcodes.instrument import Instrument, InstrumentModule
from qcodes.parameters import Parameter

from drivers.amplifier import AmplifierCalibration, calibrate_amplifier
from drivers.errors import IdentityError, ShapeError
from drivers.guard import guarded
from drivers.hardware import ChipHardware, Timing
from drivers.layout import (
    REFERENCE,
    Electrode,
    JointLimits,
    Readout,
    build_envelope,
    reference_envelope,
)
from drivers.outputs import Outputs
from drivers.partition import Partition
from drivers.response import Array, ChannelGroup, Cost, Response
from drivers.roles import Digitizer, VoltageSourceArray
from drivers.roles import Instrument as BenchInstrument


class ElectrodeVoltage(Parameter[float, "ElectrodeModule"]):
    """An electrode's voltage in V: read back from the hardware, set by a ramp within the envelope.

    Setting raises EnvelopeError or ShapeError with nothing sent, InstrumentError with the chip at rest.
    """

    def __init__(self, name: str, hardware: ChipHardware, electrode: Electrode, **kwargs: Any) -> None:
        self._hardware = hardware
        self._electrode = electrode
        super().__init__(name, unit="V", label=f"{electrode.name} voltage", **kwargs)

    def get_raw(self) -> float:
        """Ask the hardware."""
        return self._hardware.outputs.read_back(self._electrode.name)

    def set_raw(self, value: float) -> None:
        """Ramp there and confirm."""
        self._hardware.move({self._electrode.name: value})


class ElectrodeModule(InstrumentModule):
    """One electrode; its limits are in the snapshot's metadata."""

    def __init__(self, parent: Instrument, hardware: ChipHardware, electrode: Electrode) -> None:
        metadata = {
            "channel": electrode.channel,
            "role": electrode.role,
            "low_V": electrode.low_V,
            "high_V": electrode.high_V,
            "max_slew_V_per_s": electrode.max_slew_V_per_s,
        }
        super().__init__(parent, electrode.name, metadata=metadata)
        self.electrode = electrode
        self.voltage: ElectrodeVoltage = self.add_parameter(
            "voltage",
            parameter_class=ElectrodeVoltage,
            hardware=hardware,
            electrode=electrode,
        )
        """Voltage in V; setting it ramps, getting it asks the hardware."""


class DNPU(Instrument):
    """A dopant network between a `VoltageSourceArray` and a `Digitizer`; satisfies the `Device` seam.

    `expect` maps "source" and "digitizer" to a text that must occur in each one's identity. `replays` is
    how often a waveform that met a timeout is played again. Connecting sets the source's own slew limits
    and moves nothing. The instruments stay open when the chip is closed, with the chip at rest.

    Raises IdentityError, before anything else is sent, for another instrument than expected;
    EnvelopeError, ShapeError for limits, names or timings that cannot work; InstrumentError.
    """

    def __init__(
        self,
        name: str,
        source: VoltageSourceArray,
        digitizer: Digitizer,
        electrodes: Sequence[Electrode],
        readout: Readout,
        *,
        sample_rate_Hz: float = 1000.0,
        aperture_s: float = 200e-6,
        joint: JointLimits | None = None,
        expect: Mapping[str, str] | None = None,
        replays: int = 2,
        **kwargs: Any,
    ) -> None:
        envelope = build_envelope(electrodes, readout.reference, joint or JointLimits())
        timing = Timing(sample_rate_Hz, aperture_s)
        found = _identify({"source": source, "digitizer": digitizer}, expect or {})
        super().__init__(name, **kwargs)
        channels = {electrode.name: electrode.channel for electrode in electrodes}
        outputs = Outputs(source, channels, envelope)
        reference = None
        if readout.reference is not None:
            limits = reference_envelope(readout.reference)
            reference = Outputs(source, {REFERENCE: readout.reference.channel}, limits)
        self._hardware = ChipHardware(outputs, reference, digitizer, electrodes, readout, timing, replays)
        self._identity = {"kind": "dnpu", "name": name, **found}
        default = [electrode.name for electrode in electrodes if electrode.role == "input"]
        self._device = Partition(self._hardware, self._identity, default or [electrodes[0].name])
        for electrode in electrodes:
            if hasattr(self, electrode.name):
                raise ShapeError(f"electrode name {electrode.name} is taken by the driver; choose another")
            self.add_submodule(electrode.name, ElectrodeModule(self, self._hardware, electrode))
        self.current: Parameter[float, DNPU] = self.add_parameter(
            "current",
            get_cmd=self._hardware.read_current,
            unit="A",
            label=f"{readout.electrode} current",
            snapshot_get=False,
        )
        """Readout current in A, averaged over a mains period; raises NotCalibrated before a calibration."""
        outputs.confine()
        if reference is not None:
            reference.confine()

    @property
    def calibration(self) -> AmplifierCalibration | None:
        """The amplifier's calibration, None before there is one; set it to one measured earlier."""
        return self._hardware.calibration

    @calibration.setter
    def calibration(self, calibration: AmplifierCalibration | None) -> None:
        self._hardware.calibration = calibration

    def calibrate_amplifier(self, **settings: Any) -> AmplifierCalibration:
        """Measure the amplifier's gain and offset and use them; the electrodes are at 0 V afterwards.

        `settings` are those of `drivers.amplifier.calibrate_amplifier`. Raises AmplifierError or
        InstrumentError, with the chip at rest.
        """
        hardware = self._hardware
        if hardware.reference is None:
            raise ShapeError(
                f"readout {hardware.readout.electrode} has no reference source; "
                "wire one, or set a calibration measured earlier"
            )
        with guarded(hardware):
            measure = partial(
                calibrate_amplifier,
                hardware.outputs,
                hardware.reference,
                hardware.digitizer,
                hardware.readout,
                sampling_aperture_s=hardware.timing.aperture_s,
                **settings,
            )
            hardware.calibration = hardware.stubbornly(measure)
        return hardware.calibration

    @property
    def identity(self) -> Mapping[str, str]:
        """`kind`, `name`, and the answer and address of each instrument."""
        return self._device.identity

    @property
    def inputs(self) -> ChannelGroup:
        """The fast electrodes; see `Partition.inputs` for their slew."""
        return self._device.inputs

    @property
    def controls(self) -> ChannelGroup:
        """The slow electrodes."""
        return self._device.controls

    @property
    def outputs(self) -> ChannelGroup:
        """The readout's current in A."""
        return self._device.outputs

    @property
    def taps(self) -> Mapping[str, ChannelGroup]:
        """Empty: nothing is read inside a dopant network."""
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
        return self._hardware.cost

    def with_inputs(self, names: Sequence[str]) -> Partition:
        """The same chip with the named electrodes fast and the others slow; nothing moves."""
        return self._device.with_inputs(names)

    def set_controls(self, values: Array) -> None:
        """Ramp the controls to `values` in V and confirm; see `Partition.set_controls`."""
        self._device.set_controls(values)

    def run(self, inputs: Array) -> Response:
        """Play `inputs` (batch, time, n_in) in V and read the current in A; see `Partition.run`."""
        return self._device.run(inputs)

    def rest(self) -> None:
        """Bring every electrode to 0 V; the same as `safe_state`."""
        self.safe_state()

    def safe_state(self) -> None:
        """Bring the electrodes, then the reference, to 0 V by hardware ramps; then stop the digitizer.

        Starts from the read-back, tries every channel whatever fails, and raises SafeStateError at the
        end for those that are not known to be at 0 V. Harmless when the chip is at rest already.
        """
        self._hardware.safe_state()

    def get_idn(self) -> dict[str, str | None]:
        """The chip as QCoDeS identifies an instrument."""
        return {"vendor": None, "model": "dnpu", "serial": self._identity["name"], "firmware": None}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Go to the safe state and let the instruments go; a second call does nothing.

        The chip is closed also when the safe state is not reached; SafeStateError then says so.
        """
        hardware = self.__dict__.pop("_hardware", None)
        try:
            if hardware is not None:
                try:
                    hardware.safe_state()
                finally:
                    hardware.outputs.source.close()
                    hardware.digitizer.close()
        finally:
            super().close()


def _identify(instruments: Mapping[str, BenchInstrument], expect: Mapping[str, str]) -> dict[str, str]:
    """Ask each instrument who it is; raises IdentityError naming address, found and expected."""
    unknown = set(expect) - set(instruments)
    if unknown:
        raise ShapeError(
            f"an identity is expected of {', '.join(sorted(unknown))}; there are source, digitizer"
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
