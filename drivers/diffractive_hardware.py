"""Modulators and a camera in concert: settings become frames, frames become powers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.errors import EnvelopeError, NotCalibrated, SafeStateError, ShapeError
from drivers.frame_instruments import SLM, FrameCamera
from drivers.frame_layout import DiffractiveLayout, LevelTable
from drivers.frames import Frame
from drivers.guard import guarded
from drivers.response import Array, ChannelGroup, Cost, Flag, Flags
from drivers.roles import Laser


@dataclass(frozen=True)
class Exposure:
    """How the camera reads.

    Attributes:
        seconds: of each frame.
        frames: averaged for one reading.
        joule_per_count: light energy on a pixel that makes one count: photon energy times electrons per count over
            quantum efficiency.
        joule_per_electron: photon energy over quantum efficiency.
    """

    seconds: float
    frames: int
    joule_per_count: float
    joule_per_electron: float


@dataclass(frozen=True)
class Dark:
    """What the detectors read without light, (detectors,): mean counts of a frame, and their deviation."""

    counts: Array
    deviation: Array


class DiffractiveHardware:
    """The bench around a diffractive network; satisfies `drivers.partition.ChipHardware`.

    Channels are the amplitudes x{row}_{column} of the input pattern, then the phases p{plane}_{row}_{column} in rad.
    A modulator cannot be read back: what is said of it is what it was last told. Every frame that changed gets the
    modulator's settling time before the camera is asked.

    Raises ShapeError for a layout or a look-up table that does not fit the devices, EnvelopeError for an exposure
    that the camera does not have.
    """

    def __init__(
        self,
        pattern: SLM,
        planes: SLM,
        camera: FrameCamera,
        layout: DiffractiveLayout,
        amplitude: LevelTable,
        phase: LevelTable,
        exposure: Exposure,
        light: Laser | None = None,
    ) -> None:
        layout.check(pattern.shape, planes.shape, camera.shape)
        for slm, table in ((pattern, amplitude), (planes, phase)):
            if len(table.values) != slm.levels:
                raise ShapeError(
                    f"{slm.name} has {slm.levels} levels and its look-up table {len(table.values)}; measure it again"
                )
        self.layout, self.camera, self.exposure, self.light = layout, camera, exposure, light
        self.slms, self._tables = (pattern, planes), (amplitude, phase)
        self._exposed_s = camera.set_exposure(exposure.seconds)
        self._blocks = ((layout.pattern,), layout.planes)
        names = layout.pattern.names("x")
        self._first_phase = len(names)
        for k, blocks in enumerate(layout.planes):
            names += blocks.names(f"p{k}_")
        self.names: tuple[str, ...] = tuple(names)
        self._row = {name: row for row, name in enumerate(names)}
        kinds = [amplitude] * self._first_phase + [phase] * (len(names) - self._first_phase)
        self._low, self._high = (np.array([getattr(t, end) for t in kinds]) for end in ("low", "high"))
        self._values = self._low.copy()
        self._shown: list[Frame | None] = [None, None]
        self.dark: Dark | None = None
        self._readings, self._driven_s = 0, 0.0

    @property
    def settling_s(self) -> float:
        """Of the slower modulator."""
        return max(slm.settling_s for slm in self.slms)

    @property
    def reading_s(self) -> float:
        """What the frames of one reading take at most."""
        return self.exposure.frames * (self._exposed_s + self.camera.longest_frame_s)

    def sample_rate_Hz(self, inputs: Sequence[str]) -> float:
        """Samples a second, settling and reading included."""
        return 1.0 / (self.settling_s + self.reading_s)

    @property
    def taps(self) -> Mapping[str, ChannelGroup]:
        """Empty: nothing is read between the planes."""
        return {}

    @property
    def cost(self) -> Cost:
        """Samples read and seconds driven since the chip was opened."""
        return Cost(self._readings, self._driven_s)

    @property
    def outputs_read(self) -> ChannelGroup:
        """The detectors in W; up to where every pixel of one is saturated.

        The noise is that of the dark, with the shot noise of the largest detector at half its range.
        """
        pixels = np.array([region.height * region.width for region in self.layout.detectors.values()])
        high = pixels * self.camera.saturation * self._watt_per_count
        noise = None
        if self.dark is not None:
            most_W = 0.5 * float(high.max())
            shot_W = np.sqrt(most_W * self.exposure.joule_per_electron / self._exposed_s)
            dark_W = float(self.dark.deviation.max()) * self._watt_per_count
            noise = float(np.hypot(dark_W, shot_W) / np.sqrt(self.exposure.frames))
        n = len(pixels)
        free = np.full(n, np.inf)
        return ChannelGroup(tuple(self.layout.detectors), "W", -free, high, free, 0.0, noise)

    def group(self, names: Sequence[str], playing: bool) -> ChannelGroup:
        """The named channels; the unit is 1 for amplitudes and rad for phases."""
        rows = [self._row[name] for name in names]
        units = dict.fromkeys("1" if row < self._first_phase else "rad" for row in rows)
        free = np.full(len(rows), np.inf)
        return ChannelGroup(
            tuple(names), ", ".join(units), self._low[rows], self._high[rows], free, self.settling_s
        )

    def read_back(self, name: str) -> float:
        """What one channel was last told: a modulator cannot be read."""
        return float(self._values[self._row[name]])

    def move(self, targets: dict[str, float]) -> None:
        """Show the targets and let them settle; raises EnvelopeError with nothing shown."""
        rows = [self._row[name] for name in targets]
        values = self._values.copy()
        values[rows] = self._checked(np.array(list(targets.values())), rows)
        with guarded(self):
            self._show(values)

    def wait(self, seconds: float) -> None:
        """Let at least this time pass by a modulator's clock; goes safe if it fails on the way."""
        with guarded(self):
            self.slms[0].wait(seconds)

    def play(self, inputs: Array, names: Sequence[str]) -> tuple[Array, Flags, Mapping[str, Array]]:
        """Show `inputs` (batch, time, n) on the named channels, sample by sample, and read (batch, time, n_out) in W.

        A sample in which a pixel of a detector was saturated is flagged CLIPPED. Raises EnvelopeError with nothing
        shown, NotCalibrated before the dark was measured.
        """
        if self.dark is None:
            raise NotCalibrated("what the camera reads in the dark is not known; call measure_dark first")
        rows = [self._row[name] for name in names]
        checked = self._checked(inputs, rows)
        batch, time, _ = checked.shape
        outputs = np.empty((batch * time, len(self.layout.detectors)))
        flags = np.zeros(batch * time, dtype=np.uint8)
        with guarded(self):
            if self.light is not None:
                self.light.shine(True)
            for k, sample in enumerate(checked.reshape(batch * time, -1)):
                values = self._values.copy()
                values[rows] = sample
                self._show(values)
                counts, saturated = self._read(self.exposure.frames)
                outputs[k] = (counts.mean(axis=0) - self.dark.counts) * self._watt_per_count
                flags[k] = Flag.CLIPPED if saturated else 0
                self._readings += 1
        return outputs.reshape(batch, time, -1), flags.reshape(batch, time), {}

    def measure_dark(self, frames: int) -> Dark:
        """Read frames with the laser shut, or, where the computer has no hand on it, with the input pattern dark."""
        with guarded(self):
            if self.light is not None:
                self.light.shine(False)
            dark = self._values.copy()
            dark[: self._first_phase] = self._low[: self._first_phase]
            self._show(dark)
            counts, _ = self._read(frames)
        self.dark = Dark(counts.mean(axis=0), counts.std(axis=0, ddof=1))
        return self.dark

    def safe_state(self) -> None:
        """Shut the laser, then blank the modulators; tries all before SafeStateError is raised."""
        failures = []
        steps = [
            *([self.light.safe_state] if self.light is not None else []),
            *(slm.blank for slm in self.slms),
        ]
        for step in steps:
            try:
                step()
            except Exception as error:
                failures.append(str(error))
        self._values, self._shown = self._low.copy(), [None, None]
        if failures:
            raise SafeStateError("the bench is not known to be dark and blank: " + "; ".join(failures))

    def close(self) -> None:
        """Nothing to give back: the devices stay open."""

    @property
    def _watt_per_count(self) -> float:
        return self.exposure.joule_per_count / self._exposed_s

    def _checked(self, values: Array, rows: Sequence[int]) -> Array:
        low, high = self._low[rows], self._high[rows]
        wrong = ~((values >= low) & (values <= high))
        if wrong.any():
            where = tuple(int(k) for k in np.argwhere(wrong)[0])
            channel = self.names[rows[where[-1]]]
            least, most = low[where[-1]], high[where[-1]]
            raise EnvelopeError(
                f"{channel}: {values[where]:g} is outside {least:g} to {most:g}; nothing was shown",
                channel=channel,
                value=float(values[where]),
                limit=float(most if values[where] > most else least),
            )
        return values

    def frames(self, values: Array) -> tuple[Frame, Frame]:
        """The frames of both modulators for values (channels,); what is no setting is at level 0."""
        made = []
        first = 0
        for slm, table, blocks in zip(self.slms, self._tables, self._blocks, strict=True):
            frame = np.zeros(slm.shape, dtype=np.uint16)
            for one in blocks:
                one.paint(frame, table.levels(values[first : first + one.count]))
                first += one.count
            made.append(frame)
        return made[0], made[1]

    def _show(self, values: Array) -> None:
        """Show what changed, and wait until it stands."""
        settling_s = 0.0
        for k, frame in enumerate(self.frames(values)):
            shown = self._shown[k]
            if shown is None or not np.array_equal(frame, shown):
                self._shown[k] = None
                self.slms[k].show(frame)
                self._shown[k] = frame
                settling_s = max(settling_s, self.slms[k].settling_s)
        if settling_s:
            self.slms[0].wait(settling_s)
        self._values = values
        self._driven_s += self.settling_s

    def _read(self, count: int) -> tuple[Array, bool]:
        """Counts of each detector in each frame, (frames, detectors), and whether a pixel was saturated."""
        frames = self.camera.grab(count)
        self._driven_s += count * (self._exposed_s + self.camera.longest_frame_s)
        regions = [frames[(slice(None), *region.slices)] for region in self.layout.detectors.values()]
        counts = np.stack([region.sum(axis=(1, 2), dtype=np.float64) for region in regions], axis=1)
        return counts, any(bool((region >= self.camera.saturation).any()) for region in regions)
