"""The QDAC-II's commands for sine, square and triangle, for the AWG and its traces."""

from simulators.instruments.path import Array
from simulators.instruments.qdac2.generator import FASTEST_V_PER_S, UPDATE_S
from simulators.instruments.qdac2.generators_scpi import GeneratorCommands, count_reply, cycles, each
from simulators.instruments.qdac2.waves import (
    PeriodicGenerator,
    SquareGenerator,
    TriangleGenerator,
    WaveGenerator,
)
from simulators.scpi import Block, Choice, Integer, Number, ScpiError, Text, command, query, quoted

_WAVES = ("sine", "triangle", "square", "awg")
_PERIODIC = ("sine", "triangle", "square")
_DUTY = ("triangle", "square")
_TRACE_MEMORY = 16_000_000
_SHORTEST_S, _LONGEST_S = 2.0 * UPDATE_S, 1e5


class WaveCommands(GeneratorCommands):
    """See the module."""

    traces: dict[str, Array]

    def _wave(self, channel: int, name: str) -> WaveGenerator:
        wave: WaveGenerator = getattr(self.channel(channel), name)
        return wave

    def _periodic(self, channel: int, name: str) -> PeriodicGenerator:
        wave: PeriodicGenerator = getattr(self.channel(channel), name)
        return wave

    def _with_duty(self, channel: int, name: str) -> TriangleGenerator | SquareGenerator:
        wave: TriangleGenerator | SquareGenerator = getattr(self.channel(channel), name)
        return wave

    @each(command, "COUNt", Integer(-1, 2**31, 1, infinity=True), of=_WAVES)
    def set_wave_count(self, channel: int, count: float, name: str) -> None:
        """How many periods are played; -1 for ever."""
        self._wave(channel, name).count = cycles(count)

    @each(query, "COUNt", of=_WAVES)
    def wave_count(self, channel: int, name: str) -> int:
        """How many periods are played."""
        return count_reply(self._wave(channel, name).count)

    @each(command, "OFFSet", Number("V", -10.0, 10.0, 0.0), of=_WAVES)
    def set_wave_offset(self, channel: int, volts: float, name: str) -> None:
        """What is added to the wave while it runs."""
        self._wave(channel, name).offset_V = volts

    @each(query, "OFFSet", of=_WAVES)
    def wave_offset(self, channel: int, name: str) -> float:
        """What is added to the wave while it runs."""
        return self._wave(channel, name).offset_V

    @each(command, "SLEW", Number("V/S", 0.01, None, FASTEST_V_PER_S, infinity=True), of=_WAVES)
    def set_wave_slew(self, channel: int, slew: float, name: str) -> None:
        """The limit of the wave's slew rate."""
        self._wave(channel, name).slew_V_per_s = min(slew, FASTEST_V_PER_S)

    @each(query, "SLEW", of=_WAVES)
    def wave_slew(self, channel: int, name: str) -> float:
        """The limit of the wave's slew rate."""
        return self._wave(channel, name).slew_V_per_s

    @each(command, "FREQuency", Number("HZ", 1.0 / _LONGEST_S, 1.0 / _SHORTEST_S, 1e3), of=_PERIODIC)
    def set_frequency(self, channel: int, hertz: float, name: str) -> None:
        """Periods a second."""
        self._periodic(channel, name).period_s = 1.0 / hertz

    @each(query, "FREQuency", of=_PERIODIC)
    def frequency(self, channel: int, name: str) -> float:
        """Periods a second."""
        return 1.0 / self._periodic(channel, name).period_s

    @each(command, "PERiod", Number("S", _SHORTEST_S, _LONGEST_S, 1e-3), of=_PERIODIC)
    def set_period(self, channel: int, seconds: float, name: str) -> None:
        """Length of a period."""
        self._periodic(channel, name).period_s = seconds

    @each(query, "PERiod", of=_PERIODIC)
    def period(self, channel: int, name: str) -> float:
        """Length of a period."""
        return self._periodic(channel, name).period_s

    @each(command, "SPAN", Number("V", 0.0, 20.0, 0.2), of=_PERIODIC)
    def set_span(self, channel: int, volts: float, name: str) -> None:
        """Peak to peak."""
        self._periodic(channel, name).span_V = volts

    @each(query, "SPAN", of=_PERIODIC)
    def span(self, channel: int, name: str) -> float:
        """Peak to peak."""
        return self._periodic(channel, name).span_V

    @each(command, "POLarity", Choice("NORMal", "INVerted"), of=_PERIODIC)
    def set_polarity(self, channel: int, polarity: str, name: str) -> None:
        """Upright or upside down."""
        self._periodic(channel, name).inverted = polarity == "INV"

    @each(query, "POLarity", of=_PERIODIC)
    def polarity(self, channel: int, name: str) -> str:
        """Upright or upside down."""
        return "inv" if self._periodic(channel, name).inverted else "norm"

    @each(command, "DCYCle", Number("", 0.0, 100.0, 50.0), of=_DUTY)
    def set_duty(self, channel: int, percent: float, name: str) -> None:
        """The high part of a square, the rising part of a triangle."""
        self._with_duty(channel, name).duty = percent / 100.0

    @each(query, "DCYCle", of=_DUTY)
    def duty(self, channel: int, name: str) -> float:
        """The high part of a square, the rising part of a triangle."""
        return 100.0 * self._with_duty(channel, name).duty

    @command("[SOURce#]:SQUare:TYPe", Choice("POSitive", "NEGative", "SYMMetric"))
    def set_square_kind(self, channel: int, kind: str) -> None:
        """Above, below or around the offset."""
        wave = self.channel(channel).square
        wave.kind = "POS" if kind == "POS" else "NEG" if kind == "NEG" else "SYMM"

    @query("[SOURce#]:SQUare:TYPe")
    def square_kind(self, channel: int) -> str:
        """Above, below or around the offset."""
        return self.channel(channel).square.kind.lower()

    # Arbitrary waves --------------------------------------------------------------------------------------

    @command("[SOURce#]:AWG:DEFine", Text(longest=32))
    def set_trace_of(self, channel: int, trace: str) -> None:
        """Which trace the AWG plays."""
        self._trace(trace)
        self.channel(channel).awg.trace = trace

    @query("[SOURce#]:AWG:DEFine")
    def trace_of(self, channel: int) -> str:
        """Which trace the AWG plays."""
        return quoted(self.channel(channel).awg.trace)

    @command("[SOURce#]:AWG:SCALe", Number("", -100.0, 100.0, 1.0))
    def set_scale(self, channel: int, scale: float) -> None:
        """What the trace's values are multiplied by."""
        self.channel(channel).awg.scale = scale

    @query("[SOURce#]:AWG:SCALe")
    def scale(self, channel: int) -> float:
        """What the trace's values are multiplied by."""
        return self.channel(channel).awg.scale

    def _trace(self, name: str) -> Array:
        if name not in self.traces:
            raise ScpiError(-224, f"there is no trace {name[:32]}")
        return self.traces[name]

    @command("TRACe:DEFine", Text(longest=32), Integer(1, _TRACE_MEMORY))
    def define_trace(self, name: str, size: int) -> None:
        """Reserve memory for a trace, of zeros."""
        taken = sum(len(values) for other, values in self.traces.items() if other != name)
        if taken + size > _TRACE_MEMORY:
            raise ScpiError(-225, f"{_TRACE_MEMORY - taken} values are free")
        self.traces[name] = Block("<f4").convert(bytes(4 * size), self, ())

    @command("TRACe:DATA", Text(longest=32), Block("<f4"))
    def fill_trace(self, name: str, values: Array) -> None:
        """Put values into a trace, as many as it was defined for."""
        if len(values) != len(self._trace(name)):
            raise ScpiError(-223, f"{len(values)} values for a trace of {len(self.traces[name])}")
        if not (abs(values) <= 10.0).all():
            raise ScpiError(-222, "a value is outside 10 V")
        self.traces[name] = values

    @query("TRACe:DATA", Text(longest=32))
    def trace(self, name: str) -> Array:
        """The values of a trace."""
        return self._trace(name)

    @query("TRACe:POINts", Text(longest=32))
    def trace_points(self, name: str) -> int:
        """How many values a trace has."""
        return len(self._trace(name))

    @query("TRACe:CATalog")
    def trace_names(self) -> str:
        """The names of all traces."""
        return ",".join(map(quoted, self.traces))

    @command("TRACe:REMove[:NAME]", Text(longest=32))
    def remove_trace(self, name: str) -> None:
        """Forget one trace."""
        self._trace(name)
        del self.traces[name]

    @command("TRACe:REMove:ALL")
    def remove_traces(self) -> None:
        """Forget all traces."""
        self.traces.clear()
