"""The TSL-570's commands for wavelength and power."""

import math

import numpy as np

from simulators.instruments.santec_tsl570.light import PEAK_W, SPEED_OF_LIGHT, LaserLight
from simulators.instruments.santec_tsl570.numbers import LEAST_DBM, MOST_DBM, Level, Numbers, Scaled
from simulators.instruments.santec_tsl570.sweep import Sweep
from simulators.scpi import Boolean, Choice, Integer, Number, Optional, command, query

LIMIT = Optional(Choice("MINimum", "MAXimum"))
WAVELENGTH = Scaled(
    "M",
    1e-9,
    1e-13,
    lambda instrument: instrument.light.shortest_m - 1e-14,
    lambda instrument: instrument.light.longest_m + 1e-14,
)
FREQUENCY = Scaled(
    "HZ",
    1e12,
    1e7,
    lambda instrument: SPEED_OF_LIGHT / instrument.light.longest_m - 1e7,
    lambda instrument: SPEED_OF_LIGHT / instrument.light.shortest_m + 1e7,
)
_OFFSET = Scaled("M", 1e-9, 1e-13, -1.0001e-10, 1.0001e-10)
_MONITOR_S = 10e-3


class OutputCommands(Numbers):
    """See the module."""

    light: LaserLight
    sweep: Sweep
    wavelength_m: float
    level_W: float
    attenuation_dB: float
    automatic: bool
    emitting: bool
    coherence: bool
    modulated: bool
    modulation: int
    in_terahertz: bool

    def _apply_power(self) -> None:
        """Let the light follow the settings of level, attenuator and shutter."""
        self.light.set_level(self.level_W if self.automatic else PEAK_W)
        attenuation_dB = 0.0 if self.automatic else self.attenuation_dB
        self.light.set_gate(10.0 ** (-0.1 * attenuation_dB) if self.emitting else 0.0)

    def inside(self, wavelength_m: float) -> float:
        """The nearest wavelength of the tuning range; limits that were asked for come back rounded."""
        return min(max(wavelength_m, self.light.shortest_m), self.light.longest_m)

    # Wavelength -------------------------------------------------------------------------------------------

    @command("[SOURce]:WAVelength", WAVELENGTH)
    def set_wavelength(self, metres: float) -> None:
        """Tune; a sweep under way stops."""
        self.sweep.stop()
        self.wavelength_m = self.inside(metres)
        self.light.tune(self.wavelength_m)

    @query("[SOURce]:WAVelength", LIMIT)
    def wavelength(self, limit: str | None) -> str:
        """The wavelength set, or an end of the range."""
        ends = {"MIN": self.light.shortest_m, "MAX": self.light.longest_m}
        return self.length(self.wavelength_m if limit is None else ends[limit])

    @command("[SOURce][:WAVelength]:FREQuency", FREQUENCY)
    def set_frequency(self, hertz: float) -> None:
        """Tune to an optical frequency."""
        self.set_wavelength(SPEED_OF_LIGHT / hertz)

    @query("[SOURce][:WAVelength]:FREQuency", LIMIT)
    def optical_frequency(self, limit: str | None) -> str:
        """The optical frequency set, or an end of the range."""
        ends = {"MIN": self.light.longest_m, "MAX": self.light.shortest_m}
        return self.frequency(SPEED_OF_LIGHT / (self.wavelength_m if limit is None else ends[limit]))

    @command("[SOURce]:WAVelength:UNIT", Integer(0, 1))
    def set_wavelength_unit(self, unit: int) -> None:
        """The display's unit: 0 for nm, 1 for THz."""
        self.in_terahertz = unit == 1

    @query("[SOURce]:WAVelength:UNIT")
    def wavelength_unit(self) -> str:
        """The display's unit."""
        return self.whole(self.in_terahertz)

    @command("[SOURce]:WAVelength:FINe", Number("", -100.0, 100.0, 0.0))
    def set_fine(self, value: float) -> None:
        """Fine tuning, in units of its own."""
        self.light.fine = round(value, 2)

    @query("[SOURce]:WAVelength:FINe")
    def fine(self) -> str:
        """Fine tuning."""
        return self.decimal(self.light.fine, 2)

    @command("[SOURce]:WAVelength:FINetuning:DISable")
    def end_fine(self) -> None:
        """No fine tuning."""
        self.light.fine = 0.0

    @command("[SOURce]:WAVelength:OFFSet", _OFFSET)
    def set_offset(self, metres: float) -> None:
        """Shift the wavelength by a constant."""
        self.light.offset_m = metres

    @query("[SOURce]:WAVelength:OFFSet")
    def offset(self) -> str:
        """The constant shift."""
        return self.length(self.light.offset_m)

    @command("[SOURce]:COHCtrl", Boolean())
    def set_coherence(self, on: bool) -> None:
        """Widen the line; the power stays."""
        self.coherence = on

    @query("[SOURce]:COHCtrl")
    def coherence_control(self) -> str:
        """Whether the line is widened."""
        return self.whole(self.coherence)

    # Power ------------------------------------------------------------------------------------------------

    @command("[SOURce]:POWer:STATe", Boolean())
    def set_emitting(self, on: bool) -> None:
        """Light or no light; the diode warms up for minutes after that."""
        if on != self.emitting:
            self.emitting = on
            self.light.warm(on)
            self._apply_power()

    @query("[SOURce]:POWer:STATe")
    def output_state(self) -> str:
        """Whether there is light."""
        return self.whole(self.emitting)

    @command("[SOURce]:POWer:SHUTter", Boolean())
    def set_shutter(self, closed: bool) -> None:
        """The same switch the other way round, as the manual has it: 1 closes the shutter."""
        self.set_emitting(not closed)

    @query("[SOURce]:POWer:SHUTter")
    def shutter(self) -> str:
        """1 when the shutter is closed."""
        return self.whole(not self.emitting)

    @command("[SOURce]:POWer[:LEVel]", Level())
    def set_level(self, watts: float) -> None:
        """The power wanted, in automatic mode."""
        self.level_W = watts
        self._apply_power()

    @query("[SOURce]:POWer[:LEVel]", LIMIT)
    def level(self, limit: str | None) -> str:
        """The power wanted, or an end of the range, in the unit that is set."""
        ends_dBm = {"MIN": LEAST_DBM, "MAX": MOST_DBM}
        return self.power(self.level_W if limit is None else 1e-3 * 10.0 ** (0.1 * ends_dBm[limit]))

    @query("[SOURce]:POWer:ACTual[:LEVel]")
    def actual(self) -> str:
        """What the built-in monitor reads, no less than -60 dBm."""
        now = self.clock.now
        window = np.array([max(now - _MONITOR_S, 0.0)]), np.array([max(now, 1e-9)])
        return self.power(max(float(self.light.monitored(*window)[0]), 1e-9))

    @command("[SOURce]:POWer:UNIT", Integer(0, 1))
    def set_power_unit(self, unit: int) -> None:
        """0 for dBm, 1 for mW."""
        self.milliwatts = unit == 1

    @query("[SOURce]:POWer:UNIT")
    def power_unit(self) -> str:
        """0 for dBm, 1 for mW."""
        return self.whole(self.milliwatts)

    @command("[SOURce]:POWer:ATTenuation", Number("DB", 0.0, 30.0, 0.0))
    def set_attenuation(self, decibels: float) -> None:
        """The attenuator, which counts in manual mode."""
        self.attenuation_dB = round(decibels, 2)
        self._apply_power()

    @query("[SOURce]:POWer:ATTenuation")
    def attenuation(self) -> str:
        """The attenuator: as set, or what automatic mode makes of it."""
        if not self.automatic:
            return self.decimal(self.attenuation_dB, 2)
        available_W = float(self.light.available_W(np.array([self.wavelength_m]))[0])
        return self.decimal(max(round(10.0 * math.log10(available_W / self.level_W), 2), 0.0), 2)

    @command("[SOURce]:POWer:ATTenuation:AUTo", Boolean())
    def set_automatic(self, on: bool) -> None:
        """Let the power follow the level, or the attenuator."""
        self.automatic = on
        self._apply_power()

    @query("[SOURce]:POWer:ATTenuation:AUTo")
    def automatic_power(self) -> str:
        """Whether the power follows the level."""
        return self.whole(self.automatic)

    # Modulation: nothing is wired to its input ------------------------------------------------------------

    @command("[SOURce]:AM:STATe", Boolean())
    def set_modulated(self, on: bool) -> None:
        """The modulation input."""
        self.modulated = on

    @query("[SOURce]:AM:STATe")
    def modulation_state(self) -> str:
        """The modulation input."""
        return self.whole(self.modulated)

    @command("[SOURce]:AM:SOURce", Choice("0", "1", "3"))
    def set_modulation(self, source: str) -> None:
        """Coherence control, intensity or frequency."""
        self.modulation = int(source)

    @query("[SOURce]:AM:SOURce")
    def modulation_source(self) -> str:
        """Coherence control, intensity or frequency."""
        return self.whole(self.modulation)
