"""The SCPI engine of the emulated instruments.

A personality is a class: its headers, their parameters and what they do. Parsing, the message exchange, the
status model and the mandatory commands come with `ScpiInstrument`.

    class Supply(ScpiInstrument):
        identity = "Maker,Model,1,1.0"

        @command("[SOURce#]:VOLTage[:LEVel]", Number("V", -10, 10, default=0))
        def set_voltage(self, channel: int, volts: float) -> None: ...

        @query("[SOURce#]:VOLTage[:LEVel]")
        def voltage(self, channel: int) -> float: ...

Faults never raise towards the controller: they become entries of the error queue.
"""

from simulators.scpi.declare import command, query
from simulators.scpi.errors import STANDARD_ERRORS, ScpiError
from simulators.scpi.instrument import ScpiInstrument
from simulators.scpi.parameters import (
    Block,
    Boolean,
    ChannelList,
    Choice,
    Integer,
    Number,
    Once,
    Optional,
    Parameter,
    Rest,
    Text,
)
from simulators.scpi.replies import Later, quoted
from simulators.scpi.status import StatusRegister

__all__ = [
    "STANDARD_ERRORS",
    "Block",
    "Boolean",
    "ChannelList",
    "Choice",
    "Integer",
    "Later",
    "Number",
    "Once",
    "Optional",
    "Parameter",
    "Rest",
    "ScpiError",
    "ScpiInstrument",
    "StatusRegister",
    "Text",
    "command",
    "query",
    "quoted",
]
