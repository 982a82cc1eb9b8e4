"""The PM100D's commands for what is measured and how it is corrected (PM100D manual, command reference)."""

from typing import Any

from simulators.instruments.thorlabs_pm100d.sensor import RANGES_A, Photodiode, range_for
from simulators.instruments.thorlabs_pm100d.settings import Settings
from simulators.scpi import Boolean, Choice, Integer, Number, ScpiInstrument, command, query

MOST_SAMPLES = 10_000


def _power_of(span_A: float) -> Any:
    return lambda instrument: span_A / instrument.responsivity * instrument.settings.loss


_WAVELENGTH = Number(
    "",
    lambda instrument: 1e9 * instrument.diode.head.shortest_m,
    lambda instrument: 1e9 * instrument.diode.head.longest_m,
    lambda instrument: 1e9 * instrument.diode.head.default_m,
)
_POWER_RANGE = Number("W", 0.0, _power_of(RANGES_A[-1]), _power_of(RANGES_A[-1]))


class SenseCommands(ScpiInstrument):
    """See the module."""

    settings: Settings
    diode: Photodiode

    @property
    def responsivity(self) -> float:
        """What the meter takes for the head's responsivity, in A/W."""
        given = self.settings.response
        return self.diode.head.responsivity(self.settings.wavelength_m) if given is None else given

    # Averaging, filter ------------------------------------------------------------------------------------

    @command("[SENSe]:AVERage[:COUNt]", Integer(1, MOST_SAMPLES, 1))
    def set_samples(self, count: int) -> None:
        """Samples of 3 ms that are averaged for a reading."""
        self.settings.samples = count

    @query("[SENSe]:AVERage[:COUNt]")
    def samples(self) -> int:
        """Samples that are averaged for a reading."""
        return self.settings.samples

    @command("INPut[:PDIOde]:FILTer[:LPASs][:STATe]", Boolean())
    def set_low_bandwidth(self, on: bool) -> None:
        """The low-pass at 15 Hz."""
        self.settings.low_bandwidth = on

    @query("INPut[:PDIOde]:FILTer[:LPASs][:STATe]")
    def low_bandwidth(self) -> bool:
        """The low-pass at 15 Hz."""
        return self.settings.low_bandwidth

    @command("INPut:ADAPter[:TYPE]", Choice("PHOTodiode"))
    def set_adapter(self, kind: str) -> None:
        """What kind of head a plug without memory is taken for; these heads have one."""

    @query("INPut:ADAPter[:TYPE]")
    def adapter(self) -> str:
        """What kind of head a plug without memory is taken for."""
        return "PHOT"

    # Corrections ------------------------------------------------------------------------------------------

    @command("[SENSe]:CORRection:WAVelength", _WAVELENGTH)
    def set_wavelength(self, nanometres: float) -> None:
        """The wavelength whose responsivity is taken."""
        self.settings.wavelength_m, self.settings.response = 1e-9 * nanometres, None

    @query("[SENSe]:CORRection:WAVelength")
    def wavelength(self) -> float:
        """The wavelength whose responsivity is taken, in nm."""
        return 1e9 * self.settings.wavelength_m

    @command("[SENSe]:CORRection[:LOSS][:INPut][:MAGNitude]", Number("DB", -60.0, 60.0, 0.0))
    def set_loss(self, decibels: float) -> None:
        """Attenuation in front of the head, which readings are corrected for."""
        self.settings.loss_dB = decibels

    @query("[SENSe]:CORRection[:LOSS][:INPut][:MAGNitude]")
    def loss(self) -> float:
        """Attenuation in front of the head in dB."""
        return self.settings.loss_dB

    @command("[SENSe]:CORRection:BEAMdiameter", Number("", 0.1, 100.0, 5.0))
    def set_beam_diameter(self, millimetres: float) -> None:
        """Diameter of the beam, for power densities."""
        self.settings.beam_mm = millimetres

    @query("[SENSe]:CORRection:BEAMdiameter")
    def beam_diameter(self) -> float:
        """Diameter of the beam in mm."""
        return self.settings.beam_mm

    @command("[SENSe]:CORRection:POWer[:PDIOde][:RESPonse]", Number("", 1e-6, 1e3))
    def set_response(self, amperes_per_watt: float) -> None:
        """A responsivity of the user's own, until a wavelength is set."""
        self.settings.response = amperes_per_watt

    @query("[SENSe]:CORRection:POWer[:PDIOde][:RESPonse]")
    def response(self) -> float:
        """The responsivity in use in A/W."""
        return self.responsivity

    # Ranges, unit, reference ------------------------------------------------------------------------------

    @command("[SENSe]:POWer[:DC]:RANGe[:UPPer]", _POWER_RANGE)
    def set_power_range(self, watts: float) -> None:
        """The smallest range that holds a power at the present wavelength; autorange goes off."""
        self.settings.span_A = range_for(watts / self.settings.loss * self.responsivity)
        self.settings.autorange = False

    @query("[SENSe]:POWer[:DC]:RANGe[:UPPer]")
    def power_range(self) -> float:
        """Full scale of the range in W at the present wavelength."""
        return float(_power_of(self.settings.span_A)(self))

    @command("[SENSe]:CURRent[:DC]:RANGe[:UPPer]", Number("A", 0.0, RANGES_A[-1], RANGES_A[-1]))
    def set_current_range(self, amperes: float) -> None:
        """The smallest range that holds a current; autorange goes off."""
        self.settings.span_A, self.settings.autorange = range_for(amperes), False

    @query("[SENSe]:CURRent[:DC]:RANGe[:UPPer]")
    def current_range(self) -> float:
        """Full scale of the range in A."""
        return self.settings.span_A

    @command("[SENSe]:CURRent[:DC]:RANGe:AUTO", Boolean())
    @command("[SENSe]:POWer[:DC]:RANGe:AUTO", Boolean())
    def set_autorange(self, on: bool) -> None:
        """Choose the range for every reading."""
        self.settings.autorange = on

    @query("[SENSe]:CURRent[:DC]:RANGe:AUTO")
    @query("[SENSe]:POWer[:DC]:RANGe:AUTO")
    def autorange(self) -> bool:
        """Whether the range is chosen for every reading."""
        return self.settings.autorange

    @command("[SENSe]:POWer[:DC]:UNIT", Choice("W", "DBM"))
    def set_unit(self, unit: str) -> None:
        """W or dBm."""
        self.settings.decibel = unit == "DBM"

    @query("[SENSe]:POWer[:DC]:UNIT")
    def unit(self) -> str:
        """W or dBm."""
        return "DBM" if self.settings.decibel else "W"

    @command("[SENSe]:POWer[:DC]:REFerence", Number("W", 0.0, 1e3, 0.0))
    def set_power_reference(self, watts: float) -> None:
        """What powers are compared with."""
        self.settings.power.value = watts

    @query("[SENSe]:POWer[:DC]:REFerence")
    def power_reference(self) -> float:
        """What powers are compared with, in W."""
        return self.settings.power.value

    @command("[SENSe]:POWer[:DC]:REFerence:STATe", Boolean())
    def set_power_relative(self, on: bool) -> None:
        """Give powers less the reference, or in dB above it."""
        self.settings.power.on = on

    @query("[SENSe]:POWer[:DC]:REFerence:STATe")
    def power_relative(self) -> bool:
        """Whether powers are given against the reference."""
        return self.settings.power.on

    @command("[SENSe]:CURRent[:DC]:REFerence", Number("A", 0.0, 1.0, 0.0))
    def set_current_reference(self, amperes: float) -> None:
        """What currents are compared with."""
        self.settings.current.value = amperes

    @query("[SENSe]:CURRent[:DC]:REFerence")
    def current_reference(self) -> float:
        """What currents are compared with, in A."""
        return self.settings.current.value

    @command("[SENSe]:CURRent[:DC]:REFerence:STATe", Boolean())
    def set_current_relative(self, on: bool) -> None:
        """Give currents less the reference."""
        self.settings.current.on = on

    @query("[SENSe]:CURRent[:DC]:REFerence:STATe")
    def current_relative(self) -> bool:
        """Whether currents are given less the reference."""
        return self.settings.current.on

    @query("[SENSe]:FREQuency:RANGe[:UPPer]")
    def highest_frequency(self) -> float:
        """The fastest pulses that are counted, in Hz: the input's bandwidth."""
        return 15.0 if self.settings.low_bandwidth else 100e3

    @query("[SENSe]:FREQuency:RANGe:LOWer")
    def lowest_frequency(self) -> float:
        """The slowest pulses that are counted, in Hz."""
        return 1.0
