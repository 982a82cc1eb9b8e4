"""One output of the 33512B: from its settings to what leaves the socket."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.keysight_33512b import shapes
from simulators.instruments.keysight_33512b.course import Course, Pace, Steady, Stepped, Sweep, Timeline
from simulators.instruments.keysight_33512b.settings import SOURCE_OHM, ChannelSettings
from simulators.instruments.keysight_33512b.shapes import Burst, Shape
from simulators.instruments.loads import Loads
from simulators.instruments.path import Array, Knots
from simulators.instruments.terminals import Pulse, TriggerOutput

_MEMORY_S = 5.0
"""History that is kept although nobody has asked for it."""
_MOST_PULSES_HZ = 1e5
"""Pulses that are really sent down a trigger cable each second; of more, every n-th one is."""
_TRIGGER_WIDTH_S = 1e-6


class OutputChannel:
    """A voltage source with 50 ohm in series; a `VoltageSource` that gives its own means.

    A change of a setting ends a burst under way. Frequencies change with a steady phase.

    Attributes:
        noise_V: standard deviation of the output's noise, which its corners and means leave out.
        loads: what hangs on the output: its resistors divide the voltage as they are now. A chip's electrode
            draws too little through 50 ohm to be felt.
        sync, trigger: the sockets to signal; None while they belong to the other channel or are off.
    """

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        gain_error: float,
        offset_error_V: float,
        noise_V: float,
        tick: float,
    ) -> None:
        self.clock, self.noise_V = clock, noise_V
        self.settings = ChannelSettings()
        self.loads = Loads()
        self.sync: TriggerOutput | None = None
        self.sync_inverted = False
        self.trigger: TriggerOutput | None = None
        self.trigger_inverted = False
        self._gain_error, self._offset_error_V, self._tick = gain_error, offset_error_V, tick
        self._noise_seed = int(rng.integers(1 << 31))
        self._timeline = Timeline()
        self._keep_from: Callable[[], float] = lambda: math.inf
        self._origin_s, self._origin_phase = 0.0, 0.0
        self._pace: Pace = Steady(0.0)
        self._run = 0
        self._busy_until_s = -math.inf
        self._armed, self._left = True, math.inf
        self.refresh()

    # The sockets' side ------------------------------------------------------------------------------------

    def keep_for(self, needs_since: Callable[[], float]) -> None:
        """Ask `needs_since` for the oldest instant that must be remembered."""
        self._keep_from = needs_since

    @property
    def _divider(self) -> float:
        return 1.0 / (1.0 + SOURCE_OHM * self.loads.conductance_S)

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Signal.means`."""
        return self._divider * self._timeline.means(starts_s, stops_s)

    def knots(self, start_s: float, stop_s: float) -> Knots:
        """See `VoltageSource.knots`."""
        corners = self._timeline.knots(start_s, stop_s)
        return Knots(corners.times_s, self._divider * corners.values, corners.opens)

    # From settings to courses -----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Let the settings hold from now on."""
        now = self.clock.now
        self._run += 1
        self._forget()
        phase = self._origin_phase + float(self._pace.phases(np.array([now - self._origin_s]))[0])
        self._origin_s, self._origin_phase, self._pace = now, phase % 1.0, self._new_pace()
        self._busy_until_s = -math.inf
        settings = self.settings
        if not settings.burst.on or settings.function in ("DC", "NOIS"):
            self._put(now, self._shape(), self._pace, self._origin_phase + settings.phase_deg / 360.0)
            self._pulses(now)
        elif settings.trigger.source == "IMM" and not settings.burst.gated and self._armed:
            self._bursts()
        else:
            self._rest(now)
            if settings.burst.gated and settings.burst.gate_inverted and settings.trigger.source == "EXT":
                self._begin(now, math.inf)
            elif settings.trigger.source == "TIM" and not settings.burst.gated:
                self._timer()

    def _forget(self) -> None:
        self._timeline.forget(min(self.clock.now, self._keep_from()) - _MEMORY_S)

    def restart_phase(self) -> None:
        """Begin a cycle now."""
        self._origin_s, self._origin_phase = self.clock.now, 0.0
        self.refresh()

    @property
    def cycle_Hz(self) -> float:
        """Cycles a second of the wave that is set, by the channel's own clock."""
        settings = self.settings
        if settings.function == "ARB":
            return settings.arb.sample_rate / len(settings.arb.levels)
        if settings.function == "PRBS":
            return settings.bit_rate / ((1 << shapes.PRBS_TAPS[settings.prbs][0]) - 1)
        if settings.function == "NOIS":
            return 2.0 * settings.noise_bandwidth_Hz / shapes.NOISE_POINTS
        return settings.frequency_Hz

    def _new_pace(self) -> Pace:
        settings, sweep = self.settings, self.settings.sweep
        if settings.function in ("SIN", "SQU", "TRI", "RAMP") and not settings.burst.on:
            if settings.frequency_mode == "SWE":
                return Sweep(
                    sweep.start_Hz / self._tick,
                    sweep.stop_Hz / self._tick,
                    sweep.time_s * self._tick,
                    sweep.hold_s * self._tick,
                    sweep.return_s * self._tick,
                    logarithmic=sweep.logarithmic,
                )
            if settings.frequency_mode == "LIST":
                each_Hz = tuple(frequency / self._tick for frequency in sweep.frequencies_Hz)
                return Stepped(each_Hz, sweep.dwell_s * self._tick)
        return Steady(self.cycle_Hz / self._tick)

    def _shape(self) -> Shape | None:
        settings, pulse = self.settings, self.settings.pulse
        fastest_Hz = self._pace.fastest_Hz * self._tick
        match settings.function:
            case "SIN":
                return shapes.Sine()
            case "SQU":
                return shapes.square(settings.square_duty, fastest_Hz)
            case "TRI":
                return shapes.ramp(0.5)
            case "RAMP":
                return shapes.ramp(settings.symmetry)
            case "PULS":
                return shapes.pulse(pulse.width_s, pulse.rise_s, pulse.fall_s, fastest_Hz)
            case "PRBS":
                return _pseudorandom(settings.prbs, settings.bit_rate, settings.prbs_edge_s)
            case "NOIS":
                return _noise(self._noise_seed)
            case "ARB":
                halves, straight = 0.5 * settings.arb.levels, settings.arb.smoothing == "NORM"
                return shapes.lines(halves) if straight else shapes.stairs(halves, self.cycle_Hz)
        return None

    @property
    def _levels(self) -> tuple[float, float]:
        """Offset and span into an open circuit, with this channel's errors; zero while the relay is open."""
        settings = self.settings
        if not settings.on:
            return 0.0, 0.0
        gain = 1.0 + self._gain_error
        sign = -1.0 if settings.inverted else 1.0
        return settings.offset_V * gain + self._offset_error_V, sign * settings.span_V * gain

    def _put(self, begin_s: float, shape: Shape | None, pace: Pace, phase: float) -> None:
        offset_V, span_V = self._levels
        if shape is None:
            self._timeline.put(Course(begin_s, offset_V))
        else:
            self._timeline.put(Course(begin_s, offset_V, span_V, shape, pace, phase))

    def _resting(self, shape: Shape) -> float:
        """Where the output rests between bursts: at the start phase, or at the first point of a wave of points."""
        if self.settings.function == "ARB":
            return 0.5 * float(self.settings.arb.levels[0])
        return float(shape.at(np.array([self.settings.burst.phase_deg / 360.0]))[0])

    def _rest(self, from_s: float) -> None:
        shape = self._shape()
        if shape is not None:
            offset_V, span_V = self._levels
            self._timeline.put(Course(from_s, offset_V + self._resting(shape) * span_V))

    # Bursts -----------------------------------------------------------------------------------------------

    @property
    def burst_s(self) -> float:
        """Length of one burst."""
        return self.settings.burst.cycles / self.cycle_Hz * self._tick

    def _bursts(self) -> None:
        """Bursts that repeat by themselves."""
        burst = self.settings.burst
        shape = self._shape()
        period_s = burst.period_s * self._tick
        if shape is None:
            return
        pace = Steady(1.0 / period_s)
        if math.isinf(burst.cycles):
            self._begin(self.clock.now, math.inf)
            return
        train = Burst(
            shape,
            burst.phase_deg / 360.0,
            self._resting(shape),
            burst.cycles,
            max(period_s * self.cycle_Hz / self._tick, burst.cycles),
        )
        self._put(self.clock.now, train, pace, 0.0)
        self._signal_each(self.clock.now, period_s, self.burst_s, bursts=True)

    def initiate(self, continuous: bool | None = None) -> None:
        """Wait for triggers: for ever, for the trigger count (None), or no more."""
        self._armed = continuous is not False
        self._left = math.inf if continuous else self.settings.trigger.count
        self.refresh()

    def abort(self) -> None:
        """End a burst; wait for the next trigger if triggers are awaited."""
        self.initiate(self.settings.trigger.continuous)

    @property
    def busy_until_s(self) -> float:
        """When the burst under way is over; minus infinity without one."""
        return self._busy_until_s

    def take_trigger(self) -> bool:
        """A trigger comes now; gives whether it starts a burst. During a burst it does not."""
        settings = self.settings
        now = self.clock.now
        if not settings.burst.on or settings.burst.gated or not self._armed or now < self._busy_until_s:
            return False
        if self._shape() is None or settings.function == "NOIS":
            return False
        self._left -= 1.0
        if self._left <= 0.0:
            self._armed = False
        self._begin(now + settings.trigger.delay_s * self._tick, self.burst_s)
        return True

    def feel(self, pulse: Pulse) -> None:
        """A pulse on the external trigger input."""
        settings = self.settings
        if settings.trigger.source != "EXT" or not settings.burst.on:
            return
        if settings.burst.gated:
            self._gate(pulse)
            return
        edge_s = pulse.fall_s if settings.trigger.negative else pulse.rise_s
        self._at(edge_s, self._trigger)

    def _trigger(self) -> None:
        self.take_trigger()

    def _gate(self, pulse: Pulse) -> None:
        """Run while the gate is open, and on to the end of the cycle that was begun."""
        opens_s, closes_s = pulse.rise_s, pulse.fall_s
        cycle_s = self._tick / self.cycle_Hz
        if self.settings.burst.gate_inverted:
            self._at(opens_s, lambda: self._finish(cycle_s))
            self._at(closes_s, lambda: self._begin(self.clock.now, math.inf))
        elif closes_s > opens_s:
            length_s = math.ceil((closes_s - opens_s) / cycle_s - 1e-9) * cycle_s
            self._at(opens_s, lambda: self._begin(self.clock.now, length_s))

    def _finish(self, cycle_s: float) -> None:
        begun = self._timeline.at(self.clock.now)
        if begun.shape is not None:
            end_s = begun.begin_s + math.ceil((self.clock.now - begun.begin_s) / cycle_s - 1e-9) * cycle_s
            self._rest(end_s)
            self._busy_until_s = end_s

    def _timer(self) -> None:
        run = self._run

        def due() -> None:
            if run == self._run:
                self.take_trigger()
                self.clock.schedule(self.clock.now + self.settings.trigger.timer_s * self._tick, due)

        self.clock.schedule(self.clock.now, due)

    def _begin(self, begin_s: float, length_s: float) -> None:
        self._forget()
        self._put(begin_s, self._shape(), self._pace, self.settings.burst.phase_deg / 360.0)
        if length_s < math.inf:
            self._rest(begin_s + length_s)
        self._busy_until_s = begin_s + length_s
        width_s = length_s if length_s < math.inf else _TRIGGER_WIDTH_S
        self._at(begin_s, lambda: self._signal(width_s, burst=True))

    # Sync and trigger output ------------------------------------------------------------------------------

    def _pulses(self, now: float) -> None:
        """A sync pulse with every cycle, of a sweep with every sweep; noise and DC have none."""
        if self.settings.function in ("DC", "NOIS"):
            return
        if isinstance(self._pace, Sweep):
            self._signal_each(now, self._pace.period_s, 0.5 * self._pace.there_s, bursts=True)
        elif isinstance(self._pace, Steady):
            cycle_s = 1.0 / self._pace.frequency_Hz
            phase = self._origin_phase + self.settings.phase_deg / 360.0
            first_s = now + ((-phase) % 1.0) * cycle_s
            self._signal_each(first_s, cycle_s, 0.5 * cycle_s, bursts=False)

    def _signal_each(self, first_s: float, period_s: float, width_s: float, *, bursts: bool) -> None:
        """Signal periodically, as long as anybody listens."""
        run = self._run
        every_s = period_s * max(math.ceil(1.0 / (period_s * _MOST_PULSES_HZ) - 1e-9), 1)

        def due(k: int) -> None:
            if run == self._run and self._signal(width_s, burst=bursts):
                self.clock.schedule(first_s + (k + 1) * every_s, lambda: due(k + 1))

        self.clock.schedule(first_s, lambda: due(0))

    def _signal(self, width_s: float, *, burst: bool) -> bool:
        """Send pulses now; gives whether anybody listens."""
        heard = False
        if self.sync is not None and self.sync.listeners:
            heard = True
            self.sync.send(Pulse(self.clock.now, width_s, self.sync_inverted))
        if burst and self.trigger is not None and self.trigger.listeners:
            heard = True
            self.trigger.send(Pulse(self.clock.now, _TRIGGER_WIDTH_S, self.trigger_inverted))
        return heard

    def _at(self, instant: float, action: Callable[[], object]) -> None:
        """Do something at an instant unless a setting has changed by then."""
        run = self._run

        def due() -> None:
            if run == self._run:
                action()

        if instant <= self.clock.now:
            due()
        else:
            self.clock.schedule(instant, due)


@lru_cache(maxsize=4)
def _pseudorandom(name: str, bit_rate: float, edge_s: float) -> Shape:
    levels = shapes.bits(name)
    return shapes.stairs(levels, bit_rate / len(levels), edge_s)


@lru_cache(maxsize=4)
def _noise(seed: int) -> Shape:
    return shapes.noise(np.random.default_rng(seed))
