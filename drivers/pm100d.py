"""Thorlabs PM100D, one console: opened without the seconds that the stock driver waits (USB or serial).

The driver in qcodes-contrib-drivers sleeps for more than five seconds in its constructor, which for the consoles of a
mesh is a minute. This one asks for the same parameters and waits for nothing (PM100D operation manual, command
reference).
"""

from typing import TYPE_CHECKING, Unpack

from qcodes.instrument import VisaInstrument
from qcodes.parameters import Parameter, create_on_off_val_mapping
from qcodes.validators import Numbers

from drivers.errors import IdentityError

if TYPE_CHECKING:
    from qcodes.instrument.visa import VisaInstrumentKWArgs


class PM100D(VisaInstrument):
    """A PM100D console that reads optical power. Opening it changes nothing.

    Raises:
        IdentityError: another instrument answers.
    """

    default_terminator = "\n"
    default_timeout = 5.0

    def __init__(
        self, name: str, address: str | None = None, **kwargs: "Unpack[VisaInstrumentKWArgs]"
    ) -> None:
        super().__init__(name, address, **kwargs)
        try:
            if "PM100D" not in (found := self.ask("*IDN?")):
                raise IdentityError(f"{self.address}: found {found!r}, which is no PM100D")
        except BaseException:
            self.close()
            raise
        self.wavelength: Parameter[float, PM100D] = self.add_parameter(
            "wavelength",
            unit="m",
            label="Wavelength that a reading is corrected for",
            get_cmd="SENS:CORR:WAV?",
            set_cmd="SENS:CORR:WAV {}",
            get_parser=float,
            scale=1e9,
            vals=Numbers(185e-9, 25e-6),
        )
        """Wavelength that a reading is corrected for; the instrument takes nanometres."""
        self.auto_range: Parameter[bool, PM100D] = self.add_parameter(
            "auto_range",
            label="Automatic range",
            get_cmd="SENS:POW:RANG:AUTO?",
            set_cmd="SENS:POW:RANG:AUTO {}",
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
        )
        """Whether the console chooses its range."""
        self.power_range: Parameter[float, PM100D] = self.add_parameter(
            "power_range",
            unit="W",
            label="Highest power of the range",
            get_cmd="SENS:POW:RANG?",
            set_cmd="SENS:POW:RANG {}",
            get_parser=float,
        )
        """Highest power of the range."""
        self.power: Parameter[float, PM100D] = self.add_parameter(
            "power", unit="W", label="Power", get_cmd="READ?", get_parser=float, snapshot_get=False
        )
        """A new reading, averaged as the console is set to."""
        self.connect_message()
