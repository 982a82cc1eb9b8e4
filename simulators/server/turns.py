"""Whose turn it is: one message of one client at a time, and virtual time when nobody has one.

Every client's messages wait in its own queue. Turns go round the clients in the order in which they had
something to say; after a number of messages in a row it is the next one's turn, so that none can starve
another. An instrument deals with one exchange at a time: it is over when the instrument has nothing more to
say, and until then other clients of that instrument wait.

Virtual time moves as it does in process. An exchange costs what the line costs. When no client has a message
left, the clock goes at once to the next answer that is known to come. When nobody knows (a measurement that
waits for another instrument's trigger), the answer is looked for again after every exchange, and meanwhile time
creeps on, from one scheduled event to the next, and at least as fast as the clients' own timeouts run.
"""

import asyncio
import logging
import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pyvisa.constants import Lock, StatusCode

from simulators.clock import VirtualClock
from simulators.instrument import Disconnected, NothingToRead
from simulators.line import Line
from simulators.visa.locks import ResourceLock

logger = logging.getLogger(__name__)

_CHUNK = 1 << 18
_MOST_CLIENTS = 64  # of one instrument
_MOST_IN_A_ROW = 16  # messages of one client before it is the next one's turn
_CREEP_s = 2e-3  # how often, on the wall's clock, an answer that nobody can date is looked for
_FARTHEST_s = 1.0  # how far one such look may go along the events that are scheduled


@dataclass(eq=False)
class Served:
    """One instrument as its doors see it: all clients to it share what follows."""

    name: str
    line: Line
    lock: ResourceLock = field(default_factory=ResourceLock)
    client: "Client | None" = None  # whose exchange is under way
    ready_at: float | None = None  # when its answer comes, if that is known
    clients: "set[Client]" = field(default_factory=set)

    def admit(self, client: "Client") -> bool:
        """Let a client in, unless there are too many already or the line to the instrument is down."""
        if len(self.clients) >= _MOST_CLIENTS:
            return False
        try:
            self.line.instrument.connected()
        except Disconnected:
            return False
        self.clients.add(client)
        return True


class Client(ABC):
    """One connection to one instrument.

    Attributes:
        pending: what is still to be done with the instrument, in order.
        writable: false while the other side does not read what it has been sent.
        leaving: nothing more comes from it, and it does not wait for what nobody can date.
        in_a_row: how many turns it has had since another's.
    """

    def __init__(self, served: Served, turns: "Turns") -> None:
        self.served = served
        self.turns = turns
        self.pending: deque[Callable[[], None]] = deque()
        self.writable = True
        self.leaving = False
        self.in_a_row = 0

    @abstractmethod
    def answer(self, chunk: bytes, end: bool) -> None:
        """Send on what the instrument says; `end` after the last of one answer."""

    @abstractmethod
    def hang_up(self) -> None:
        """The line to the instrument is down: end the connection."""

    def settled(self) -> None:  # noqa: B027 - nothing to do for most
        """All that the client has asked for is done."""


