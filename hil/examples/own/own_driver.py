"""The QCoDeS driver of the temperature controller: the same for the real one and the emulated one."""

from typing import Any

from qcodes.instrument import VisaInstrument
from qcodes.validators import Numbers


class PeltierController(VisaInstrument):
    """A temperature controller that moves to its set point at a fixed rate."""

    default_terminator = "\n"

    def __init__(self, name: str, address: str, **kwargs: Any) -> None:
        super().__init__(name, address, **kwargs)
        self.temperature = self.add_parameter(
            "temperature",
            unit="°C",
            get_cmd="SOUR:TEMP?",
            get_parser=float,
            set_cmd="SOUR:TEMP {:.6f}",
            vals=Numbers(-20.0, 80.0),
        )
        """Control the temperature in degrees Celsius (-20 to 80)."""
