"""The message exchange of IEEE 488.2 (chapter 6): bytes in, execution in order, answers out.

A message is executed unit by unit at the clock's present time. A unit whose result comes Later holds up all
that follows, as a busy instrument does; execution goes on by itself when the clock gets there.
"""

import logging
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from simulators.clock import VirtualClock
from simulators.instrument import NothingToRead, VirtualInstrument
from simulators.scpi.declare import Declaration, collect, limits_of
from simulators.scpi.errors import ScpiError
from simulators.scpi.framing import MessageFramer
from simulators.scpi.headers import HeaderTree, Leaf, absolute
from simulators.scpi.message import Unit, split_message
from simulators.scpi.parameters import ChannelList, Integer, Number, Parameter, Token
from simulators.scpi.replies import Later, real, render
from simulators.scpi.status import ErrorQueue, StatusModel

logger = logging.getLogger(__name__)

_CACHED_MESSAGES = 4096
_LONGEST_CACHED = 512


@dataclass(frozen=True, slots=True)
class _Step:
    """A unit ready to run: the handler with its suffixes, and what its parameters have still to become."""

    handler: Callable[..., Any]
    query: bool
    suffixes: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    tokens: tuple[Token, ...] = ()
    channels: tuple[int, ...] | None = None


class MessageExchange(VirtualInstrument):
    """A virtual instrument whose commands are declared with `command` and `query`.

    `channel_lists`: a trailing `(@1,3:5)` on a header with one # runs it for each channel.
    `suffix_limits`: the highest number of a node, by its short form; others take any number from 1.
    `interrupts`: an unread answer is lost, with -410, when the next message arrives, and reading without a
    question is -420; false for an instrument that only has byte streams (serial, raw sockets).
    """

    channel_lists: ClassVar[bool] = False
    suffix_limits: ClassVar[Mapping[str, int]] = {}
    interrupts: bool = True
    input_limit: ClassVar[int] = 1 << 26
    error_queue_depth: ClassVar[int] = 20
    response_terminator: ClassVar[bytes] = b"\n"
    _tree: ClassVar[HeaderTree[Declaration]] = HeaderTree()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._tree = collect(cls)

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.status = StatusModel(ErrorQueue(self.error_queue_depth))
        self._framer = MessageFramer(self.input_limit)
        self._incoming: deque[bytes] = deque()
        self._steps: deque[_Step] = deque()
        self._answers: list[bytes] = []
        self._blocked: tuple[_Step, Later] | None = None
        self._output: deque[bytes] = deque()
        self._read_position = 0
        self._compiled: dict[bytes, tuple[_Step, ...]] = {}
        self._wake_at = math.inf
        self._awaiting_complete = False
        self._running = False

    # What a personality may override ----------------------------------------------------------------------

    def operation_complete_at(self) -> float:
        """The instant at which everything now under way has ended; infinity while that is unknown."""
        return -math.inf

    def on_trigger(self) -> None:
        """A *TRG or a group execute trigger; an instrument that waits for none answers -211."""
        raise ScpiError(-211)

    def on_clear(self) -> None:
        """A device clear, after the buffers have been emptied; settings must stay."""

    def mend(self, message: bytes) -> bytes:
        """The program message to parse instead of one that the instrument forgives."""
        return message

    def format_real(self, value: float) -> str:
        """Write a float in an answer."""
        return real(value)

    def finished(self, answers: Sequence[bytes]) -> bytes:
        """One response message of the answers to all queries of one message."""
        return b";".join(answers) + self.response_terminator

    # The door's side --------------------------------------------------------------------------------------

    def write(self, data: bytes, end: bool = True) -> None:
        """Take bytes; every message they complete is executed, as far as nothing holds it up."""
        for message in self._framer.feed(data, end):
            if isinstance(message, bytes):
                self._incoming.append(message)
            elif self._output and self.interrupts:
                # input and output are both full: IEEE 488.2, 6.3.1.7
                self._drop_output()
                self.report(ScpiError(-430))
            else:
                self.report(message)
        self.progress()

    def read(self, limit: int) -> tuple[bytes, bool]:
        """Give at most `limit` bytes of the oldest answer, and whether that was its end."""
        if not self._output:
            self.progress()
            if not self._output:
                raise NothingToRead(self._ready_at())
        answer = self._output[0]
        start = self._read_position
        stop = start + limit
        if stop < len(answer):
            self._read_position = stop
            return answer[start:stop], False
        self._output.popleft()
        self._read_position = 0
        return (answer[start:] if start else answer), True

    def clear(self) -> None:
        """Empty the buffers, stop waiting for anything; settings, events and the error queue stay."""
        self._framer.clear()
        self._incoming.clear()
        self._steps.clear()
        self._answers.clear()
        self._blocked = None
        self._awaiting_complete = False
        self._drop_output()
        self._guard(self.on_clear)
        self.progress()

    def status_byte(self) -> int:
        """The status byte with RQS in bit 6; the poll takes the request back."""
        self.progress()
        return self.status.serial_poll(bool(self._output))

    def trigger(self) -> None:
        """Group execute trigger, in order with the messages before it."""
        if self._blocked is None:
            self._guard(self.on_trigger)
            self.progress()
        else:
            self._incoming.append(b"*TRG")

    def query_timed_out(self) -> None:
        """The controller waited for an answer in vain: -420 unless one is still being made."""
        self.progress()
        if self.interrupts and self._blocked is None and not self._output:
            self.report(ScpiError(-420))
            self.progress()

    def framer(self) -> MessageFramer:
        """What finds the ends of program messages; it knows blocks."""
        return MessageFramer(self.input_limit, whole=True)

    def refuse(self, error: Exception) -> None:
        """A door dropped a message that was too long: -363."""
        self.report(error if isinstance(error, ScpiError) else ScpiError(-363, str(error)))

    def answer_lost(self) -> None:
        """Query INTERRUPTED, where the instrument's interface can tell."""
        if self.interrupts:
            self.report(ScpiError(-410))

    @property
    def answer_due(self) -> bool:
        """Whether a query is held up, or waits behind something that is."""
        return self._blocked is not None and (
            bool(self._answers)
            or self._blocked[0].query
            or any(step.query for step in self._steps)
            or any(b"?" in message for message in self._incoming)
        )

    @property
    def service_requested(self) -> bool:
        """Whether the instrument asserts a service request (a serial poll takes it back)."""
        self.progress()
        self._update_request()
        return self.status.requesting

    @property
    def message_available(self) -> bool:
        """Whether an answer, or the rest of one, can be read now."""
        return bool(self._output)

    # Execution --------------------------------------------------------------------------------------------

    def report(self, error: ScpiError) -> None:
        """Enter an error in the queue and the standard event status register."""
        self.status.report(error)

    def progress(self) -> None:
        """Execute whatever can be executed at the clock's present time."""
        if self._running:
            return
        self._running = True
        try:
            while self._blocked is None or self._unblock():
                if self._steps:
                    self._run(self._steps.popleft())
                    if self.status.service_enable:
                        self._update_request()  # a later unit may take back what this one asked for
                elif self._answers:
                    self._output.append(self.finished(self._answers))
                    self._answers.clear()
                elif self._incoming:
                    self._begin(self._incoming.popleft())
                else:
                    break
        finally:
            self._running = False
        if self._awaiting_complete:
            self._check_complete()
        if self.status.service_enable:
            self._update_request()

    def _begin(self, message: bytes) -> None:
        steps = self._compiled.get(message)
        if steps is None:
            steps = self._compile(message)
            if len(message) <= _LONGEST_CACHED:
                if len(self._compiled) >= _CACHED_MESSAGES:
                    self._compiled.clear()
                self._compiled[message] = steps
        if steps and self._output and self.interrupts:
            self._drop_output()
            self.report(ScpiError(-410))
        self._steps.extend(steps)

    def _run(self, step: _Step) -> None:
        try:
            if step.channels is None:
                arguments = self._arguments(step, step.suffixes) if step.parameters else ()
                result = step.handler(*step.suffixes, *arguments)
            else:
                result = _joined(
                    [step.handler(c, *self._arguments(step, (c,))) for c in step.channels], step.query
                )
            if isinstance(result, Later):
                self._blocked = (step, result)
            elif step.query:
                self._answers.append(render(result, self.format_real))
        except Exception as error:
            self._fail(error)

    def _unblock(self) -> bool:
        """Finish the held-up step if its instant has come; otherwise see to being woken then."""
        if self._blocked is None:
            return True
        step, later = self._blocked
        try:
            instant = later.instant()
            if instant > self.clock.now:
                self._wake(instant)
                return False
            self._blocked = None
            result = later.produce()
            if isinstance(result, Later):
                self._blocked = (step, result)
            elif step.query:
                self._answers.append(render(result, self.format_real))
        except Exception as error:
            self._blocked = None
            self._fail(error)
        return True

    def _guard(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, ScpiError):
            logger.error("%s: a handler failed", type(self).__name__, exc_info=error)
            error = ScpiError(-310, f"{type(error).__name__}: {error}"[:200])
        self.report(error)
        if -199 <= error.code <= -100:
            self._steps.clear()  # IEEE 488.2, 6.1.7.1.2: after a command error the rest may mean anything

    def _arguments(self, step: _Step, suffixes: Sequence[int]) -> list[Any]:
        arguments: list[Any] = []
        tokens = step.tokens
        for index, parameter in enumerate(step.parameters):
            if index >= len(tokens):
                arguments.append(parameter.default)
            elif parameter.takes_rest:
                arguments.append(parameter.convert_rest(tokens[index:], self, suffixes))
            else:
                arguments.append(parameter.convert(tokens[index], self, suffixes))
        return arguments

    # Compilation ------------------------------------------------------------------------------------------

    def _compile(self, message: bytes) -> tuple[_Step, ...]:
        steps: list[_Step] = []
        path = ""
        for unit in split_message(self.mend(message)):
            try:
                if unit.fault is not None:
                    raise unit.fault
                header, path = absolute(unit.header, path)
                steps.append(self._step(header, unit))
            except ScpiError as error:
                steps.append(_Step(_raiser(error), unit.query))
                break
        return tuple(steps)

    def _step(self, header: str, unit: Unit) -> _Step:
        leaf, suffixes = self._tree.find(header, query=unit.query)
        declaration = leaf.target
        self._check_suffixes(leaf, suffixes)
        tokens = unit.parameters
        channels: tuple[int, ...] | None = None
        if self.channel_lists and len(suffixes) == 1 and tokens and _is_list(tokens[-1]):
            last = declaration.parameters[-1] if declaration.parameters else None
            if not isinstance(last, ChannelList):
                limit = self.suffix_limits.get(leaf.names[0])
                channels = ChannelList(limit).convert(tokens[-1], self, ())
                tokens = tokens[:-1]
        handler = getattr(self, declaration.handler)
        parameters = declaration.parameters
        if unit.query and len(tokens) == 1 and not any(each.on_wire for each in parameters):
            bound = self._bound_query(header, tokens[0])
            if bound is not None:
                return _Step(bound, True, suffixes, channels=channels)
        _check_count(header, parameters, tokens)
        return _Step(handler, unit.query, suffixes, parameters, tokens, channels)

    def _check_suffixes(self, leaf: Leaf[Declaration], suffixes: Sequence[int]) -> None:
        for name, number in zip(leaf.names, suffixes, strict=True):
            limit = self.suffix_limits.get(name)
            if number < 1 or (limit is not None and number > limit):
                raise ScpiError(-114, f"{name}{number}")

    def _bound_query(self, header: str, token: Token) -> Callable[..., float] | None:
        """`VOLT? MAX`: what the matching command's number says."""
        if isinstance(token, bytes) or token.upper()[:3] not in ("MIN", "MAX", "DEF"):
            return None
        try:
            leaf, _ = self._tree.find(header, query=False)
        except ScpiError:
            return None
        number = limits_of(leaf.target)
        return None if number is None else _bound_of(number, token, self)

    # Waking, requests -------------------------------------------------------------------------------------

    def _wake(self, instant: float) -> None:
        if math.isfinite(instant) and not self.clock.now < self._wake_at <= instant:
            self._wake_at = instant
            self.clock.schedule(instant, self.progress)

    def _check_complete(self) -> None:
        instant = self.operation_complete_at()
        if instant <= self.clock.now:
            self._awaiting_complete = False
            self.status.events |= 1
        else:
            self._wake(instant)

    def _update_request(self) -> None:
        self.status.update_request(bool(self._output))

    def _ready_at(self) -> float | None:
        if self._blocked is None or not self.answer_due:
            return None
        instant = self._blocked[1].instant()
        return instant if math.isfinite(instant) else None

    def _drop_output(self) -> None:
        self._output.clear()
        self._read_position = 0


def _is_list(token: Token) -> bool:
    return isinstance(token, str) and token.startswith("(") and token[1:].lstrip().startswith("@")


def _check_count(header: str, parameters: Sequence[Parameter], tokens: Sequence[Token]) -> None:
    if len(tokens) < len(parameters) and parameters[len(tokens)].required:
        raise ScpiError(-109, header[:40])
    if len(tokens) > len(parameters) and not (parameters and parameters[-1].takes_rest):
        raise ScpiError(-108, header[:40])


def _raiser(error: ScpiError) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise ScpiError(error.code, error.detail, error.text)

    return fail


def _bound_of(number: Number, token: str, instrument: MessageExchange) -> Callable[..., float]:
    def answer(*suffixes: int) -> float:
        value = number.keyword(token, instrument, suffixes)
        if value is None:
            raise ScpiError(-224, token)
        return round(value) if isinstance(number, Integer) else value

    return answer


def _joined(results: list[Any], query: bool) -> Any:
    """One result for all channels; it is there when the last of them is."""
    waits = [result for result in results if isinstance(result, Later)]
    if not waits:
        return results
    return Later(
        lambda: max(wait.instant() for wait in waits),
        lambda: [result.produce() if isinstance(result, Later) else result for result in results],
    )
