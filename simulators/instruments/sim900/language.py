"""The command language of SRS's small instrumentation modules: four letters, a question mark, parameters.

Syntax, parameter kinds and error codes: SRS, Operation and Service Manuals of the SIM900 (chapter 2) and the
SIM928 (chapter 2); the modules' manuals describe the language alike.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

ILLEGAL_COMMAND, UNDEFINED_COMMAND, ILLEGAL_QUERY, ILLEGAL_SET = 1, 2, 3, 4
MISSING_PARAMETER, EXTRA_PARAMETER, NULL_PARAMETER = 5, 6, 7
BAD_FLOAT, BAD_INTEGER, BAD_INTEGER_TOKEN, BAD_TOKEN_VALUE, BAD_BLOCK, UNKNOWN_TOKEN = 9, 10, 11, 12, 13, 14
"""What LCME? tells."""
ILLEGAL_VALUE, WRONG_TOKEN, INVALID_BIT = 1, 2, 3
"""What LEXE? tells."""

_MARK = "__sim_forms__"
_HEADER = re.compile(r"\s*(\*[A-Za-z]{3}|[A-Za-z]{4})(\?)?(?=\s|$)\s*")
_PIECE = re.compile(rb"[^;,\"'#]+|\"[^\"]*\"?|'[^']*'?|#[1-9]|[;,#]")


class CommandFault(Exception):
    """A command that the parser does not take; `code` is what LCME? will tell."""

    def __init__(self, code: int) -> None:
        super().__init__(f"command error {code}")
        self.code = code


class ExecutionFault(Exception):
    """A command that cannot be carried out; `code` is what LEXE? will tell."""

    def __init__(self, code: int) -> None:
        super().__init__(f"execution error {code}")
        self.code = code


class Parameter(ABC):
    """One parameter of a command."""

    @abstractmethod
    def read(self, text: bytes) -> Any:
        """Turn what was written into a value; raises CommandFault or ExecutionFault."""


class Real(Parameter):
    """A floating-point number within bounds."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def read(self, text: bytes) -> float:
        """See `Parameter.read`."""
        try:
            value = float(text)
        except ValueError:
            raise CommandFault(BAD_FLOAT) from None
        if not math.isfinite(value) or b"_" in text:
            raise CommandFault(BAD_FLOAT)
        if not self.low <= value <= self.high:
            raise ExecutionFault(ILLEGAL_VALUE)
        return value


class Whole(Parameter):
    """An integer within bounds; `fault` is what one outside them is."""

    def __init__(self, low: int, high: int, fault: int = ILLEGAL_VALUE) -> None:
        self.low, self.high, self.fault = low, high, fault

    def read(self, text: bytes) -> int:
        """See `Parameter.read`."""
        if re.fullmatch(rb"[+-]?\d{1,9}", text) is None:
            raise CommandFault(BAD_INTEGER)
        value = int(text)
        if not self.low <= value <= self.high:
            raise ExecutionFault(self.fault)
        return value


class Token(Parameter):
    """One of a few words, or the integer that stands for it; the value is the integer."""

    def __init__(self, **words: int) -> None:
        self.words = words

    def read(self, text: bytes) -> int:
        """See `Parameter.read`."""
        word = text.decode("latin-1").upper()
        if word in self.words:
            return self.words[word]
        if word[:1].isalpha():
            raise CommandFault(UNKNOWN_TOKEN)
        if re.fullmatch(r"[+-]?[0-9]{1,9}", word) is None:
            raise CommandFault(BAD_INTEGER_TOKEN)
        if int(word) not in self.words.values():
            raise CommandFault(BAD_TOKEN_VALUE)
        return int(word)

    def word(self, value: int) -> str:
        """The word for an integer."""
        return next(word for word, number in self.words.items() if number == value)


class Message(Parameter):
    """Bytes between quotes, or in a definite-length block."""

    def read(self, text: bytes) -> bytes:
        """See `Parameter.read`."""
        if text[:1] in (b'"', b"'"):
            if len(text) < 2 or text[-1:] != text[:1]:
                raise CommandFault(BAD_BLOCK)
            return text[1:-1]
        if re.match(rb"#\d", text) is None:
            raise CommandFault(BAD_BLOCK)
        start = 2 + int(text[1:2])
        if text[2:start] != b"%0*d" % (start - 2, len(text) - start):
            raise CommandFault(BAD_BLOCK)
        return text[start:]