class Turns:
    """Runs the exchanges of one bench in the event loop that is running."""

    def __init__(self, clock: VirtualClock, *, real_time: bool = False) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._epoch = time.monotonic() - clock.now if real_time else None
        self._waiting: deque[Client] = deque()
        self._held: set[Served] = set()
        self._next: asyncio.Handle | None = None
        self._looked_s = time.monotonic()  # when those who wait without a date were last seen to

    def submit(self, client: Client, action: Callable[[], None]) -> None:
        """Let `action` be done with the client's instrument when its turn comes."""
        if not client.pending:
            self._waiting.append(client)
        client.pending.append(action)
        self.wake()

    def withdraw(self, client: Client) -> None:
        """Drop what the client has asked for and not yet got a turn for."""
        client.pending.clear()
        if client in self._waiting:
            self._waiting.remove(client)

    def forget(self, client: Client) -> None:
        """The client is gone. An answer that still keeps the instrument busy is given up by a device clear."""
        self.withdraw(client)
        served = client.served
        served.clients.discard(client)
        served.lock.abandon(id(client))
        if served.client is client:
            self.clear(client)
        self.wake()

    def clear(self, client: Client) -> None:
        """Device clear; an exchange that is under way is over, whoever began it."""
        served = client.served
        served.client = None
        served.line.answering = False
        self._held.discard(served)
        try:
            served.line.instrument.clear()
        except Disconnected:
            client.hang_up()
        self.wake()

    def lock(
        self, client: Client, key: str | None, timeout_s: float, then: Callable[[StatusCode], None]
    ) -> None:
        """Lock the client's instrument, exclusively without a key; wait for it, and tell how it came out."""
        self._try_lock(client, key, self._loop.time() + timeout_s, then)

    def _try_lock(
        self, client: Client, key: str | None, deadline: float, then: Callable[[StatusCode], None]
    ) -> None:
        served = client.served
        if client not in served.clients:
            return
        _, status = served.lock.acquire(id(client), Lock.exclusive if key is None else Lock.shared, key)
        if status == StatusCode.error_resource_locked and self._loop.time() < deadline:
            self._loop.call_later(_CREEP_s, self._try_lock, client, key, deadline, then)
        else:
            then(status)

    def now(self) -> float:
        """The clock's time; with real time, after it has followed the wall's."""
        if self._epoch is not None:
            self._clock.advance_to(time.monotonic() - self._epoch)
        return self._clock.now

    def wake(self) -> None:
        """Something has changed: look soon whether anything can go on."""
        if self._next is not None:
            if not isinstance(self._next, asyncio.TimerHandle):
                return
            self._next.cancel()
        self._next = self._loop.call_soon(self._turn)

    def close(self) -> None:
        """No more turns."""
        if self._next is not None:
            self._next.cancel()

    def _turn(self) -> None:
        self._next = None
        client = self._whose_turn()
        try:
            self.now()
            if self._epoch is None:
                self._move_time(at_once=client is None)
        except Exception:  # an event's own; it is not any client's doing
            logger.exception("an event on the bench failed")
        if client is not None and client.pending:
            self._run(client)
        self._collect_all()
        self._plan()

    def _whose_turn(self) -> Client | None:
        for _ in range(len(self._waiting)):
            client = self._waiting.popleft()
            if self._may_run(client):
                return client
            self._waiting.append(client)
        return None

    def _may_run(self, client: Client) -> bool:
        served = client.served
        free = served.client is None and client.writable
        return free and (not served.lock.held or served.lock.admits(id(client)))

    def _run(self, client: Client) -> None:
        served, action = client.served, client.pending.popleft()
        client.in_a_row += 1
        if client.pending and client.in_a_row < _MOST_IN_A_ROW:
            self._waiting.appendleft(client)
        else:
            client.in_a_row = 0
            if client.pending:
                self._waiting.append(client)
        served.client = client
        try:
            action()
        except Exception as error:
            self._lose(client, error)
        self._collect(served)

    def _collect_all(self) -> None:
        for served in list(self._held):
            self._collect(served)

    def _collect(self, served: Served) -> None:
        """Send on what the instrument has to say; the exchange is over when no more is to come."""
        client = served.client
        if client is None:
            return
        self._held.add(served)
        served.ready_at = None
        try:
            while client.writable:
                client.answer(*served.line.receive(_CHUNK))
        except NothingToRead as nothing:
            served.ready_at = nothing.ready_at
            if nothing.ready_at is not None:
                return
            if not served.line.instrument.answer_due:
                served.client = None
                self._held.discard(served)
                if not client.pending:
                    client.settled()
            elif client.leaving:
                client.hang_up()
                self.forget(client)
        except Exception as error:
            self._lose(client, error)

    def _lose(self, client: Client, error: Exception) -> None:
        if not isinstance(error, Disconnected):
            logger.error("%s: its emulation failed", client.served.name, exc_info=error)
        client.hang_up()
        self.forget(client)

    def _awaited(self) -> tuple[list[float], bool]:
        """The instants at which answers are known to come, and whether some come at none that is known."""
        awaited = [served for served in self._held if served.client is not None and served.client.writable]
        known = [served.ready_at for served in awaited if served.ready_at is not None]
        return known, len(known) < len(awaited)

    def _move_time(self, at_once: bool) -> None:
        """Go on to the next answer that is known to come, or creep when it is time to."""
        known, unknown = self._awaited()
        if not unknown:
            self._looked_s = time.monotonic()
        elapsed_s = time.monotonic() - self._looked_s
        if known and at_once:
            self._clock.advance_to(min(known))
        elif unknown and not known and elapsed_s >= _CREEP_s:
            self._follow_events()
            self._clock.advance(min(elapsed_s, _FARTHEST_s))
            self._looked_s = time.monotonic()

    def _follow_events(self) -> None:
        """Go from one scheduled event to the next, until one of them settles when an answer comes."""
        farthest, until = self._clock.now + _FARTHEST_s, time.monotonic() + _CREEP_s / 2
        while (instant := self._clock.next_event) is not None and instant <= farthest:
            self._clock.advance_to(instant)
            self._collect_all()
            known, unknown = self._awaited()
            if known or not unknown or time.monotonic() > until:
                return

    def _plan(self) -> None:
        """See to the next turn, if there is anything to expect of one."""
        if self._next is not None:
            return
        known, unknown = self._awaited()
        if any(map(self._may_run, self._waiting)) or (known and self._epoch is None):
            self._next = self._loop.call_soon(self._turn)
        elif known or unknown:
            wait_s = _CREEP_s if unknown else math.inf
            if known:
                wait_s = min(wait_s, max(min(known) - self._clock.now, 0.0))
            self._next = self._loop.call_later(wait_s, self._turn)
