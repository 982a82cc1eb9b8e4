"""The QDAC-II as a whole: 24 channels, its triggers, what is common to all."""

import zlib

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Array
from simulators.instruments.qdac2.channel import OutputChannel, OutputRecord
from simulators.instruments.qdac2.generators_scpi import TRIGGER_SOURCE, check_line
from simulators.instruments.qdac2.sense_scpi import SenseCommands
from simulators.instruments.qdac2.sensor import CurrentSensor
from simulators.instruments.qdac2.source_scpi import SourceCommands
from simulators.instruments.qdac2.triggers import (
    INPUTS,
    INTERNAL_LINES,
    OUTPUTS,
    ExternalOutput,
    TriggerLines,
)
from simulators.instruments.qdac2.waves_scpi import WaveCommands
from simulators.instruments.terminals import Pulse, Terminals
from simulators.scpi import Choice, Integer, Number, ScpiError, command, query, quoted

CHANNELS = 24
_GAIN_ERROR = 2e-5
_OFFSET_ERROR_V = 20e-6
_NOISE_V = 2e-6


class QDac2(SourceCommands, WaveCommands, SenseCommands):
    """An emulated QDevil QDAC-II.

    Sockets: sources "1" to "24", trigger outputs "trigger1" to "trigger5", trigger inputs "ext1" to "ext4".
    What the manual leaves open is decided as follows: `*OPC?` answers when ramps and runs are over, and a
    change of mode moves no output.

    Args:
        rng: draws each channel's gain and offset error, and the noise of the sensors.
        clock_error: how much too long a second of its clock is, as a fraction.
    """

    title = "QDevil QDAC-II: 24 voltage sources with current sensors"
    stock_driver = "qcodes_contrib_drivers.drivers.QDevil.QDAC2.QDac2"
    channel_lists = True
    suffix_limits = {"SOUR": CHANNELS, "SENS": CHANNELS, "READ": CHANNELS, "FETC": CHANNELS, "TRIG": OUTPUTS}  # noqa: RUF012
    interrupts = False

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
    ) -> None:
        super().__init__(clock, identity=f"QDevil, QDAC-II, {serial}, 13-1.57")
        self.lines = TriggerLines()
        self.traces: dict[str, Array] = {}
        gains = _GAIN_ERROR * rng.normal(size=CHANNELS)
        offsets_V = _OFFSET_ERROR_V * rng.normal(size=CHANNELS)
        self.channels = [
            OutputChannel(
                k + 1,
                clock,
                self.lines,
                self.traces,
                gain_error=float(gains[k]),
                offset_error_V=float(offsets_V[k]),
                noise_V=noise * _NOISE_V,
                tick=1.0 + clock_error,
            )
            for k in range(CHANNELS)
        ]
        self.sensors = [CurrentSensor(channel, clock, self.lines, rng, noise) for channel in self.channels]
        self.outputs = [ExternalOutput(clock) for _ in range(OUTPUTS)]
        for output in self.outputs:
            self.lines.listen(output.hear)
        self._clock_source = "INT"
        self._clock_sent = False
        self._mac = f"049162C{zlib.crc32(serial.encode()) & 0xFFFFF:05X}"
        self.terminals = self._sockets()

    def _sockets(self) -> Terminals:
        sockets = Terminals(
            sources={str(channel.number): channel for channel in self.channels},
            trigger_outputs={f"trigger{k + 1}": output.socket for k, output in enumerate(self.outputs)},
            trigger_inputs={f"ext{k + 1}": _Edge(self.lines, f"EXT{k + 1}") for k in range(INPUTS)},
        )
        for channel in self.channels:
            sockets.loads[str(channel.number)] = channel.loads.add
            sockets.keepers.append(channel.keep_for)
            sockets.shown[str(channel.number)] = channel.distort
        return sockets

    def channel(self, number: int) -> OutputChannel:
        """One output, from 1."""
        return self.channels[number - 1]

    def sensor(self, number: int) -> CurrentSensor:
        """One channel's current sensor, from 1."""
        return self.sensors[number - 1]

    def record(self, number: int) -> OutputRecord:
        """The extremes that one output, from 1, was ever driven to."""
        return self.channel(number).record

    def reset(self) -> None:
        """*RST: outputs go to 0 V as fast as they can, traces and settings are lost."""
        for channel, sensor in zip(self.channels, self.sensors, strict=True):
            channel.reset()
            sensor.reset()
        for output in self.outputs:
            output.source, output.width_s, output.delay_s, output.inverted = "HOLD", 10e-6, 0.0, False
        self.traces.clear()

    def operation_complete_at(self) -> float:
        """When the last ramp and the last run that ends are over."""
        return max(generator.busy_until_s for channel in self.channels for generator in channel.generators)

    def on_trigger(self) -> None:
        """*TRG: whatever waits for the bus starts."""
        self.lines.fire("BUS")

    def format_real(self, value: float) -> str:
        """Nine digits, without a sign for positive numbers."""
        return f"{value:.9g}"

    @command("ABORt")
    def abort_all(self) -> None:
        """Stop everything where it is."""
        for channel, sensor in zip(self.channels, self.sensors, strict=True):
            channel.abort()
            sensor.abort()

    @command("TINTernal", Integer(1, INTERNAL_LINES))
    def fire_internal(self, line: int) -> None:
        """Fire an internal trigger."""
        self.lines.fire(f"INT{line}")

    # Trigger outputs --------------------------------------------------------------------------------------

    def _trigger_output(self, number: int) -> ExternalOutput:
        return self.outputs[number - 1]

    @command("OUTPut:TRIGger#:SOURce", TRIGGER_SOURCE)
    def set_output_source(self, number: int, source: str) -> None:
        """Which line a trigger output repeats."""
        if source == "IMM":
            raise ScpiError(-224, "an output repeats bus, int#, ext# or hold")
        self._trigger_output(number).source = check_line(source)

    @query("OUTPut:TRIGger#:SOURce")
    def output_source(self, number: int) -> str:
        """Which line a trigger output repeats."""
        return self._trigger_output(number).source.lower()

    @command("OUTPut:TRIGger#:WIDTh", Number("S", 1e-6, 1e4, 10e-6))
    def set_output_width(self, number: int, seconds: float) -> None:
        """Length of the pulse."""
        self._trigger_output(number).width_s = seconds

    @query("OUTPut:TRIGger#:WIDTh")
    def output_width(self, number: int) -> float:
        """Length of the pulse."""
        return self._trigger_output(number).width_s

    @command("OUTPut:TRIGger#:DELay", Number("S", 0.0, 3600.0, 0.0))
    def set_output_delay(self, number: int, seconds: float) -> None:
        """Time from the line's trigger to the pulse."""
        self._trigger_output(number).delay_s = seconds

    @query("OUTPut:TRIGger#:DELay")
    def output_delay(self, number: int) -> float:
        """Time from the line's trigger to the pulse."""
        return self._trigger_output(number).delay_s

    @command("OUTPut:TRIGger#:POLarity", Choice("NORMal", "INVerted"))
    def set_output_polarity(self, number: int, polarity: str) -> None:
        """Whether the pulse goes up or down."""
        self._trigger_output(number).inverted = polarity == "INV"

    @query("OUTPut:TRIGger#:POLarity")
    def output_polarity(self, number: int) -> str:
        """Whether the pulse goes up or down."""
        return "inv" if self._trigger_output(number).inverted else "norm"

    @command("OUTPut:TRIGger#:SIGNal")
    def signal_output(self, number: int) -> None:
        """Send a pulse now."""
        self._trigger_output(number).signal()

    # The clock that several instruments can share, and the network ----------------------------------------

    @command("SYSTem:CLOCk:SOURce", Choice("INTernal", "EXTernal"))
    def set_clock_source(self, source: str) -> None:
        """Whose clock is used; alone on a bench it makes no difference."""
        self._clock_source = source

    @query("SYSTem:CLOCk:SOURce")
    def clock_source(self) -> str:
        """Whose clock is used."""
        return self._clock_source.lower()

    @command("SYSTem:CLOCk:SEND", Choice("ON", "OFF"))
    def set_clock_sent(self, state: str) -> None:
        """Whether the clock is given to others."""
        self._clock_sent = state == "ON"

    @query("SYSTem:CLOCk:SEND")
    def clock_sent(self) -> bool:
        """Whether the clock is given to others."""
        return self._clock_sent

    @command("SYSTem:CLOCk:SYNC")
    def synchronize(self) -> None:
        """Start counting anew; nothing here depends on the count."""

    @command("OUTPut:SYNC:SIGNal")
    def signal_sync(self) -> None:
        """Send a pulse down the synchronisation cable, to which nothing is connected."""

    @query("SYSTem:COMMunicate:LAN:MAC")
    def mac(self) -> str:
        """The network card's address."""
        return quoted(self._mac)


class _Edge:
    """A trigger input: fires its line on a rising edge."""

    def __init__(self, lines: TriggerLines, line: str) -> None:
        self._lines, self._line = lines, line

    def __call__(self, pulse: Pulse) -> None:
        self._lines.fire(self._line)
