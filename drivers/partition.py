"""A chip with some electrodes as fast inputs and the others as slow controls."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drivers.envelope import as_volts
from drivers.errors import ShapeError
from drivers.hardware import ChipHardware
from drivers.response import Array, ChannelGroup, Cost, Response


class Partition:
    """A view of the hardware that satisfies the `Device` seam of `calibration`; all views share the chip.

    Raises ShapeError for an input name the chip does not have, one named twice, or none at all.
    """

    def __init__(self, hardware: ChipHardware, identity: Mapping[str, str], inputs: Sequence[str]) -> None:
        names = hardware.outputs.names
        unknown = [name for name in inputs if name not in names]
        if unknown:
            raise ShapeError(f"no electrode {', '.join(unknown)}; there are {', '.join(names)}")
        if len(set(inputs)) != len(inputs) or not inputs:
            raise ShapeError(f"inputs must be different electrodes, at least one, not {list(inputs)}")
        self._hardware = hardware
        self._identity = dict(identity)
        self._inputs = tuple(inputs)
        self._controls = tuple(name for name in names if name not in inputs)

    @property
    def identity(self) -> Mapping[str, str]:
        """The chip and its instruments."""
        return dict(self._identity)

    @property
    def inputs(self) -> ChannelGroup:
        """The electrodes that play waveforms.

        `max_slew` is lower than the envelope's by the part of a sample in which it is read, so that each
        sample stands before its reading begins.
        """
        return self._group(self._inputs, self._hardware.timing.slew_fraction)

    @property
    def controls(self) -> ChannelGroup:
        """The electrodes that hold a voltage; `max_slew` is how fast `set_controls` ramps."""
        return self._group(self._controls, 1.0)

    @property
    def outputs(self) -> ChannelGroup:
        """The readout's current; its range ends where the amplifier saturates.

        Before the calibration the range is the nominal one and the noise is not known.
        """
        readout, calibration = self._hardware.readout, self._hardware.calibration
        gain = readout.nominal_gain_V_per_A if calibration is None else calibration.gain_V_per_A
        offset = 0.0 if calibration is None else calibration.offset_V
        ends = sorted(((sign * readout.saturation_V - offset) / gain) for sign in (-1.0, 1.0))
        return ChannelGroup(
            (readout.electrode,),
            "A",
            np.array(ends[:1]),
            np.array(ends[1:]),
            np.array([np.inf]),
            readout.settling_s,
            None if calibration is None else calibration.noise_V / abs(gain),
        )

    @property
    def taps(self) -> Mapping[str, ChannelGroup]:
        """Empty: nothing is read inside a dopant network."""
        return {}

    @property
    def layers(self) -> Sequence[Any]:
        """Empty: a single chip."""
        return ()

    @property
    def sample_rate_Hz(self) -> float:
        """Samples a second in a waveform handed to `run`."""
        return self._hardware.timing.sample_rate_Hz

    @property
    def cost(self) -> Cost:
        """Samples read and seconds driven since the chip was opened, in all views together."""
        return self._hardware.cost

    def with_inputs(self, names: Sequence[str]) -> "Partition":
        """The same chip with other inputs; nothing moves. Raises ShapeError for a name it does not have."""
        return Partition(self._hardware, self._identity, names)

    def set_controls(self, values: Array) -> None:
        """Ramp the controls, shape (n_controls,) in V, together from where they stand, and confirm.

        Raises ShapeError or EnvelopeError with nothing sent. If the hardware fails, the chip goes to
        rest before InstrumentError is raised.
        """
        volts = as_volts(values, (len(self._controls),), "controls") if self._controls else np.empty(0)
        self._hardware.move(dict(zip(self._controls, volts.tolist(), strict=True)))

    def run(self, inputs: Array) -> Response:
        """Play `inputs`, shape (batch, time, n_in) in V, and read a current in A at the end of each sample.

        Elements are joined by ramps, from where the outputs stand to the first sample and on, whose
        readings are dropped; the inputs stay at the last sample. Readings near the amplifier's
        saturation or beyond the digitizer's range are flagged CLIPPED; an element too long for one play
        pauses and goes on, and the sample after the pause is flagged LATE.

        Raises NotCalibrated; ShapeError or EnvelopeError with nothing sent; InstrumentTimeout after the
        budget of replays or InstrumentError at once, both with the chip at rest.
        """
        volts = as_volts(inputs, (None, None, len(self._inputs)), "inputs")
        rows = [self._hardware.outputs.row(name) for name in self._inputs]
        current, flags = self._hardware.play(volts, rows)
        return Response(volts, current[:, :, None], flags)

    def rest(self) -> None:
        """Bring every electrode to 0 V; see `DNPU.safe_state`."""
        self._hardware.safe_state()

    def _group(self, names: Sequence[str], slew_fraction: float) -> ChannelGroup:
        hardware = self._hardware
        envelope = hardware.outputs.envelope
        rows = [hardware.outputs.row(name) for name in names]
        by_step = envelope.max_step_V[rows] / hardware.timing.dt_s
        slew = np.minimum(envelope.max_slew_V_per_s[rows] * slew_fraction, by_step)
        return ChannelGroup(
            tuple(names), "V", envelope.low_V[rows], envelope.high_V[rows], slew, hardware.readout.settling_s
        )
