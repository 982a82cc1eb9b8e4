"""A dopant network processing unit on its bench, as a QCoDeS instrument."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from qcodes.parameters import Parameter

from drivers.amplifier import AmplifierCalibration, calibrate_amplifier
from drivers.chip import Chip, identify
from drivers.errors import ShapeError
from drivers.guard import guarded
from drivers.hardware import PlayedHardware, Timing
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
from drivers.response import Array, Response
from drivers.roles import Digitizer, VoltageSourceArray


class DNPU(Chip):
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
        found = identify({"source": source, "digitizer": digitizer}, expect or {})
        channels = {electrode.name: electrode.channel for electrode in electrodes}
        outputs = Outputs(source, channels, envelope)
        reference = None
        if readout.reference is not None:
            limits = reference_envelope(readout.reference)
            reference = Outputs(source, {REFERENCE: readout.reference.channel}, limits)
        hardware = PlayedHardware(outputs, reference, digitizer, electrodes, readout, timing, replays)
        default = [electrode.name for electrode in electrodes if electrode.role == "input"]
        identity = {"kind": "dnpu", "name": name, **found}
        device = Partition(hardware, identity, default or [electrodes[0].name])
        super().__init__(name, hardware, device, {e.name: _facts(e) for e in electrodes}, **kwargs)
        self._hardware: PlayedHardware = hardware
        self.current: Parameter[float, DNPU] = self.add_parameter(
            "current",
            get_cmd=hardware.read_current,
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

    def run(self, inputs: Array) -> Response:
        """Play `inputs`, shape (batch, time, n_in) in V, and read a current in A at the end of each sample.

        Elements are joined by ramps, from where the outputs stand to the first sample and on, whose
        readings are dropped; the inputs stay at the last sample. Readings near the amplifier's
        saturation or beyond the digitizer's range are flagged CLIPPED; an element too long for one play
        pauses and goes on, and the sample after the pause is flagged LATE.

        Raises NotCalibrated; ShapeError or EnvelopeError with nothing sent; InstrumentTimeout after the
        budget of replays or InstrumentError at once, both with the chip at rest.
        """
        return super().run(inputs)


def _facts(electrode: Electrode) -> dict[str, Any]:
    """What the snapshot tells of an electrode."""
    return {
        "channel": electrode.channel,
        "role": electrode.role,
        "low_V": electrode.low_V,
        "high_V": electrode.high_V,
        "max_slew_V_per_s": electrode.max_slew_V_per_s,
    }
