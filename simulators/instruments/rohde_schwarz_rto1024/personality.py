"""The RTO1024 as a whole: running and stopping, sampling, what is on the screen."""

import math
from collections import deque
from functools import partial

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array
from simulators.instruments.rohde_schwarz_rto1024.acquisition import Trace, Waiting
from simulators.instruments.rohde_schwarz_rto1024.edges import Search
from simulators.instruments.rohde_schwarz_rto1024.front_end import (
    BITS,
    FINE_BITS,
    LEVELS,
    WORD,
    FrontEnd,
)
from simulators.instruments.rohde_schwarz_rto1024.result_scpi import ResultCommands
from simulators.instruments.rohde_schwarz_rto1024.settings import (
    BANDWIDTH_HZ,
    CHANNELS,
    CONVERTER_HZ,
    MEASUREMENTS,
    ChannelSettings,
    Settings,
)
from simulators.instruments.terminals import Pulse, Terminals
from simulators.scpi import Boolean, Choice, command, query

_LINE_HZ = 50.0
_AUTO_S = 50e-3
_LOOK_BACK_S = 50e-3
_MOST_RUNNING_RECORDS = 16
_MOST_IN_INTERVAL = 16
_EDGES_KEPT = 8192
_WAITING, _MEASURING = 1 << 3, 1 << 4


