"""Splitting a program message into units: header, question mark, parameters (IEEE 488.2, chapter 7)."""

import re
from dataclasses import dataclass

from simulators.scpi.errors import ScpiError
from simulators.scpi.headers import check_header
from simulators.scpi.parameters import Token

_SPACE_TEXT = bytes(range(33)).decode("ascii")  # IEEE 488.2, 7.4.1.2: white space
_SPACE = re.compile(r"[\x00-\x20]+")
_SKIP = re.compile(rb"[\x00-\x20]*")
_NEEDS_CARE = re.compile(rb"[\"'#(]")
_HEADER_END = re.compile(rb"[\x00-\x20;]|$")
_PLAIN = re.compile(rb"[^,;\"'(]*")
_STRING = re.compile(rb"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_BLOCK = re.compile(rb"#([1-9])")


@dataclass(frozen=True, slots=True)
class Unit:
    """One program message unit; `fault` stands for a unit that could not be read, and ends the message."""

    header: str = ""
    query: bool = False
    parameters: tuple[Token, ...] = ()
    fault: ScpiError | None = None


def split_message(message: bytes) -> list[Unit]:
    """Split one program message, without its terminator, into its units; never raises."""
    units: list[Unit] = []
    try:
        if _NEEDS_CARE.search(message) is None:
            for part in message.decode("latin-1").split(";"):
                _append_plain(units, part.strip(_SPACE_TEXT))
        else:
            _scan(units, message)
    except ScpiError as error:
        units.append(Unit(fault=error))
    return units


def _append_plain(units: list[Unit], part: str) -> None:
    if not part:
        return
    header = part
    parameters: tuple[Token, ...] = ()
    if space := _SPACE.search(part):
        header = part[: space.start()]
        parameters = tuple(token.strip(_SPACE_TEXT) for token in part[space.end() :].split(","))
    _append(units, header, parameters)


def _append(units: list[Unit], header: str, parameters: tuple[Token, ...]) -> None:
    query = header.endswith("?")
    bare = header[:-1] if query else header
    check_header(bare)
    if any(token == "" for token in parameters):
        raise ScpiError(-103, header[:40])
    units.append(Unit(bare, query, parameters))


def _scan(units: list[Unit], message: bytes) -> None:
    position, end = 0, len(message)
    while True:
        position = _skip(message, position)
        if position >= end:
            return
        if message[position] == 0x3B:
            position += 1
            continue
        stop = _HEADER_END.search(message, position)
        header_end = stop.start() if stop else end
        header = message[position:header_end].decode("latin-1")
        check_header(header.removesuffix("?"))
        parameters: list[Token] = []
        position = _skip(message, header_end)
        while position < end and message[position] != 0x3B:
            token, position = _token(message, position)
            parameters.append(token)
            position = _skip(message, position)
            if position < end and message[position] == 0x2C:
                position = _skip(message, position + 1)
                if position >= end or message[position] == 0x3B:
                    raise ScpiError(-103, header[:40])
            elif position < end and message[position] != 0x3B:
                raise ScpiError(-103, header[:40])
        _append(units, header, tuple(parameters))


def _skip(message: bytes, position: int) -> int:
    match = _SKIP.match(message, position)
    return match.end() if match else position


def _token(message: bytes, position: int) -> tuple[Token, int]:
    first = message[position]
    if first in b"\"'":
        match = _STRING.match(message, position)
        if match is None:
            raise ScpiError(-151, "the string has no end")
        return match[0].decode("latin-1"), match.end()
    if first == 0x28:  # (
        close = message.find(b")", position)
        if close < 0:
            raise ScpiError(-171, "the expression has no end")
        return message[position : close + 1].decode("latin-1"), close + 1
    if first == 0x23:  # the # of a block or of a number that is not decimal
        if message[position + 1 : position + 2] == b"0":
            return message[position + 2 :], len(message)
        if _BLOCK.match(message, position):
            return _definite(message, position)
    match = _PLAIN.match(message, position)
    stop = match.end() if match else position
    return message[position:stop].decode("latin-1").strip(_SPACE_TEXT), stop


def _definite(message: bytes, position: int) -> tuple[bytes, int]:
    start = position + 2 + (message[position + 1] - 0x30)
    digits = message[position + 2 : start]
    if not digits.isdigit() or len(digits) != message[position + 1] - 0x30:
        raise ScpiError(-161, "the length is not a number")
    stop = start + int(digits)
    if stop > len(message):
        raise ScpiError(-161, f"{len(message) - start} of {int(digits)} bytes arrived")
    return message[start:stop], stop
