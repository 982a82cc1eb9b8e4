"""One channel of the B2962A: what is set, its output, its measurements, its runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.keysight_b2962a.facts import (
    FACTS,
    RESET_APERTURE_S,
    RESET_LIMIT,
    deliverable,
    reach,
)
from simulators.instruments.source_measure.output import Drive
from simulators.instruments.source_measure.ranges import Range
from simulators.instruments.source_measure.run import Run, Step
from simulators.instruments.source_measure.unit import SourceMeasureUnit
from simulators.scpi import ScpiError

OTHER = {Drive.VOLTS: Drive.AMPS, Drive.AMPS: Drive.VOLTS}
Mode = Literal["FIX", "SWE", "LIST"]


class Reading(NamedTuple):
    """What one measurement gives, in the order of FORMat:ELEMents:SENSe; `limited` is its status."""

    volts: float
    amps: float
    ohms: float
    time_s: float
    limited: bool
    source: float


@dataclass
class QuantitySettings:
    """What is set for the voltage, or for the current, of a source."""

    span: Range
    lowest: Range
    limit: float
    level: float = 0.0
    automatic: bool = True
    mode: Mode = "FIX"
    start: float = 0.0
    stop: float = 0.0
    points: int = 1
    listed: tuple[float, ...] = (0.0,)

    def steps(self) -> Sequence[float]:
        """The levels of a sweep or a list, one after the other."""
        return np.linspace(self.start, self.stop, self.points).tolist() if self.mode == "SWE" else self.listed


@dataclass
class TriggerSettings:
    """When a run's steps take place, and how many there are, for measurements and for the source."""

    source: str = "AINT"
    timer_s: float = 1e-5
    delays_s: dict[str, float] = field(default_factory=lambda: {"ACQ": 0.0, "TRAN": 0.0})
    counts: dict[str, int] = field(default_factory=lambda: {"ACQ": 1, "TRAN": 1})


def _quantities() -> dict[Drive, QuantitySettings]:
    return {
        drive: QuantitySettings(
            FACTS.source[drive].nominal({Drive.VOLTS: 2.0, Drive.AMPS: 100e-6}[drive]),
            FACTS.source[drive].ranges[0],
            RESET_LIMIT[drive],
        )
        for drive in OTHER
    }


@dataclass
class ChannelSettings:
    """All of a channel, as after *RST."""

    drive: Drive = Drive.VOLTS
    on: bool = False
    off_mode: str = "NORM"
    switches_on: bool = True
    switches_off: bool = False
    protected: bool = False
    holds_last: bool = False
    low: str = "GRO"
    aperture_s: float = RESET_APERTURE_S
    automatic_aperture: bool = False
    remote: bool = False
    measured: frozenset[str] = frozenset({"VOLT", "CURR", "RES"})
    quantities: dict[Drive, QuantitySettings] = field(default_factory=_quantities)
    trigger: TriggerSettings = field(default_factory=TriggerSettings)


