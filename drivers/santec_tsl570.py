"""The santec TSL-570 tunable laser (GPIB, USB or network); a `Laser`.

Everything is sent in the SCPI command set (`SYSTem:COMMunicate:CODe 1`), with units, and ends with a carriage
return both ways (TSL-570 operation manual, command reference). Powers are set in steps of 0.01 dB, always
down. Errors raised are those of `drivers.errors`.
"""

import math
from typing import TYPE_CHECKING, Unpack

from qcodes.instrument import VisaInstrument
from qcodes.parameters import Parameter, create_on_off_val_mapping

from drivers.errors import EnvelopeError, IdentityError, InstrumentError, ReadbackError
from drivers.visa import Line, split_errors

if TYPE_CHECKING:
    from qcodes.instrument.visa import VisaInstrumentKWArgs

_MODEL = "TSL-570"
_STEP_dB, _STEP_m = 0.01, 1e-13
_MOST_ERRORS = 100


class SantecTSL570(VisaInstrument):
    """A TSL-570. Opening it chooses the SCPI command set and dBm; the light stays as it is.

    Raises:
        IdentityError: another instrument answers.
    """

    default_terminator = "\r"
    default_timeout = 10.0

    def __init__(
        self, name: str, address: str | None = None, **kwargs: "Unpack[VisaInstrumentKWArgs]"
    ) -> None:
        super().__init__(name, address, **kwargs)
        try:
            self._line = Line(self)
            if _MODEL not in self._line.identity:
                raise IdentityError(f"{self.address}: found {self._line.identity!r}, which is no {_MODEL}")
            self._set_up()
            self._least_W, self._most_W = (_watts(self._number(f":POW? {end}")) for end in ("MIN", "MAX"))
            self._shortest_m, self._longest_m = (self._number(f":WAV? {end}") for end in ("MIN", "MAX"))
        except BaseException:
            self.close()
            raise
        self.power: Parameter[float, SantecTSL570] = self.add_parameter(
            "power", unit="W", label="Power asked for", get_cmd=self.read_power, set_cmd=self.set_power
        )
        """Power that is asked for, W; its range is that of `power_range_W`."""
        self.power_dBm: Parameter[float, SantecTSL570] = self.add_parameter(
            "power_dBm",
            unit="dBm",
            label="Power asked for",
            get_cmd=lambda: _dBm(self.read_power()),
            set_cmd=lambda dBm: self.set_power(_watts(dBm)),
        )
        """The same in dBm."""
        self.actual_power: Parameter[float, SantecTSL570] = self.add_parameter(
            "actual_power", unit="W", label="Power", get_cmd=lambda: _watts(self._number(":POW:ACT?"))
        )
        """What the built-in monitor reads, W."""
        self.wavelength: Parameter[float, SantecTSL570] = self.add_parameter(
            "wavelength",
            unit="m",
            label="Wavelength",
            get_cmd=self.read_wavelength,
            set_cmd=self.set_wavelength,
        )
        """Wavelength, m; its range is that of `wavelength_range_m`."""
        on_off = create_on_off_val_mapping(on_val=1, off_val=0)
        self.output: Parameter[bool, SantecTSL570] = self.add_parameter(
            "output",
            label="Laser diode",
            get_cmd=lambda: self._whole(":POW:STAT?"),
            set_cmd=lambda on: self._switch(":POW:STAT", on),
            val_mapping=on_off,
        )
        """Whether the laser diode is on."""
        self.shutter_closed: Parameter[bool, SantecTSL570] = self.add_parameter(
            "shutter_closed",
            label="Shutter",
            get_cmd=lambda: self._whole(":POW:SHUT?"),
            set_cmd=lambda on: self._switch(":POW:SHUT", on),
            val_mapping=on_off,
        )
        """Whether the internal shutter is closed."""
        self.connect_message()

    # The role ---------------------------------------------------------------------------------------------

    def identity(self) -> str:
        """The answer to `*IDN?`."""
        return self._ask("*IDN?")

    def errors(self) -> list[str]:
        """Read and empty the error queue, oldest first."""
        found: list[str] = []
        while len(found) < _MOST_ERRORS and (said := split_errors(self._ask(":SYST:ERR?"))):
            found += said
        return found

    def recover(self) -> None:
        """Clear the line and choose command set and unit again; the light stays as it is."""
        self._line.resynchronise()
        self._set_up()
        self.errors()

    @property
    def power_range_W(self) -> tuple[float, float]:
        """The least and the highest power that can be asked for."""
        return self._least_W, self._most_W

    @property
    def wavelength_range_m(self) -> tuple[float, float]:
        """The ends of the tuning range."""
        return self._shortest_m, self._longest_m

    def set_power(self, watts: float) -> None:
        """Ask for a power, to the next 0.01 dB below, and wait until it is there; see `Laser.set_power`."""
        if not self._least_W * (1.0 - 1e-3) <= watts <= self._most_W * (1.0 + 1e-3):
            raise self._refused(watts, self.power_range_W, "W", "power")
        dBm = _STEP_dB * math.floor(_dBm(watts) / _STEP_dB + 1e-6)
        dBm = max(dBm, _dBm(self._least_W))
        self._tell(f":POW {dBm:.2f}DBM;:POW:ATT:AUT 1")
        self._settle()
        found = self._number(":POW?")
        if abs(found - dBm) > _STEP_dB:
            raise ReadbackError(f"{self.address}: power reads back as {found:.2f} dBm, set to {dBm:.2f} dBm")

    def read_power(self) -> float:
        """The power that is asked for, in W."""
        return _watts(self._number(":POW?"))

    def set_wavelength(self, metres: float) -> None:
        """Tune, and wait until it is there; see `Laser.set_wavelength`."""
        if not self._shortest_m - _STEP_m <= metres <= self._longest_m + _STEP_m:
            raise self._refused(metres, self.wavelength_range_m, "m", "wavelength")
        self._tell(f":WAV {1e9 * metres:.4f}NM")
        self._settle()
        found = self.read_wavelength()
        if abs(found - metres) > _STEP_m:
            raise ReadbackError(
                f"{self.address}: wavelength reads back as {1e9 * found:.4f} nm, set to {1e9 * metres:.4f} nm"
            )

    def read_wavelength(self) -> float:
        """The wavelength that is set, in m."""
        return self._number(":WAV?")

    def shine(self, on: bool) -> None:
        """Open or close the shutter; the diode is switched on for light and stays on in the dark.

        See `Laser.shine`.
        """
        if on:
            self._check_hardware()
            self._switch(":POW:STAT", 1)
        self._switch(":POW:SHUT", int(not on))
        self._settle()

    def shines(self) -> bool:
        """Whether light comes out: diode on, shutter open, interlock closed, no alert."""
        return bool(self._whole(":POW:STAT?")) and not self._whole(":POW:SHUT?") and not self._trouble()

    def safe_state(self) -> None:
        """Close the shutter, then switch the diode off; both are tried. Raises InstrumentError."""
        self._line.reconnect()
        failure: InstrumentError | None = None
        for command, state in ((":POW:SHUT", 1), (":POW:STAT", 0)):
            try:
                with self._line.exchange(f"sending {command} {state}", answers=False):
                    self.write(f"{command} {state}")  # also to a laser that does not answer any more
            except InstrumentError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        if self._whole(":POW:STAT?") or not self._whole(":POW:SHUT?"):
            raise ReadbackError(f"{self.address}: still on, although it was switched off")

    # The rest ---------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        """SCPI, and powers in dBm."""
        self._tell(":SYST:COMM:COD 1;:POW:UNIT 0")

    def _check_hardware(self) -> None:
        if trouble := self._trouble():
            raise InstrumentError(f"{self.address}: {trouble}; no light was let out")

    def _trouble(self) -> str:
        """What keeps the laser from shining; empty if nothing does."""
        if self._whole(":SYST:LOCK?"):
            return "the interlock is open: close it, then try again"
        with self._line.exchange("asking for alerts"):
            alert = str(self.ask(":SYST:ALER?")).strip()
            well = int(alert.partition(",")[0]) == 0
        return "" if well else f"alert {alert}"

    def _switch(self, command: str, state: int) -> None:
        self._tell(f"{command} {state}")
        if self._whole(f"{command}?") != state:
            raise ReadbackError(f"{self.address}: {command} does not read back as {state}; look at the laser")

    def _settle(self) -> None:
        """Wait until wavelength and power have come to rest, and hear of what was refused."""
        self._whole("*OPC?")
        if said := self.errors():
            raise InstrumentError(f"{self.address}: {'; '.join(said)}")

    def _tell(self, message: str) -> None:
        with self._line.exchange(f"sending {message}"):
            self.write(message)

    def _ask(self, question: str) -> str:
        with self._line.exchange(f"waiting for the answer to {question}"):
            return str(self.ask(question)).strip()

    def _number(self, question: str) -> float:
        with self._line.exchange(f"waiting for the answer to {question}"):
            return float(self.ask(question))

    def _whole(self, question: str) -> int:
        with self._line.exchange(f"waiting for the answer to {question}"):
            return int(self.ask(question))

    def _refused(self, value: float, limits: tuple[float, float], unit: str, what: str) -> EnvelopeError:
        low, high = limits
        return EnvelopeError(
            f"{self.address}: {what} {value:.6g} {unit} is outside {low:.6g} {unit} to {high:.6g} {unit}; "
            "nothing was sent",
            channel=what,
            value=value,
            limit=low if value < low else high,
        )


def _watts(dBm: float) -> float:
    return float(1e-3 * 10.0 ** (0.1 * dBm))


def _dBm(watts: float) -> float:
    return 10.0 * math.log10(watts / 1e-3) if watts > 0.0 else -math.inf
