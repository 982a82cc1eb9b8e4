"""The monitoring option: measures the current that a voltage draws, or the voltage across a current."""

import math
from collections.abc import Callable

from simulators.clock import VirtualClock
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.unit import LINE_HZ, SourceMeasureUnit
from simulators.instruments.yokogawa_gs200.facts import FACTS, MEASURABLE_V
from simulators.instruments.yokogawa_gs200.registers import END_OF_MEASURE, OVER_RANGE
from simulators.instruments.yokogawa_gs200.source import OTHER, Source
from simulators.scpi import Later, ScpiError

RESET_INTERVAL_S = 1.0


class Monitor:
    """Integrates after a delay that begins with a trigger.

    Triggers come from a change of the source (READ), from a timer (TIM), one after the other (IMM), or by
    command (COMM). The free-running ones are worked out when somebody asks: their newest reading is that of
    the last window that is over. Auto zero measures zero after each reading, which takes as long again.

    Args:
        note: told of what happens, by bits of the extended events.
        ended: called when a triggered measurement is over.
    """

    def __init__(
        self,
        clock: VirtualClock,
        tick: float,
        source: Source,
        unit: SourceMeasureUnit,
        note: Callable[[int], None],
        ended: Callable[[], None],
    ) -> None:
        self._clock, self._tick, self._source, self._unit = clock, tick, source, unit
        self._note, self._ended = note, ended
        self._pending = 0
        self.reset()

    def reset(self) -> None:
        """As after *RST."""
        self.on, self.trigger = False, "READ"
        self.cycles, self.delay_s, self.interval_s = 1, 0.0, RESET_INTERVAL_S
        self.auto_zero, self.remote, self.guard = True, False, False
        self.null: float | None = None
        self._reading = math.nan
        self._pending += 1
        self._unit.measures_since_s = math.inf
        self.restart()

    @property
    def aperture_s(self) -> float:
        """How long a reading integrates."""
        return self.cycles / LINE_HZ * self._tick

    @property
    def reading_s(self) -> float:
        """From a trigger to its reading."""
        return self.delay_s * self._tick + self.aperture_s

    @property
    def _pitch_s(self) -> float:
        """From one reading to the next, when nobody triggers."""
        if self.trigger == "TIM":
            return max(self.interval_s * self._tick, self.reading_s)
        return self.reading_s + (self.aperture_s if self.auto_zero else 0.0)

    def switch(self, on: bool) -> None:
        """Switch the monitor on or off."""
        if on:
            self._check()
        self.on = on
        self.restart()
        if not on:
            self._reading = math.nan

    def restart(self) -> None:
        """What a reading is has changed: free-running readings begin anew."""
        self._begun_s, self._worked_out = self._clock.now, -1

    def _check(self) -> None:
        source = self._source
        if source.drive is Drive.VOLTS and source.span.span < MEASURABLE_V:
            raise ScpiError(-221, f"nothing is measured on ranges below {MEASURABLE_V:g} V")

    def check_possible(self) -> None:
        """Raise ScpiError unless something can be measured now."""
        self._check()
        if not self.on:
            raise ScpiError(-221, "the measurement is off")
        if not self._source.on:
            raise ScpiError(-221, "the output is off")

    def source_changed(self) -> None:
        """The source has a new level: that is a trigger, when it is waited for."""
        self.restart()
        if self.on and self._source.on and self.trigger == "READ":
            self.start()

    def start(self) -> float:
        """A trigger: gives when its reading will be there. One that comes too early begins anew."""
        self._pending += 1
        pending, start_s = self._pending, self._clock.now + self.delay_s * self._tick
        stop_s = start_s + self.aperture_s
        self._unit.measures_since_s = start_s

        def taken() -> None:
            if pending == self._pending:
                self._unit.measures_since_s = math.inf
                self._reading = self._read(start_s, stop_s)
                self._ended()

        self._clock.schedule(stop_s, taken)
        return stop_s

    def measure(self) -> Later:
        """Trigger a reading and give it."""
        self.check_possible()
        return Later(self.start(), self._given)

    def newest(self) -> float:
        """The newest reading; NaN when there is none."""
        if self.on and self._source.on and self.trigger in ("TIM", "IMM"):
            over = math.floor((self._clock.now - self._begun_s - self.reading_s) / self._pitch_s + 1e-9)
            if over > self._worked_out:
                self._worked_out = over
                start_s = self._begun_s + over * self._pitch_s + self.delay_s * self._tick
                self._reading = self._read(start_s, start_s + self.aperture_s)
        return self._given()

    def set_null(self, on: bool) -> None:
        """Take the newest reading off all that follow."""
        self.null = None
        self.null = self.newest() if on else None

    def _given(self) -> float:
        return self._reading - (self.null or 0.0)

    def _read(self, start_s: float, stop_s: float) -> float:
        quantity = OTHER[self._source.drive]
        measured = self._unit.measure(
            start_s,
            stop_s,
            {drive: scale.ranges[-1] for drive, scale in FACTS.meter.items()},
            remote=self.remote,
        )
        reading = measured.volts if quantity is Drive.VOLTS else measured.amps
        self._note(END_OF_MEASURE | (0 if math.isfinite(reading) else OVER_RANGE))
        return reading
