"""The chip's bench instruments in concert: plays waveforms, reads the amplifier, tries again, goes safe."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from drivers.amplifier import AmplifierCalibration
from drivers.envelope import SafetyEnvelope, naming
from drivers.errors import EnvelopeError, InstrumentError, NotCalibrated, ShapeError
from drivers.guard import guarded
from drivers.layout import Electrode, Readout
from drivers.outputs import Outputs
from drivers.response import Array, ChannelGroup, Cost, Flag, Flags
from drivers.roles import Digitizer
from drivers.sequence import Part, join, split
from drivers.stubbornness import Result, stubbornly

_TICK_s = 1e-6
_NEAR_SATURATION = 0.98


@dataclass(frozen=True)
class Timing:
    """When readings are taken: one per sample, averaged over `aperture_s` near the end of its dwell.

    `guard_s` is kept free at the very end, because the digitizer's clock runs apart from the source's by
    up to `clock_tolerance`; it bounds how long a waveform may run before the two are started anew.
    Raises ShapeError for times that do not fit into a sample.
    """

    sample_rate_Hz: float
    aperture_s: float
    guard_fraction: float = 0.05
    clock_tolerance: float = 20e-6

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sample_rate_Hz) and self.sample_rate_Hz > 0.0):
            raise ShapeError(f"sample rate {self.sample_rate_Hz} Hz is not a positive, finite number")
        ticks = self.dt_s / _TICK_s
        if not (ticks > 0.5 and abs(ticks - round(ticks)) < 1e-6):
            raise ShapeError(
                f"a sample of {self.dt_s:.9g} s is no whole number of microseconds, in which source and "
                f"digitizer count time: they would part; take {1.0 / (math.ceil(ticks) * _TICK_s):.9g} Hz"
            )
        if not 0.0 < self.aperture_s + self.guard_s < self.dt_s:
            raise ShapeError(
                f"aperture {self.aperture_s:g} s and guard {self.guard_s:g} s do not fit into a sample of "
                f"{self.dt_s:g} s; shorten the aperture or lower the sample rate"
            )

    @property
    def dt_s(self) -> float:
        """Time of one sample."""
        return 1.0 / self.sample_rate_Hz

    @property
    def guard_s(self) -> float:
        """Time between the end of the aperture and the end of the sample."""
        return self.guard_fraction * self.dt_s

    @property
    def delay_s(self) -> float:
        """Time from the start of a sample to the start of its aperture."""
        return self.dt_s - self.aperture_s - self.guard_s

    @property
    def slew_fraction(self) -> float:
        """How much of a slew limit a waveform may use, so that each sample stands before it is read."""
        return self.delay_s / self.dt_s

    @property
    def longest(self) -> int:
        """Samples after which the clocks may have used up the guard."""
        return max(1, int(self.guard_s / self.clock_tolerance / self.dt_s))


class PlayedHardware:
    """A source and a digitizer around one chip; `replays` is how often a failed play is tried again."""

    def __init__(
        self,
        outputs: Outputs,
        reference: Outputs | None,
        digitizer: Digitizer,
        electrodes: Sequence[Electrode],
        readout: Readout,
        timing: Timing,
        replays: int,
    ) -> None:
        self.outputs = outputs
        self.reference = reference
        self.digitizer = digitizer
        self.electrodes = tuple(electrodes)
        self.readout = readout
        self.timing = timing
        self.replays = replays
        self.calibration: AmplifierCalibration | None = None
        self._readings = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The driven electrodes."""
        return self.outputs.names

    def group(self, names: Sequence[str], playing: bool) -> ChannelGroup:
        """The named electrodes.

        While `playing`, `max_slew` is lower than the envelope's by the part of a sample in which it is read,
        so that each sample stands before its reading begins.
        """
        envelope = self.outputs.envelope
        rows = [self.outputs.row(name) for name in names]
        by_step = envelope.max_step_V[rows] / self.timing.dt_s
        fraction = self.timing.slew_fraction if playing else 1.0
        slew = np.minimum(envelope.max_slew_V_per_s[rows] * fraction, by_step)
        return ChannelGroup(
            tuple(names), "V", envelope.low_V[rows], envelope.high_V[rows], slew, self.readout.settling_s
        )

    @property
    def outputs_read(self) -> ChannelGroup:
        """The readout's current; its range ends where the amplifier saturates.

        Before the calibration the range is the nominal one and the noise is not known.
        """
        readout, calibration = self.readout, self.calibration
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

    def sample_rate_Hz(self, inputs: Sequence[str]) -> float:
        """Samples a second, whatever the inputs."""
        return self.timing.sample_rate_Hz

    @property
    def cost(self) -> Cost:
        """Samples read and seconds driven since the chip was opened."""
        driven_s = self.outputs.driven_s + (self.reference.driven_s if self.reference else 0.0)
        return Cost(self._readings, driven_s)

    @property
    def hold(self) -> int:
        """Samples for which a join waits until the readout has settled."""
        return math.ceil(self.readout.settling_s / self.timing.dt_s)

    def calibrated(self) -> AmplifierCalibration:
        """The amplifier's calibration; raises NotCalibrated if there is none."""
        if self.calibration is None:
            raise NotCalibrated(
                f"readout {self.readout.electrode}: the amplifier's gain and offset are not measured; "
                "call calibrate_amplifier() first"
            )
        return self.calibration

    def read_current(self) -> float:
        """One reading in A, averaged over a mains period; raises NotCalibrated or InstrumentError."""
        calibration = self.calibrated()
        period_s = 1.0 / self.digitizer.line_frequency_Hz
        volts = self.digitizer.read(1, period_s, self.readout.settling_s)
        self._readings += 1
        return float(calibration.current_A(volts)[0])

    def read_back(self, name: str) -> float:
        """What an electrode's output puts out now in V."""
        return self.outputs.read_back(name)

    def move(self, targets: dict[str, float]) -> None:
        """Ramp electrodes to their targets in V; goes safe if the hardware fails on the way."""
        with guarded(self, refusals=(EnvelopeError, ShapeError)):
            self.stubbornly(partial(self.outputs.move, targets))

    def wait(self, seconds: float) -> None:
        """Let at least this time pass by the digitizer's measuring; goes safe if it fails on the way."""
        with guarded(self):
            self.stubbornly(partial(self.digitizer.wait, seconds))

    def play(self, inputs: Array, names: Sequence[str]) -> tuple[Array, Flags, Mapping[str, Array]]:
        """Play `inputs`, shape (batch, time, n) in V, on the named electrodes; the others hold.

        Gives currents (batch, time, 1) in A, flags (batch, time), and no taps. Raises EnvelopeError with
        nothing sent; InstrumentError, with the chip at rest, of the kind that all replays ended in.
        """
        rows = [self.outputs.row(name) for name in names]
        calibration = self.calibrated()
        batch, samples, _ = inputs.shape
        envelope, dt_s = self.outputs.envelope, self.timing.dt_s
        # What can be refused without asking the hardware is refused first.
        alone = SafetyEnvelope([envelope.channels[row] for row in rows])
        for k, element in enumerate(inputs):
            with naming(k, batch):
                alone.check(element, dt_s, slew_fraction=self.timing.slew_fraction)
        with guarded(self, refusals=(EnvelopeError, ShapeError)):
            start = self.stubbornly(self.outputs.stand)
        pieces = self._plan(inputs, rows, start)
        volts = np.empty((batch, samples))
        flags = np.zeros((batch, samples), dtype=np.uint8)
        with guarded(self):
            for parts in pieces:
                whole = [self._whole(inputs, part, rows, start) for part in parts]
                read = self.stubbornly(partial(self._play_once, whole, rows))
                for part, reading in zip(parts, read, strict=True):
                    volts[part.element, part.first : part.stop] = reading
                    if part.first:  # the waveform paused here
                        flags[part.element, part.first] |= np.uint8(Flag.LATE)
        self._readings += volts.size
        limit = min(_NEAR_SATURATION * self.readout.saturation_V, self.digitizer.range_V)
        flags[~(np.abs(volts) < limit)] |= np.uint8(Flag.CLIPPED)
        full_scale = self.digitizer.range_V
        finite = np.nan_to_num(np.clip(volts, -full_scale, full_scale), nan=full_scale)
        return calibration.current_A(finite)[:, :, None], flags, {}

    def safe_state(self) -> None:
        """Bring everything to rest in a fixed order: electrodes, reference, digitizer.

        Each is tried whatever happens to the others; then the first failure is raised.
        """
        failures: list[BaseException] = []
        actions = [self.outputs.safe_state]
        actions += [] if self.reference is None else [self.reference.safe_state]
        for action in (*actions, self.digitizer.abort):
            try:
                action()
            except BaseException as failure:
                failures.append(failure)
        if failures:
            # An interrupt goes before an error, and takes the errors along.
            failures.sort(key=lambda failure: isinstance(failure, Exception))
            for other in failures[1:]:
                failures[0].add_note(f"also: {other}")
            raise failures[0]

    def _plan(self, inputs: Array, rows: Sequence[int], start: Array) -> list[list[Part]]:
        """Share the batch among pieces and check everything that will be played, joins included."""
        batch, samples, _ = inputs.shape
        envelope, dt_s = self.outputs.envelope, self.timing.dt_s
        for k in range(batch):  # joint limits need all electrodes
            with naming(k, batch):
                envelope.check(self._whole(inputs, Part(k, 0, samples), rows, start), dt_s)
        pieces = list(split(batch, samples, self._longest(), self._overhead()))
        for parts in pieces:
            whole = [self._whole(inputs, part, rows, start) for part in parts]
            envelope.check(join(envelope, start, whole, dt_s, self.hold).waveform, dt_s, start)
            start = whole[-1][-1]
        return pieces

    def stubbornly(self, action: Callable[[], Result]) -> Result:
        """Do what may fail on a line, again after clearing the lines, as often as the budget allows."""
        return stubbornly(action, self._recover, self.replays)

    def close(self) -> None:
        """Let the instruments go."""
        self.outputs.source.close()
        self.digitizer.close()

    def _recover(self) -> None:
        self.outputs.source.recover()
        for outputs in filter(None, (self.outputs, self.reference)):
            outputs.limit_slew()
        self.digitizer.recover()

    def _play_once(self, parts: list[Array], rows: Sequence[int]) -> list[Array]:
        timing = self.timing
        start = self.outputs.stand()
        self._check_held(start, parts[0][0], rows)
        piece = join(self.outputs.envelope, start, parts, timing.dt_s, self.hold)
        samples = len(piece.waveform)
        patience_s = self.outputs.patience_s(samples * timing.dt_s)
        self.outputs.arm(piece.waveform, timing.dt_s, start, rows)
        self.digitizer.arm(samples, timing.dt_s, timing.aperture_s, timing.delay_s)
        self.outputs.fire()
        volts = self.digitizer.fetch(patience_s)
        self.outputs.source.finish(patience_s)
        self.outputs.confirm()
        lengths = np.cumsum([len(part) for part in parts])[:-1]
        return np.split(volts[piece.wanted], lengths)

    def _check_held(self, start: Array, sample: Array, rows: Sequence[int]) -> None:
        """A control that has moved by itself since the batch began is an instrument failure."""
        held = np.setdiff1d(np.arange(len(start)), rows)
        moved = held[np.abs(start[held] - sample[held]) > self.outputs.tolerance_V]
        if len(moved):
            names = ", ".join(f"{self.outputs.names[j]} to {start[j]:.6g} V" for j in moved)
            raise InstrumentError(f"{self.outputs.source.address}: controls moved by themselves: {names}")

    def _whole(self, inputs: Array, part: Part, rows: Sequence[int], held: Array) -> Array:
        """All outputs, (time, n): the inputs of a part, and the others where they stand."""
        samples = inputs[part.element, part.first : part.stop]
        whole = np.tile(held, (len(samples), 1))
        whole[:, rows] = samples
        return self.outputs.envelope.clip(whole)

    def _longest(self) -> int:
        return min(self.timing.longest, self.outputs.source.max_points, self.digitizer.max_readings)

    def _overhead(self) -> int:
        """Samples of the longest possible join."""
        envelope = self.outputs.envelope
        step = np.minimum(envelope.max_slew_V_per_s * self.timing.dt_s, envelope.max_step_V)
        return math.ceil(float(((envelope.high_V - envelope.low_V) / step).max())) + 1 + self.hold
