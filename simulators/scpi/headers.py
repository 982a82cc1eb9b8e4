"""The tree of command headers (SCPI-99, volume 1, chapter 6): short and long forms, options, suffixes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from simulators.scpi.errors import ScpiError
from simulators.scpi.mnemonics import long_form, short_form

_PATTERN_NODE = re.compile(r"(\[?):?(\*?[A-Za-z][A-Za-z0-9_]*?)(#?)(\]?)(?=[:\[]|$)")
_HEADER = re.compile(r":?[A-Za-z]\w*(?::[A-Za-z]\w*)*|\*[A-Za-z]\w*", re.ASCII)
_LONGEST_MNEMONIC = 12  # IEEE 488.2, 7.6.1.4.1
_REMEMBERED = 4096

T = TypeVar("T")


@dataclass(frozen=True)
class PatternNode:
    """One node of a header pattern such as `[SOURce#]`."""

    mnemonic: str
    optional: bool
    numbered: bool


def parse_pattern(pattern: str) -> tuple[PatternNode, ...]:
    """Read a header pattern such as `[SOURce#]:VOLTage[:LEVel]`; raises ValueError if it is none."""
    nodes: list[PatternNode] = []
    position = 0
    text = pattern.replace(":[", "[:")
    while position < len(text):
        match = _PATTERN_NODE.match(text, position)
        if match is None or bool(match[1]) != bool(match[4]):
            raise ValueError(f"{pattern!r} is no header pattern (at character {position})")
        nodes.append(PatternNode(match[2], bool(match[1]), bool(match[3])))
        position = match.end()
    if not nodes or all(node.optional for node in nodes):
        raise ValueError(f"{pattern!r} names no command")
    return tuple(nodes)


@dataclass(frozen=True, slots=True)
class Leaf(Generic[T]):
    """What one spelling of a header leads to.

    `numbers` has one entry for each # of the pattern: the level of the spelled node, or None where the
    optional node was left out.
    """

    target: T
    numbers: tuple[int | None, ...]
    names: tuple[str, ...]


@dataclass(slots=True)
class _Node(Generic[T]):
    children: "dict[str, _Node[T]]" = field(default_factory=dict)
    command: Leaf[T] | None = None
    query: Leaf[T] | None = None


def _spellings(nodes: tuple[PatternNode, ...]) -> Iterator[tuple[int, ...]]:
    """Every subset of the nodes that keeps the required ones, as indices."""
    if not nodes:
        yield ()
        return
    *rest, last = nodes
    index = len(rest)
    for spelling in _spellings(tuple(rest)):
        yield (*spelling, index)
        if last.optional:
            yield spelling


class HeaderTree(Generic[T]):
    """Headers and what they lead to; `T` is whatever the instrument wants back."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._found: dict[tuple[str, bool], tuple[Leaf[T], tuple[int, ...]]] = {}

    def add(self, pattern: str, target: T, *, query: bool, replace: bool = False) -> None:
        """Enter a pattern; a spelling already taken raises ValueError unless `replace`."""
        nodes = parse_pattern(pattern)
        self._found.clear()
        for spelling in _spellings(nodes):
            here = self._root
            for index in spelling:
                name = nodes[index].mnemonic
                below = here.children.get(short_form(name)) or here.children.get(long_form(name)) or _Node()
                here.children[short_form(name)] = here.children[long_form(name)] = below
                here = below
            levels = {index: level for level, index in enumerate(spelling)}
            leaf = Leaf(
                target,
                tuple(levels.get(index) for index, node in enumerate(nodes) if node.numbered),
                tuple(short_form(node.mnemonic) for node in nodes if node.numbered),
            )
            slot = "query" if query else "command"
            if getattr(here, slot) is not None and not replace:
                raise ValueError(f"{pattern!r} is already a {slot} of this instrument")
            setattr(here, slot, leaf)

    def find(self, header: str, *, query: bool) -> tuple[Leaf[T], tuple[int, ...]]:
        """Look up a whole header (no leading colon, no question mark).

        Gives the leaf and one number for each # of its pattern. Raises ScpiError -113 for a header that is
        not here, -114 for a number on a node that has none.
        """
        known = self._found.get((header, query))
        if known is None:
            known = self._search(header, query)
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[header, query] = known
        return known

    def _search(self, header: str, query: bool) -> tuple[Leaf[T], tuple[int, ...]]:
        here = self._root
        given: list[int | None] = []
        for word in header.upper().split(":"):
            number: int | None = None
            below = here.children.get(word)
            if below is None:
                stem = word.rstrip("0123456789")
                below = here.children.get(stem)
                if below is None or stem == word:
                    raise ScpiError(-113, header[:60])
                number = int(word[len(stem) :][:9])
            given.append(number)
            here = below
        leaf = here.query if query else here.command
        if leaf is None:
            raise ScpiError(-113, header[:60] + ("?" if query else ""))
        if any(n not in (None, 1) and level not in leaf.numbers for level, n in enumerate(given)):
            raise ScpiError(-114, header[:60])
        numbers = tuple(1 if level is None else _or_one(given[level]) for level in leaf.numbers)
        return leaf, numbers


def _or_one(number: int | None) -> int:
    return 1 if number is None else number


def check_header(header: str) -> None:
    """Raise ScpiError unless `header` (without its question mark) is well formed."""
    if _HEADER.fullmatch(header) is None:
        strange = any(not 32 <= ord(c) < 127 for c in header)
        raise ScpiError(-101 if strange else -102, repr(header[:40])[1:-1] if strange else header[:40])
    if any(len(word) > _LONGEST_MNEMONIC + 3 for word in header.lstrip("*:").split(":")):
        raise ScpiError(-112, header[:40])


def absolute(header: str, path: str) -> tuple[str, str]:
    """Apply the path rule to a header that follows others in a message.

    `path` is what precedes the last colon of the header before. Gives the whole header and the new path; a
    common command neither uses nor changes the path.
    """
    if header.startswith("*"):
        return header, path
    whole = header[1:] if header.startswith(":") else (f"{path}:{header}" if path else header)
    return whole, whole.rpartition(":")[0]
