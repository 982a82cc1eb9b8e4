"""Which recorded exchange answers what a program does: in the recording's order, or by command.

Strict, for a program that must do what it did: every resource has its own sequence of writes, reads and
calls, and the program must go through each of them exactly. How exchanges with different resources
interleave is free: it may depend on threads, and no instrument sees it. Opening, closing and attributes are
no part of the sequence, but an opening that failed fails again.

Loose, for a program that was changed: a message is looked up by its bytes, and its answers are given in the
order in which they were recorded, the last one again when there are no more. Every answer that the strict
order would not have given is counted.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NoReturn, Protocol

from pyvisa import rname
from pyvisa.constants import StatusCode

from simulators.recording.difference import Divergence, described, diverged
from simulators.recording.format import Exchange
from simulators.recording.recording import Recording


class Order(Protocol):
    """What a replay asks for. All may raise Divergence."""

    def opened(self, resource: str) -> Exchange | None:
        """The opening that was recorded next, if any."""

    def written(self, resource: str, data: bytes, unread: bool) -> Exchange | None:
        """What became of a message; None for one that is accepted without a record of it."""

    def answer(self, resource: str, after: Exchange | None = None) -> Exchange | None:
        """The next answer; None for silence. `after` a piece of an answer: only if one follows it at once."""

    def called(self, resource: str, name: str, arguments: Sequence[Any]) -> Exchange | None:
        """What a call gave; None for one that is accepted without a record of it."""

    def report(self) -> dict[str, Any]:
        """What came of it, as plain values."""


@lru_cache(maxsize=1024)
def canonical(resource: str) -> str:
    """One spelling for all names of a resource."""
    try:
        return str(rname.ResourceName.from_string(resource)).upper()
    except rname.InvalidResourceName:
        return resource.upper()


def courses(recording: Recording) -> dict[str, list[Exchange]]:
    """The exchanges on the wire and the openings, by resource."""
    found: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in recording.exchanges:
        if exchange.on_the_wire or exchange.op == "open":
            found[canonical(exchange.resource)].append(exchange)
    return dict(found)


class StrictOrder:
    """See the module. After the first difference nothing is answered any more."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._courses = courses(recording)
        self._next = dict.fromkeys(self._courses, 0)
        self._divergence: str | None = None

    def opened(self, resource: str) -> Exchange | None:
        """See `Order`."""
        key = self._known(resource)
        following = self._ahead(key)
        return self._step(following) if following is not None and following.op == "open" else None

    def written(self, resource: str, data: bytes, unread: bool) -> Exchange:
        """See `Order`; what is still unread of an answer was read in the recording."""
        expected = self._following(resource, "write", data)
        if unread:
            before = self._courses[canonical(resource)][self._next[canonical(resource)] - 1]
            self._fail(
                f"{self._recording.place(before)}: the answer was read to its end with {before.resource}, "
                f"and the program goes on before that"
            )
        if expected.op != "write" or self._recording.data(expected) != data:
            self._differ(expected, "write", data)
        return self._step(expected)

    def answer(self, resource: str, after: Exchange | None = None) -> Exchange | None:
        """See `Order`."""
        if after is not None:
            ahead = self._ahead(canonical(resource))
            return self._step(ahead) if ahead is not None and ahead.op == "read" else None
        expected = self._following(resource, "read", ())
        if expected.op != "read":
            self._differ(expected, "read", ())
        return self._step(expected)

    def called(self, resource: str, name: str, arguments: Sequence[Any]) -> Exchange:
        """See `Order`."""
        expected = self._following(resource, name, arguments)
        if expected.op != name or tuple(expected.arguments) != tuple(arguments):
            self._differ(expected, name, arguments)
        return self._step(expected)

    def report(self) -> dict[str, Any]:
        """See `Order`."""
        unused = {}
        for key, course in self._courses.items():
            rest = [exchange for exchange in course[self._next[key] :] if exchange.on_the_wire]
            if rest:
                first = f"{self._recording.place(rest[0])}: {described(self._recording, rest[0])}"
                unused[rest[0].resource] = {"exchanges": len(rest), "first": first}
        done = sum(
            exchange.on_the_wire for key, n in self._next.items() for exchange in self._courses[key][:n]
        )
        return {"order": "strict", "answered": done, "unused": unused, "divergence": self._divergence}

    def _known(self, resource: str) -> str:
        self._check()
        key = canonical(resource)
        if key not in self._courses:
            names = ", ".join(self._recording.resources) or "nothing"
            self._fail(
                f"{self._recording.path}: {resource} was not opened in the recording, which has {names}"
            )
        return key

    def _following(self, resource: str, op: str, sent: Any) -> Exchange:
        """The next exchange on the wire; openings that the program has left out are passed over."""
        key = self._known(resource)
        while (following := self._ahead(key)) is not None and not following.on_the_wire:
            self._next[key] += 1
        if following is None:
            why = (
                "it was cut short: its process was stopped or its disk was full"
                if self._recording.cut
                else "all is done"
            )
            shown = f" {sent!r}" if sent and len(sent) < 200 else ""
            self._fail(
                f"{self._recording.path} ends here for {resource}, after {self._next[key]} exchanges ({why}), "
                f"and the program goes on with: {op}{shown}"
            )
        return following

    def _ahead(self, key: str) -> Exchange | None:
        course, at = self._courses[key], self._next[key]
        return course[at] if at < len(course) else None

    def _step(self, exchange: Exchange) -> Exchange:
        self._next[canonical(exchange.resource)] += 1
        return exchange

    def _differ(self, expected: Exchange, op: str, sent: Any) -> NoReturn:
        index = self._next[canonical(expected.resource)] + 1
        self._fail(diverged(self._recording, index, expected, op, sent))

    def _fail(self, text: str) -> NoReturn:
        self._divergence = text
        raise Divergence(text)

    def _check(self) -> None:
        if self._divergence is not None:
            raise Divergence("the program has left the recording before, and nothing is answered any more")