class Channel:
    """A source-measure unit with settings; `tripped` says that the protection has switched it off."""

    def __init__(self, clock: VirtualClock, tick: float, rng: np.random.Generator, noise: float) -> None:
        self._clock, self._tick = clock, tick
        self.unit = SourceMeasureUnit(clock, rng, FACTS, noise)
        self.settings = ChannelSettings()
        self.tripped = False
        self.readings: list[Reading] = []
        self.run: Run | None = None
        self._begun_s = clock.now
        self._stepped: float | None = None

    def reset(self) -> None:
        """As after *RST."""
        self.abort()
        self.settings, self.readings, self.tripped = ChannelSettings(), [], False
        self._stepped = None
        self.apply()

    @property
    def now(self) -> QuantitySettings:
        """The settings of what is sourced."""
        return self.settings.quantities[self.settings.drive]

    @property
    def limit(self) -> float:
        """The limit of what is not sourced."""
        return self.settings.quantities[OTHER[self.settings.drive]].limit

    @property
    def limited(self) -> bool:
        """Whether the output is in its limit now."""
        return self.unit.output.point(self._clock.now).limited

    # Source -----------------------------------------------------------------------------------------------

    def _check(self, drive: Drive, level: float, limit: float) -> None:
        volts, amps = (level, limit) if drive is Drive.VOLTS else (limit, level)
        if not deliverable(volts, amps):
            raise ScpiError(-221, f"{abs(volts):g} V and {abs(amps):g} A are more than a channel delivers")

    def set_level(self, drive: Drive, level: float) -> None:
        """A new level; with automatic ranging on the smallest range that holds it."""
        quantity = self.settings.quantities[drive]
        if not quantity.automatic and abs(level) > reach(drive, quantity.span) * (1.0 + 1e-9):
            raise ScpiError(-222, f"{level:g} is beyond the range {quantity.span.span:g}")
        if drive is self.settings.drive:
            self._check(drive, level, self.limit)
        quantity.level = level
        self._stepped = None
        self._choose_span(drive, level)
        self.apply()

    def _choose_span(self, drive: Drive, level: float) -> None:
        quantity = self.settings.quantities[drive]
        if quantity.automatic:
            quantity.span = next(
                span
                for span in FACTS.source[drive].ranges
                if span.span >= quantity.lowest.span and reach(drive, span) >= abs(level) * (1.0 - 1e-9)
            )

    def set_span(self, drive: Drive, value: float) -> None:
        """A fixed range; a level beyond it is at its end."""
        quantity = self.settings.quantities[drive]
        quantity.automatic, quantity.span = False, FACTS.source[drive].nominal(abs(value))
        furthest = reach(drive, quantity.span)
        quantity.level = min(max(quantity.level, -furthest), furthest)
        self.apply()

    def set_automatic(self, drive: Drive, on: bool) -> None:
        """Whether the range follows the level."""
        self.settings.quantities[drive].automatic = on
        self._choose_span(drive, self.settings.quantities[drive].level)
        self.apply()

    def set_limit(self, drive: Drive, value: float) -> None:
        """The limit of a quantity, which counts while the other one is sourced."""
        if drive is OTHER[self.settings.drive]:
            self._check(self.settings.drive, self.now.level, value)
        self.settings.quantities[drive].limit = value
        self.apply()

    def set_drive(self, drive: Drive) -> None:
        """Source the other quantity."""
        other = self.settings.quantities[OTHER[drive]]
        self._check(drive, self.settings.quantities[drive].level, other.limit)
        self.settings.drive = drive
        self.apply()

    def switch(self, on: bool) -> None:
        """Switch the output on or off."""
        self.settings.on = on
        if on:
            self.tripped = False
        self.apply()

    @property
    def level(self) -> float:
        """The level that is sourced: that of a run's step, or the fixed one."""
        return self.now.level if self._stepped is None else self._stepped

    def apply(self) -> None:
        """Let the output do what is set."""
        settings = self.settings
        if settings.on:
            self.unit.drive(settings.drive, self.level, self.now.span, self.limit)
            if settings.protected:
                self._clock.schedule(self._clock.now + 1.01 * FACTS.settling_s, self._protect)
        elif settings.off_mode == "ZERO":
            self.unit.drive(Drive.VOLTS, 0.0, FACTS.source[Drive.VOLTS].ranges[0], RESET_LIMIT[Drive.AMPS])
        elif self.unit.output.drive is not Drive.OPEN:
            self.unit.open()

    def _protect(self) -> None:
        if self.settings.on and self.settings.protected and self.limited:
            self.abort()
            self.tripped, self.settings.on = True, False
            self.unit.open()

    # Measurements -----------------------------------------------------------------------------------------

    def measure(self, start_s: float, stop_s: float) -> Reading:
        """One measurement over a window, with whatever is not to be measured as NaN."""
        settings, drive = self.settings, self.settings.drive
        ranges = {
            drive: self.now.span,
            OTHER[drive]: FACTS.meter[OTHER[drive]].holding(self.limit),
        }
        if settings.on:
            volts, amps, limited = self.unit.measure(start_s, stop_s, dict(ranges), remote=settings.remote)
        else:
            volts, amps, limited = math.nan, math.nan, False
        ohms = volts / amps if amps else math.inf
        measured = settings.measured
        return Reading(
            volts if "VOLT" in measured else math.nan,
            amps if "CURR" in measured else math.nan,
            ohms if "RES" in measured else math.nan,
            stop_s - self._begun_s,
            limited,
            self.level,
        )

    def spot(self) -> float:
        """Measure once, now; gives when the reading will be the newest."""
        if self.busy:
            raise ScpiError(-213, "a measurement is under way")
        self._begin([Step(0.0, self.settings.aperture_s * self._tick)], ())
        return self.over_at_s

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self.run is not None and not self.run.over

    @property
    def over_at_s(self) -> float:
        """When the run under way is over."""
        return -math.inf if self.run is None or self.run.over else self.run.over_at_s

    def initiate(self) -> None:
        """Start a run: the source's steps, and a measurement in each."""
        if self.busy:
            raise ScpiError(-213, "a run is under way")
        trigger, moves = self.settings.trigger, self._moves()
        if self.settings.switches_on and not self.settings.on:
            self.switch(True)
        if moves:
            self._choose_span(self.settings.drive, max(map(abs, moves)))
        delay_s = (trigger.delays_s["TRAN"] + trigger.delays_s["ACQ"]) * self._tick
        aperture_s = self.settings.aperture_s * self._tick
        idle_s = max(trigger.timer_s * self._tick - delay_s - aperture_s, 0.0)
        step = Step(
            delay_s, aperture_s, idle_s if trigger.source == "TIM" else 0.0, waits=trigger.source == "BUS"
        )
        self._begin([step] * max(trigger.counts["ACQ"], len(moves)), moves)

    def _moves(self) -> Sequence[float]:
        """The levels of the run to come; none when the level is fixed."""
        drive, now = self.settings.drive, self.now
        if now.mode == "FIX":
            return ()
        levels = now.steps()[: self.settings.trigger.counts["TRAN"]]
        for level in levels:
            self._check(drive, level, self.limit)
            if not now.automatic and abs(level) > reach(drive, now.span) * (1.0 + 1e-9):
                raise ScpiError(-222, f"{level:g} is beyond the range {now.span.span:g}")
        return levels

    def _begin(self, steps: Sequence[Step], moves: Sequence[float]) -> None:
        self.readings = []
        self._begun_s = self._clock.now
        delay_s = self.settings.trigger.delays_s["TRAN"] * self._tick

        def prepare(k: int) -> None:
            self.unit.measures_since_s = self._clock.now
            if k < len(moves) and delay_s > 0.0:
                self._clock.schedule(self._clock.now + delay_s, lambda: move(k))
            elif k < len(moves):
                move(k)

        def move(k: int) -> None:
            if self.run is run and not run.over:
                self._stepped = moves[k]
                self.apply()

        def take(k: int, start_s: float, stop_s: float) -> None:
            self.readings.append(self.measure(start_s, stop_s))

        def finish() -> None:
            self.unit.measures_since_s = math.inf
            if moves:
                if not self.settings.holds_last:
                    self._stepped = None
                self._choose_span(self.settings.drive, self.level)
                if self.settings.switches_off:
                    self.settings.on = False
                self.apply()

        self.run = run = Run(self._clock, steps, prepare, take, finish)
        run.begin()

    def abort(self) -> None:
        """Stop a run; what was measured stays."""
        if self.run is not None:
            self.run.abort()
