"""The standard error numbers of SCPI and the exception by which a handler reports one.

Numbers and texts: SCPI-99, volume 2, chapter 21.8.
"""

from types import MappingProxyType
from typing import Final

STANDARD_ERRORS: Final = MappingProxyType(
    {
        0: "No error",
        -100: "Command error",
        -101: "Invalid character",
        -102: "Syntax error",
        -103: "Invalid separator",
        -104: "Data type error",
        -105: "GET not allowed",
        -108: "Parameter not allowed",
        -109: "Missing parameter",
        -110: "Command header error",
        -111: "Header separator error",
        -112: "Program mnemonic too long",
        -113: "Undefined header",
        -114: "Header suffix out of range",
        -120: "Numeric data error",
        -121: "Invalid character in number",
        -123: "Exponent too large",
        -124: "Too many digits",
        -128: "Numeric data not allowed",
        -130: "Suffix error",
        -131: "Invalid suffix",
        -134: "Suffix too long",
        -138: "Suffix not allowed",
        -140: "Character data error",
        -141: "Invalid character data",
        -144: "Character data too long",
        -148: "Character data not allowed",
        -150: "String data error",
        -151: "Invalid string data",
        -158: "String data not allowed",
        -160: "Block data error",
        -161: "Invalid block data",
        -168: "Block data not allowed",
        -170: "Expression error",
        -171: "Invalid expression",
        -178: "Expression data not allowed",
        -200: "Execution error",
        -203: "Command protected",
        -210: "Trigger error",
        -211: "Trigger ignored",
        -212: "Arm ignored",
        -213: "Init ignored",
        -214: "Trigger deadlock",
        -215: "Arm deadlock",
        -220: "Parameter error",
        -221: "Settings conflict",
        -222: "Data out of range",
        -223: "Too much data",
        -224: "Illegal parameter value",
        -225: "Out of memory",
        -226: "Lists not same length",
        -230: "Data corrupt or stale",
        -231: "Data questionable",
        -240: "Hardware error",
        -241: "Hardware missing",
        -250: "Mass storage error",
        -256: "File name not found",
        -257: "File name error",
        -260: "Expression error",
        -270: "Macro error",
        -300: "Device-specific error",
        -310: "System error",
        -311: "Memory error",
        -314: "Save/recall memory lost",
        -315: "Configuration memory lost",
        -320: "Storage fault",
        -321: "Out of memory",
        -330: "Self-test failed",
        -340: "Calibration failed",
        -350: "Queue overflow",
        -360: "Communication error",
        -363: "Input buffer overrun",
        -365: "Time out error",
        -400: "Query error",
        -410: "Query INTERRUPTED",
        -420: "Query UNTERMINATED",
        -430: "Query DEADLOCKED",
        -440: "Query UNTERMINATED after indefinite response",
    }
)

# The bit of the standard event status register that each class of errors sets (SCPI-99, 21.8.2 to 21.8.9).
_EVENT_BITS: Final = {1: 5, 2: 4, 3: 3, 4: 2, 5: 7, 6: 6, 7: 1, 8: 0}


class ScpiError(Exception):
    """An entry for the error queue, raised by a handler or by the parser; it never reaches the controller.

    `code` is a standard number, whose text is then known, or a positive number of the instrument's own with
    `text`. `detail` is the device-dependent part after the semicolon.
    """

    def __init__(self, code: int, detail: str = "", text: str | None = None) -> None:
        self.code = code
        self.detail = detail
        self.text = STANDARD_ERRORS.get(code, "Device-specific error") if text is None else text
        super().__init__(f"{code},{self.message!r}")

    @property
    def message(self) -> str:
        """The text of the queue's entry, with the detail after a semicolon."""
        return f"{self.text};{self.detail}" if self.detail else self.text


def event_bit(code: int) -> int:
    """The value that an error of this number sets in the standard event status register."""
    if code >= 0:
        return 1 << 3
    return 1 << _EVENT_BITS.get(-code // 100, 3)
