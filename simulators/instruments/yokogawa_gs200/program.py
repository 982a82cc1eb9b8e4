"""The GS200's program: steps of function, range and level that follow one another along slopes."""

from collections.abc import Callable
from typing import NamedTuple

from simulators.clock import VirtualClock
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.yokogawa_gs200.registers import END_OF_PROGRAM, END_OF_STEP
from simulators.instruments.yokogawa_gs200.source import Source
from simulators.scpi import ScpiError

LONGEST = 10_000
"""Steps."""


class Step(NamedTuple):
    """One step, as it is recorded or read from a file."""

    drive: Drive
    span: float
    level: float


class Program:
    """Records steps and plays them.

    A step goes to its level within the slope time and is over after the interval time, or, when steps follow
    measurements, with the end of one; a slope that is longer than the interval is broken off. Another
    function or range is taken at once, without a slope. When the present state is to be recorded, the output
    stays as it is.

    Args:
        tick: length of a second of the instrument's clock.
        note: told of what happens, by bits of the extended events.
        started: called when a step starts.

    Attributes:
        steps: the program.
        count: the step, from 1, that is played or would be played by `play_one`.
        files: saved programs by name.
    """

    def __init__(
        self,
        clock: VirtualClock,
        tick: float,
        source: Source,
        note: Callable[[int], None],
        started: Callable[[], None],
    ) -> None:
        self._clock, self._tick, self._source = clock, tick, source
        self._note, self._started = note, started
        self.files: dict[str, tuple[Step, ...]] = {}
        self._run = 0
        self.reset()

    def reset(self) -> None:
        """As after *RST; files stay."""
        self.steps: list[Step] = []
        self.editing: Step | None = None
        self.interval_s, self.slope_s = 1.0, 0.0
        self.repeats = self.follows_measurements = False
        self.count, self.loaded = 1, ""
        self._run += 1
        self._left: tuple[float, float] | None = None
        self._ends_s = 0.0
        self._single = self.running = False

    @property
    def paused(self) -> bool:
        """Whether it is held in the midst of a step."""
        return self._left is not None

    # Recording --------------------------------------------------------------------------------------------

    def edit(self) -> None:
        """Start a new program."""
        self._idle()
        self.steps.clear()
        self.count = 1
        self.editing = Step(self._source.drive, self._source.span.span, self._source.level)

    def record(self, step: Step) -> None:
        """Add a step."""
        if len(self.steps) >= LONGEST:
            raise ScpiError(-223, f"a program has at most {LONGEST} steps")
        self.steps.append(step)
        self.editing = step

    def end_edit(self) -> None:
        """The program is complete."""
        if self.editing is None:
            raise ScpiError(-221, "no program is being edited")
        self.editing = None

    # Playing ----------------------------------------------------------------------------------------------

    def _idle(self) -> None:
        if self.running or self.editing is not None:
            raise ScpiError(-221, "a program is running or being edited")

    def _ready(self) -> None:
        self._idle()
        if not self.steps:
            raise ScpiError(-221, "there is no program")

    def run(self) -> None:
        """Play the program from its first step."""
        self._ready()
        self._single = False
        self._play(1)

    def play_one(self) -> None:
        """Play one step, then wait."""
        self._ready()
        self._single = True
        self._play(min(self.count, len(self.steps)))

    def pause(self) -> None:
        """Stay where it is."""
        if not self.running or self.paused:
            raise ScpiError(-221, "no program is running")
        self._run += 1
        self._left = self._source.stop(), self._ends_s - self._clock.now

    def go_on(self) -> None:
        """Go on after a pause."""
        if self._left is None:
            raise ScpiError(-221, "no program is paused")
        slope_s, interval_s = self._left
        self._left = None
        self._source.go_to(self.steps[self.count - 1].level, slope_s)
        self._await(interval_s)

    def abort(self) -> None:
        """Stop where it is."""
        self._run += 1
        self._left = None
        if self.running:
            self.running = False
            self._source.stop()

    def measured(self) -> None:
        """A measurement has ended: the next step, when steps follow measurements."""
        if self.running and self.follows_measurements and not self.paused:
            self._step_over()

    def _play(self, count: int) -> None:
        self.running, self.count = True, count
        step, source = self.steps[count - 1], self._source
        same = step.drive is source.drive and step.span == source.span.span
        on = source.on
        source.set_function(step.drive)
        source.set_span(step.span)
        source.go_to(step.level, self.slope_s * self._tick if same else 0.0)
        source.switch(on)
        self._await(self.interval_s * self._tick)
        self._started()

    def _await(self, seconds: float) -> None:
        self._run += 1
        run = self._run
        self._ends_s = self._clock.now + seconds

        def over() -> None:
            if run == self._run and not self.follows_measurements:
                self._step_over()

        self._clock.schedule(self._ends_s, over)

    def _step_over(self) -> None:
        self._note(END_OF_STEP)
        last = self.count >= len(self.steps)
        if self._single:
            self.running = False
            self.count = 1 if last else self.count + 1
        elif not last:
            self._play(self.count + 1)
        elif self.repeats:
            self._play(1)
        else:
            self.running, self.count = False, 1
        if not self.running and last:
            self._note(END_OF_PROGRAM)

    # Files ------------------------------------------------------------------------------------------------

    def save(self, name: str) -> None:
        """Keep the program under a name."""
        self.files[name] = tuple(self.steps)
        self.loaded = name

    def load(self, name: str) -> None:
        """Take a kept program."""
        self._idle()
        if name not in self.files:
            raise ScpiError(-256, name)
        self.steps, self.count, self.loaded = list(self.files[name]), 1, name