class RohdeSchwarzRTO1024(ResultCommands):
    """An emulated Rohde & Schwarz RTO1024: four channels, 2 GHz, 10 GSa/s, 8 bits, high definition mode.

    Sockets: inputs "ch1" to "ch4" (50 ohm inputs load what feeds them), trigger input "ext". A running
    oscilloscope shows, whenever it is asked, the record at one of the latest triggers, or what is made of
    those of the last 50 ms (16 at the most). Samples are taken on a grid that the trigger does not know of;
    the header's times say where it lies. Above the converters' rate a record is finer and as exact.

    From memory, where the manual was not at hand: the wait of the automatic trigger, limits of offsets, the
    firmware's number, that termination characters inside a block are ignored, and what `settings` says of
    itself. Left out: other triggers than edges, mathematics, reference waveforms, history, masks, spectra,
    files and `AUToscale`.

    Args:
        rng: draws the gain and offset errors of the inputs, noise and the sample clock's phase.
        clock_error: how much too long a second of its clock is, as a fraction.
    """

    title = "Rohde & Schwarz RTO1024: oscilloscope, 2 GHz, 4 channels"
    stock_driver = "qcodes.instrument_drivers.rohde_schwarz.RohdeSchwarzRTO1000"
    ignores_termchar = True
    suffix_limits = {"CHAN": CHANNELS, "MEAS": MEASUREMENTS, "TRIG": 3, "LEV": 10, "PROB": CHANNELS}  # noqa: RUF012

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
    ) -> None:
        super().__init__(clock, identity=f"Rohde&Schwarz,RTO,1316.1000k24/{serial},3.70.1.0")
        self._rng, self._tick = rng, 1.0 + clock_error
        self.settings = Settings()
        self.inputs = [FrontEnd(channel, rng, noise) for channel in self.settings.channels]
        self._pulses: deque[tuple[float, str]] = deque(maxlen=_EDGES_KEPT)
        self._waiting: Waiting | None = None
        self._fresh()
        self.terminals = Terminals(
            inputs={f"ch{k + 1}": front.connect for k, front in enumerate(self.inputs)},
            input_loads={f"ch{k + 1}": front for k, front in enumerate(self.inputs)},
            trigger_inputs={"ext": self._feel},
            needs_since=self._needs_since,
        )

    def _fresh(self) -> None:
        self._continuous = True
        self._taken: dict[int, Array] = {}
        self._records = 0
        self._phase = 0.0
        self._starved = False
        self._overloads: set[int] = set()
        self._updates, self._lines = True, True
        self.shown: dict[int, Trace] = {}
        self.values: list[list[float]] = [[] for _ in range(MEASUREMENTS)]

    # Triggers ---------------------------------------------------------------------------------------------

    @property
    def _limit_Hz(self) -> float:
        acquire = self.settings.acquire
        return acquire.fine_Hz if acquire.fine else BANDWIDTH_HZ

    @property
    def _span_s(self) -> tuple[float, float]:
        """How much of a record comes before and after its trigger, in real seconds."""
        settings = self.settings
        length_s = (settings.points + 1) * settings.step_s
        return self._tick * max(-settings.first_s, 0.0), self._tick * max(settings.first_s + length_s, 0.0)

    def _needs_since(self) -> float:
        if self._waiting is not None and not self._waiting.over:
            return self._waiting.needs_since
        if not self._continuous:
            return math.inf
        before_s, after_s = self._span_s
        return self.clock.now - before_s - after_s - _LOOK_BACK_S

    def _feel(self, pulse: Pulse) -> None:
        self._pulses.extend(((pulse.rise_s, "POS"), (pulse.fall_s, "NEG")))

    def find(self, start_s: float, stop_s: float) -> float | None:
        """The first trigger between two instants."""
        trigger = self.settings.trigger
        if trigger.mode == "FRE" or stop_s < start_s:
            return None
        if trigger.source == "EXT":
            fitting = (at_s for at_s, slope in self._pulses if trigger.slope in (slope, "EITH"))
            return min((at_s for at_s in fitting if start_s <= at_s <= stop_s), default=None)
        if trigger.source == "LINE":
            next_s = math.ceil(start_s * _LINE_HZ) / _LINE_HZ
            return next_s if next_s <= stop_s else None
        front = self.inputs[trigger.number - 1]
        search = Search(
            partial(front.at, limit_Hz=self._limit_Hz),
            front.means,
            trigger.levels_V.get(trigger.number, 0.0),
            trigger.slope,
            0.25 / front.bandwidth_Hz(self._limit_Hz),
        )
        return search.first(start_s, stop_s)

    def force_trigger(self) -> None:
        """See `SweepCommands.force`."""
        if self._waiting is not None:
            self._waiting.force(self.clock.now)

    # Sampling ---------------------------------------------------------------------------------------------

    def _sample(self, front: FrontEnd, times_s: Array, step_s: float) -> Array:
        """Codes (values, points) of one channel at real instants."""
        fine = self.settings.acquire.fine
        bits = FINE_BITS if fine else BITS
        inside = min(int(step_s * CONVERTER_HZ), _MOST_IN_INTERVAL)
        kind = front.settings.decimation
        if kind == "SAMP" or inside < 2:
            codes = front.codes(front.at(times_s, self._limit_Hz), self._limit_Hz, bits)[None, :]
            return np.repeat(codes, 2, axis=0) if kind == "PDET" else codes
        if kind == "HRES":
            volts = front.means(times_s, times_s + step_s)
            return front.codes(volts, min(self._limit_Hz, 0.5 / step_s), FINE_BITS)[None, :]
        instants_s = (times_s[:, None] + np.arange(inside) * (step_s / inside)).ravel()
        each = front.codes(front.at(instants_s, self._limit_Hz), self._limit_Hz, bits).reshape(-1, inside)
        if kind == "PDET":
            return np.stack((each.min(axis=1), each.max(axis=1)))
        settings = front.settings
        shift = settings.middle_V / (settings.range_V / (LEVELS * WORD))
        return np.sqrt(np.mean((each + shift) ** 2, axis=1))[None, :] - shift

    def _take(self, trigger_s: float) -> None:
        """Sample the record at one trigger and add it to those that belong together."""
        settings = self.settings
        if not self._taken:
            self._phase, self._records = float(self._rng.uniform(0.0, 1.0)), 0
        step_s = self._tick * settings.step_s
        first_s = trigger_s + self._tick * settings.first_s + self._phase * step_s
        times_s = first_s + step_s * np.arange(float(settings.points))
        for number, front in enumerate(self.inputs, 1):
            if front.settings.on:
                codes = self._sample(front, times_s, step_s)
                if np.max(np.abs(codes)) >= (LEVELS // 2 + 1) * WORD:
                    self._overloads.add(number)
                self._taken[number] = _joined(front.settings, self._taken.get(number), codes)
        self._records += 1
        self._put_on_screen()
        self.evaluate()

    def _put_on_screen(self) -> None:
        settings = self.settings
        self.shown = {}
        for number, codes in self._taken.items():
            channel = settings.channels[number - 1]
            mean = np.round(codes / self._records) if channel.arithmetic == "AVER" else codes
            self.shown[number] = Trace(
                mean,
                channel.range_V / (LEVELS * WORD),
                channel.middle_V,
                settings.first_s + self._phase * settings.step_s,
                settings.step_s,
            )

    def traces(self) -> dict[int, Trace]:
        """See `ResultCommands.traces`."""
        if self._continuous:
            self._look_back()
        return self.shown

    @property
    def _several(self) -> bool:
        return any(channel.arithmetic != "OFF" for channel in self.settings.channels)

    def _look_back(self) -> None:
        """The records that a running oscilloscope has taken of late."""
        before_s, after_s = self._span_s
        latest_s = self.clock.now - after_s
        from_s = max(before_s, latest_s - _LOOK_BACK_S)
        if latest_s < from_s:
            return
        wanted = min(self.settings.acquire.count, _MOST_RUNNING_RECORDS) if self._several else 1
        self._taken = {}
        found_s = self.find(from_s, latest_s)
        self._starved = found_s is None and self.settings.trigger.mode == "NORM"
        if found_s is None and not self._starved:
            self._take(latest_s)
        taken = 0
        while found_s is not None and taken < wanted:
            self._take(found_s)
            taken += 1
            found_s = self.find(found_s + before_s + after_s, latest_s)

    # Running ----------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """See `InputCommands.changed`."""
        self._taken = {}
        if self._waiting is not None and not self._waiting.over:
            self.single()

    @command("RUN")
    @command("RUNContinous")
    def run(self) -> None:
        """Acquire again and again."""
        self._end()
        self._continuous = True

    @command("SINGle")
    @command("RUNSingle")
    def single(self) -> None:
        """Acquire as many records as ACQuire:COUNt says, then stop."""
        self._end()
        before_s, after_s = self._span_s
        auto_s = {"AUTO": _AUTO_S, "FRE": 0.0}.get(self.settings.trigger.mode, math.inf)
        self._taken, self._records = {}, 0
        self._waiting = Waiting(
            self.clock, before_s, after_s, auto_s, self.find, self._take, self.settings.acquire.count
        )
        self._waiting.arm()

    @command("STOP")
    def stop(self) -> None:
        """Stop; what is on the screen stays."""
        self.traces()
        self._end()

    def _end(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
        self._continuous = False

    @query("ACQuire:CURRent")
    def completed(self) -> int:
        """How many records of a single acquisition, or of an average, there are."""
        self.traces()
        return self._records

    @query("STATus:OPERation:CONDition")
    def operation_condition(self) -> int:
        """Bit 3 while a trigger is awaited, bit 4 while it acquires."""
        self.traces()
        waiting = self._waiting is not None and not self._waiting.over
        starved = waiting and self._waiting is not None and self._waiting.trigger_s is None
        self.status.operation.raise_bit(_WAITING, starved or (self._continuous and self._starved))
        self.status.operation.raise_bit(_MEASURING, waiting or self._continuous)
        return self.status.operation.condition

    def overloaded(self, channel: int) -> bool:
        """See `InputCommands.overloaded`."""
        self.traces()
        return channel in self._overloads

    def forgive(self, channel: int) -> None:
        """See `InputCommands.forgive`."""
        self._overloads.discard(channel)

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST: the default setup, running."""
        self._end()
        self.settings = Settings()
        for front, channel in zip(self.inputs, self.settings.channels, strict=True):
            front.settings = channel
        self._fresh()

    def options(self) -> str:
        """*OPT?: the high definition mode."""
        return "K17"

    def operation_complete_at(self) -> float:
        """When a single acquisition is over."""
        return -math.inf if self._waiting is None or self._waiting.over else self._waiting.over_at_s

    def on_trigger(self) -> None:
        """*TRG: as TRIGger:FORCe."""
        self.force_trigger()

    def on_clear(self) -> None:
        """A device clear ends a single acquisition under way."""
        if self._waiting is not None and not self._waiting.over:
            self._end()

    def format_real(self, value: float) -> str:
        """Thirteen digits; 9.91E37 for what cannot be measured."""
        return f"{value:.12E}" if math.isfinite(value) else "9.91E+37"

    # The rest ---------------------------------------------------------------------------------------------

    @command("SYSTem:DISPlay:UPDate", Boolean())
    def set_updates(self, on: bool) -> None:
        """Whether the screen is drawn while it is controlled remotely."""
        self._updates = on

    @query("SYSTem:DISPlay:UPDate")
    def updates(self) -> bool:
        """Whether the screen is drawn while it is controlled remotely."""
        return self._updates

    @command("DISPlay:TRIGger:LINes", Boolean())
    def set_lines(self, on: bool) -> None:
        """Lines at the trigger levels."""
        self._lines = on

    @query("DISPlay:TRIGger:LINes")
    def lines(self) -> bool:
        """Lines at the trigger levels."""
        return self._lines

    @query("DIAGnostic:SERVice:WFAModel")
    def model(self) -> str:
        """The model's name."""
        return "RTO1024"

    @command("SYSTem:PRESet")
    def preset(self) -> None:
        """As *RST, for what is emulated here."""
        self.reset()

    @command("SYSTem:EXIT")
    def exit(self) -> None:
        """The software ends on the real one; here nothing can be left behind, and it only stops."""
        self._end()

    @command("SYSTem:LANGuage", Choice("SCPI"))
    def set_language(self, name: str) -> None:
        """The command language."""


def _joined(channel: ChannelSettings, before: Array | None, codes: Array) -> Array:
    """What records before and the newest one make together."""
    if channel.arithmetic == "ENV":
        low, high = codes.min(axis=0), codes.max(axis=0)
        if before is not None:
            low, high = np.minimum(low, before[0]), np.maximum(high, before[-1])
        return np.stack((low, high))
    if channel.arithmetic == "AVER" and before is not None:
        return before + codes
    return codes
