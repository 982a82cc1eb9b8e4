"""The PM100D as a whole: measuring, zeroing, what it says about itself."""

import math
import zlib

import numpy as np

from simulators.clock import VirtualClock
from simulators.instrument import Example
from simulators.instruments.given import Given
from simulators.instruments.terminals import Dark, Light, Terminals
from simulators.instruments.thorlabs_pm100d.sense_scpi import SenseCommands
from simulators.instruments.thorlabs_pm100d.sensor import HEADS, SAMPLE_S, Photodiode, range_for
from simulators.instruments.thorlabs_pm100d.settings import Settings
from simulators.scpi import Boolean, Integer, Later, Number, ScpiError, command, query, quoted

_ZEROING, _MEASURING, _DATA = 1 << 0, 1 << 4, 1 << 9
_OVERLOADED = 1 << 3 | 1 << 1
"""Power and current are questionable."""
_ZEROING_S = 5.0
_BRIGHT_A = 0.5e-6
"""More than this is no darkness to zero in."""
_LOOK_S = 1e-3
_POWER_SENSOR, _WAVELENGTH_SETTABLE, _TEMPERATURE = 0x01, 0x20, 0x100
_FUNCTIONS = ("POW", "CURR", "PDEN", "FREQ")


class ThorlabsPm100d(SenseCommands):
    """An emulated Thorlabs PM100D with a photodiode head.

    Sockets: light input "input". A reading averages over the samples set, of 3 ms each, from its start on,
    and beyond 105 % of the range is 9.9E37, with the power bit of the questionable register set. `MEAS:POW`
    without a question mark configures and starts, as the stock driver relies on. Steady light has no
    frequency: it reads 0 Hz. What the head does not measure is -221.

    Args:
        rng: draws the error of the calibration, the input's offset and the noise of readings.
        clock_error: how much too long a second of its clock is, as a fraction.
        sensor: the head, S150C (silicon), S154C or S155C (InGaAs, fibre).
    """

    title = "Thorlabs PM100D: optical power meter with a photodiode head"
    stock_driver = "qcodes_contrib_drivers.drivers.Thorlabs.PM100D.Thorlab_PM100D"
    example = Example(address="USB0::0x1313::0x8078::P0000001::INSTR")
    signed_error_codes = True

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        sensor: str = "S155C",
    ) -> None:
        if sensor not in HEADS:
            raise ValueError(f"sensor: {sensor!r} is not emulated; there are {', '.join(HEADS)}")
        super().__init__(clock, identity=f"Thorlabs,PM100D,{serial},2.5.0")
        self._sensor, self._sensor_serial = sensor, zlib.crc32(serial.encode()) % 10**8
        self.diode = Photodiode(HEADS[sensor], rng, noise)
        self.settings = Settings(HEADS[sensor].default_m)
        self._tick = 1.0 + clock_error
        self._light: Light = Dark()
        self._zero_A = 0.0
        self._last: float | None = None
        self._ready_s, self._since_s, self._zero_until_s = -math.inf, math.inf, -math.inf
        self._reading_run = self._zero_run = 0
        self._brightness, self._contrast, self._beeps, self._mains_Hz = 1.0, 0.5, True, 50
        self._date, self._time = (2026, 1, 1), (0, 0, 0)
        self.terminals = Terminals(light_inputs={"input": self._connect}, needs_since=lambda: self._since_s)

    def _connect(self, light: Light) -> None:
        self._light = light

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST: the zero that was measured stays."""
        self.abort()
        self.abort_zero()
        self.settings = Settings(self.diode.head.default_m)
        self._last = None

    def operation_complete_at(self) -> float:
        """When the reading or the zeroing under way is over."""
        return max(self._ready_s, self._zero_until_s)

    def on_clear(self) -> None:
        """A device clear ends the reading."""
        self.abort()

    # Measuring --------------------------------------------------------------------------------------------

    def _current(self, start_s: float, stop_s: float, samples: int) -> float:
        """The diode's current less zero; with autorange, on the smallest range that holds it."""
        settings = self.settings
        current_A = self.diode.mean_current(self._light, start_s, stop_s, settings.low_bandwidth)
        if settings.autorange:
            settings.span_A = range_for(current_A)
        return self.diode.digitise(current_A, settings.span_A, samples, settings.low_bandwidth) - self._zero_A

    def _start(self) -> None:
        """Begin a reading; its value is made when it is over."""
        if self.clock.now < self._zero_until_s:
            raise ScpiError(-221, "zeroing is under way")
        self._reading_run += 1
        run, samples, function = self._reading_run, self.settings.samples, self.settings.function
        start_s = self._since_s = self.clock.now
        self._ready_s = start_s + samples * SAMPLE_S * self._tick
        self._last = None
        self.status.operation.raise_bit(_DATA, False)
        self.status.operation.raise_bit(_MEASURING)

        def over() -> None:
            if run == self._reading_run:
                self._since_s = math.inf
                self.status.operation.raise_bit(_MEASURING, False)
                current_A = self._current(start_s, self.clock.now, samples)
                self.status.questionable.raise_bit(_OVERLOADED, math.isinf(current_A))
                self._last = self._converted(function, current_A)
                self.status.operation.raise_bit(_DATA)

        self.clock.schedule(self._ready_s, over)

    def _converted(self, function: str, current_A: float) -> float:
        settings = self.settings
        if function == "FREQ":
            return 0.0
        if function == "CURR":
            return current_A - settings.current.value * settings.current.on
        watts = current_A / self.responsivity * settings.loss
        if function == "PDEN":
            return watts / settings.beam_cm2
        if not settings.decibel:
            return watts - settings.power.value * settings.power.on
        against_W = settings.power.value if settings.power.on else 1e-3
        return 10.0 * math.log10(watts / against_W) if watts > 0.0 and against_W > 0.0 else math.nan

    @command("INITiate[:IMMediate]")
    def initiate(self) -> None:
        """Start a reading, in place of one under way."""
        self._start()

    @command("ABORt")
    def abort(self) -> None:
        """End the reading under way."""
        self._reading_run += 1
        self._since_s, self._ready_s = math.inf, min(self._ready_s, self.clock.now)
        self.status.operation.raise_bit(_MEASURING, False)

    @query("FETCh")
    def fetch(self) -> Later:
        """The last reading, once it is over."""
        if self._last is None and self._ready_s <= self.clock.now:
            raise ScpiError(-230)
        return Later(lambda: self._ready_s, self._fetched)

    def _fetched(self) -> float:
        if self._last is None:
            raise ScpiError(-230)
        return self._last

    @query("READ")
    def read_now(self) -> Later:
        """Start a reading and give it."""
        self._start()
        return self.fetch()

    def _configure(self, function: str) -> None:
        if function not in _FUNCTIONS:
            raise ScpiError(-221, f"{self._sensor} does not measure that")
        self.abort()
        self.settings.function = function

    @query("CONFigure")
    def configured(self) -> str:
        """What is measured."""
        return self.settings.function

    # What a head can measure, and what only other heads can ------------------------------------------------

    @command("CONFigure[:SCALar][:POWer]", Given("POW"))
    @command("CONFigure[:SCALar]:CURRent[:DC]", Given("CURR"))
    @command("CONFigure[:SCALar]:PDENsity", Given("PDEN"))
    @command("CONFigure[:SCALar]:FREQuency", Given("FREQ"))
    @command("CONFigure[:SCALar]:VOLTage[:DC]", Given("VOLT"))
    @command("CONFigure[:SCALar]:ENERgy", Given("ENER"))
    @command("CONFigure[:SCALar]:EDENsity", Given("EDEN"))
    @command("CONFigure[:SCALar]:RESistance", Given("RES"))
    @command("CONFigure[:SCALar]:TEMPerature", Given("TEMP"))
    def configure(self, function: str) -> None:
        """What to measure from now on."""
        self._configure(function)

    @command("MEASure[:SCALar][:POWer]", Given("POW"))
    @command("MEASure[:SCALar]:CURRent[:DC]", Given("CURR"))
    @command("MEASure[:SCALar]:PDENsity", Given("PDEN"))
    @command("MEASure[:SCALar]:FREQuency", Given("FREQ"))
    def start(self, function: str) -> None:
        """Measure something once, for FETCh?."""
        self._configure(function)
        self._start()

    @query("MEASure[:SCALar][:POWer]", Given("POW"))
    @query("MEASure[:SCALar]:CURRent[:DC]", Given("CURR"))
    @query("MEASure[:SCALar]:PDENsity", Given("PDEN"))
    @query("MEASure[:SCALar]:FREQuency", Given("FREQ"))
    @query("MEASure[:SCALar]:VOLTage[:DC]", Given("VOLT"))
    @query("MEASure[:SCALar]:ENERgy", Given("ENER"))
    @query("MEASure[:SCALar]:EDENsity", Given("EDEN"))
    @query("MEASure[:SCALar]:RESistance", Given("RES"))
    @query("MEASure[:SCALar]:TEMPerature", Given("TEMP"))
    def measure(self, function: str) -> Later:
        """Measure something once and give it."""
        self._configure(function)
        return self.read_now()

    # Zero -------------------------------------------------------------------------------------------------

    @command("[SENSe]:CORRection:COLLect:ZERO[:INITiate]")
    def zero(self) -> None:
        """Measure what the head gives in the dark, on the smallest range; light makes it fail with -340."""
        self.abort()
        self._zero_run += 1
        run = self._zero_run
        self._zero_until_s = self.clock.now + _ZEROING_S * self._tick
        self.status.operation.raise_bit(_ZEROING)

        def over() -> None:
            if run != self._zero_run:
                return
            self.status.operation.raise_bit(_ZEROING, False)
            stop_s = self.clock.now
            dark_A = self.diode.mean_current(self._light, stop_s - _LOOK_S, stop_s, False)
            if dark_A > _BRIGHT_A:
                self.report(ScpiError(-340, "too much light to zero"))
                return
            samples = round(_ZEROING_S / SAMPLE_S)
            self._zero_A = self.diode.digitise(dark_A, range_for(dark_A), samples, True)

        self.clock.schedule(self._zero_until_s, over)

    @command("[SENSe]:CORRection:COLLect:ZERO:ABORt")
    def abort_zero(self) -> None:
        """Give up zeroing; the old zero stays."""
        if self.clock.now < self._zero_until_s:
            self._zero_run += 1
            self._zero_until_s = self.clock.now
            self.status.operation.raise_bit(_ZEROING, False)

    @query("[SENSe]:CORRection:COLLect:ZERO:STATe")
    def zeroing(self) -> bool:
        """Whether zeroing is under way."""
        return self.clock.now < self._zero_until_s

    @query("[SENSe]:CORRection:COLLect:ZERO:MAGNitude")
    def zero_magnitude(self) -> float:
        """The zero that is taken off, in W at the present wavelength."""
        return self._zero_A / self.responsivity * self.settings.loss

    # About itself -----------------------------------------------------------------------------------------

    @query("SYSTem:SENSor:IDN")
    def sensor_identity(self) -> str:
        """The head: name, serial number, calibration, kind, and what it can do as flags."""
        flags = _POWER_SENSOR | _WAVELENGTH_SETTABLE | _TEMPERATURE
        return f"{self._sensor},{self._sensor_serial:08d},01-JUL-2026,1,2,{flags}"

    @query("CALibration:STRing")
    def calibration(self) -> str:
        """When the meter was calibrated."""
        return quoted("Calibrated 01-JUL-2026")

    @command("SYSTem:LFRequency", Integer(50, 60, 50))
    def set_line_frequency(self, hertz: int) -> None:
        """Mains frequency."""
        if hertz not in (50, 60):
            raise ScpiError(-224, "50 or 60")
        self._mains_Hz = hertz

    @query("SYSTem:LFRequency")
    def line_frequency(self) -> int:
        """Mains frequency."""
        return self._mains_Hz

    @command("SYSTem:BEEPer[:IMMediate]")
    def beep(self) -> None:
        """A beep that nobody hears."""

    @command("SYSTem:BEEPer:STATe", Boolean())
    def set_beeps(self, on: bool) -> None:
        """Whether it beeps."""
        self._beeps = on

    @query("SYSTem:BEEPer:STATe")
    def beeps(self) -> bool:
        """Whether it beeps."""
        return self._beeps

    @command("SYSTem:DATE", Integer(2000, 2099), Integer(1, 12), Integer(1, 31))
    def set_date(self, year: int, month: int, day: int) -> None:
        """The calendar, which stands still."""
        self._date = (year, month, day)

    @query("SYSTem:DATE")
    def date(self) -> list[int]:
        """Year, month, day."""
        return list(self._date)

    @command("SYSTem:TIME", Integer(0, 23), Integer(0, 59), Integer(0, 59))
    def set_time(self, hour: int, minute: int, second: int) -> None:
        """The time of day, which stands still."""
        self._time = (hour, minute, second)

    @query("SYSTem:TIME")
    def time(self) -> list[int]:
        """Hour, minute, second."""
        return list(self._time)

    @command("DISPlay:BRIGhtness", Number("", 0.0, 1.0, 1.0))
    def set_brightness(self, share: float) -> None:
        """The display."""
        self._brightness = share

    @query("DISPlay:BRIGhtness")
    def brightness(self) -> float:
        """The display."""
        return self._brightness

    @command("DISPlay:CONTrast", Number("", 0.0, 1.0, 0.5))
    def set_contrast(self, share: float) -> None:
        """The display."""
        self._contrast = share

    @query("DISPlay:CONTrast")
    def contrast(self) -> float:
        """The display."""
        return self._contrast