ON_OFF = Token(OFF=0, ON=1)
TERMINATORS = Token(NONE=0, CR=1, LF=2, CRLF=3, LFCR=4)
BIT = Whole(0, 7, INVALID_BIT)
BYTE = Whole(0, 255)
FLAG = Whole(0, 1)
ENDS = (b"", b"\r", b"\n", b"\r\n", b"\n\r")
"""The characters that a value of TERM stands for."""


@dataclass(frozen=True)
class Form:
    """The set form or the query form of a command: its signatures differ in their number of parameters."""

    mnemonic: str
    query: bool
    signatures: tuple[tuple[Parameter, ...], ...]
    handler: str


def form(mnemonic: str, *signatures: tuple[Parameter, ...]) -> Callable[[F], F]:
    """Declare a method as a command's set form, or, with a question mark at its end, as its query form.

    The method receives the parameters; a query returns str, int or bytes. Without signatures there are no
    parameters.
    """

    def mark(function: F) -> F:
        entry = Form(mnemonic.rstrip("?"), mnemonic.endswith("?"), signatures or ((),), function.__name__)
        setattr(function, _MARK, [*getattr(function, _MARK, []), entry])
        return function

    return mark


def split_commands(line: bytes) -> list[list[bytes]]:
    """Commands of a line, each as what stands between its commas; quotes and blocks are left whole."""
    commands: list[list[bytes]] = [[b""]]
    position = 0
    while match := _PIECE.match(line, position):
        piece, position = match[0], match.end()
        if piece == b";":
            commands.append([b""])
        elif piece == b",":
            commands[-1].append(b"")
        else:
            if len(piece) == 2 and piece[:1] == b"#":
                digits = line[position : position + int(piece[1:])]
                length = len(digits) + int(digits) if digits.isdigit() else 0
                piece, position = piece + line[position : position + length], position + length
            commands[-1][-1] += piece
    return commands


class Interpreter:
    """Whatever understands the language; a subclass declares its own commands with `form`.

    Attributes:
        forms: every form, by mnemonic and whether it is a query.
    """

    forms: ClassVar[Mapping[tuple[str, bool], Form]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.forms = {
            (entry.mnemonic, entry.query): entry
            for base in reversed(cls.__mro__)
            for member in vars(base).values()
            for entry in getattr(member, _MARK, ())
        }

    def command_fault(self, code: int) -> None:
        """The parser has refused a command."""
        raise NotImplementedError

    def execution_fault(self, code: int) -> None:
        """A command could not be carried out."""
        raise NotImplementedError

    def execute(self, line: bytes) -> list[bytes]:
        """Carry out the commands of a line; gives the answers."""
        answers = [self.carry_out(fields) for fields in split_commands(line)]
        return [answer for answer in answers if answer is not None]

    def carry_out(self, fields: list[bytes]) -> bytes | None:
        """Carry out one command, given as `split_commands` gives it; its answer if it has one."""
        if len(fields) == 1 and not fields[0].strip():
            return None
        try:
            return self._call(fields)
        except CommandFault as fault:
            self.command_fault(fault.code)
        except ExecutionFault as fault:
            self.execution_fault(fault.code)
        return None

    def _call(self, fields: list[bytes]) -> bytes | None:
        header = _HEADER.match(fields[0].decode("latin-1"))
        if header is None:
            raise CommandFault(ILLEGAL_COMMAND)
        mnemonic, query = header[1].upper(), header[2] is not None
        entry = self.forms.get((mnemonic, query))
        if entry is None:
            if (mnemonic, not query) not in self.forms:
                raise CommandFault(UNDEFINED_COMMAND)
            raise CommandFault(ILLEGAL_QUERY if query else ILLEGAL_SET)
        fields = [fields[0][header.end() :], *fields[1:]]
        given = [field.strip() if field.lstrip()[:1] != b"#" else field.lstrip() for field in fields]
        if given == [b""]:
            given = []
        if b"" in given:
            raise CommandFault(NULL_PARAMETER)
        signature = next((each for each in entry.signatures if len(each) == len(given)), None)
        if signature is None:
            fewest = min(map(len, entry.signatures))
            raise CommandFault(MISSING_PARAMETER if len(given) < fewest else EXTRA_PARAMETER)
        values = [parameter.read(text) for parameter, text in zip(signature, given, strict=True)]
        result = getattr(self, entry.handler)(*values)
        if not query:
            return None
        return result if isinstance(result, bytes) else str(result).encode("latin-1")