class LooseOrder:
    """See the module."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._groups: dict[tuple[str, Any], list[tuple[int, list[Exchange]]]] = defaultdict(list)
        self._given: Counter[tuple[str, Any]] = Counter()
        self._answers: dict[str, list[Exchange]] = {}
        self._openings: dict[str, list[Exchange]] = defaultdict(list)
        self._strictly_next: Counter[str] = Counter()
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("out_of_order", "repeated", "unknown")
        }
        self._answered = 0
        for key, course in courses(recording).items():
            group: list[Exchange] = []
            number = 0
            for exchange in course:
                if exchange.op == "open":
                    self._openings[key].append(exchange)
                elif exchange.op == "read":
                    group.append(exchange)
                else:
                    group = [exchange]
                    self._groups[key, self._name(exchange)].append((number, group))
                    number += 1

    def opened(self, resource: str) -> Exchange | None:
        """See `Order`."""
        key = canonical(resource)
        if key not in self._openings:
            raise Divergence(
                f"{self._recording.path}: {resource} was not opened in the recording, "
                f"which has {', '.join(self._recording.resources)}"
            )
        left = self._openings[key]
        return left.pop(0) if len(left) > 1 else left[0]

    def written(self, resource: str, data: bytes, unread: bool) -> Exchange | None:
        """See `Order`."""
        return self._look_up(resource, data, data)

    def answer(self, resource: str, after: Exchange | None = None) -> Exchange | None:
        """See `Order`."""
        left = self._answers.get(canonical(resource), [])
        return left.pop(0) if left else None

    def called(self, resource: str, name: str, arguments: Sequence[Any]) -> Exchange | None:
        """See `Order`."""
        return self._look_up(resource, (name, tuple(arguments)), name.encode())

    def report(self) -> dict[str, Any]:
        """See `Order`."""
        counts = {name: dict(counter.most_common()) for name, counter in self._counts.items()}
        return {"order": "loose", "answered": self._answered, "loosely": counts, "divergence": None}

    def _look_up(self, resource: str, name: Any, shown: bytes) -> Exchange | None:
        key = canonical(resource)
        label = f"{resource}: {shown[:60].decode('ascii', 'replace').strip()}"
        groups = self._groups.get((key, name))
        if not groups:
            self._counts["unknown"][label] += 1
            self._answers[key] = []
            return None
        given = self._given[key, name]
        self._given[key, name] += 1
        number, group = groups[min(given, len(groups) - 1)]
        self._answered += 1
        if given >= len(groups):
            self._counts["repeated"][label] += 1
        elif number != self._strictly_next[key]:
            self._counts["out_of_order"][label] += 1
        self._strictly_next[key] = number + 1
        self._answers[key] = group[1:]
        return group[0]

    def _name(self, exchange: Exchange) -> Any:
        if exchange.op == "write":
            return self._recording.data(exchange)
        return exchange.op, tuple(exchange.arguments)


SILENCE = int(StatusCode.error_timeout)
"""What an answer that nobody recorded ends with."""
