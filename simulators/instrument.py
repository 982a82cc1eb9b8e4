"""The seam between an emulated instrument and the doors to it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from simulators.clock import VirtualClock
from simulators.framing import Framer, LineFramer
from simulators.instruments.terminals import Terminals


class NothingToRead(Exception):
    """The output queue is empty; `ready_at` is when an answer will be there, None if never."""

    def __init__(self, ready_at: float | None = None) -> None:
        super().__init__("the output queue is empty")
        self.ready_at = ready_at


class Disconnected(Exception):
    """The line to the instrument is down: a door reports a lost connection, and a new one may work again."""


@dataclass(frozen=True)
class Example:
    """How a model stands on a bench and how its stock driver is opened, for whoever tries it out.

    Attributes:
        address: a VISA resource name of the kind that the instrument has.
        options: the model's own, as in a bench file.
        arguments: what the stock driver takes besides name and address.
        before: messages that make it ready to be tried, such as one that switches the output on.
    """

    address: str = "TCPIP0::127.0.0.1::inst0::INSTR"
    options: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[str, ...] = ()


class VirtualInstrument(ABC):
    """A stateful object on a virtual clock that takes bytes and gives bytes.

    A door (the PyVISA backend, a socket, a pseudo-terminal) calls these methods and nothing else; what the
    instrument is wired to reaches it through its terminals.

    Attributes:
        title: maker, model and what it is, for lists of instruments.
        stock_driver: dotted name of the QCoDeS driver that it satisfies, empty if there is none.
        example: how to put it on a bench.
        ignores_termchar: whether it goes on to the end of its answer although the controller has asked it to
            stop at a termination character; on networks and USB that is the instrument's own business.
        terminals: its sockets; none unless a subclass has some.
    """

    title: ClassVar[str] = ""
    stock_driver: ClassVar[str] = ""
    example: ClassVar[Example] = Example()
    ignores_termchar: ClassVar[bool] = False

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.terminals = Terminals()

    @abstractmethod
    def write(self, data: bytes, end: bool = True) -> None:
        """Take bytes from the controller; `end` says that the transport marked the end of the message.

        May raise Disconnected, as may every other method here.
        """

    @abstractmethod
    def read(self, limit: int) -> tuple[bytes, bool]:
        """Give at most `limit` bytes of the answer and whether that was its last one.

        Raises NothingToRead when no answer is there at the clock's present time.
        """

    @abstractmethod
    def clear(self) -> None:
        """Device clear: empty the input and output buffers, keep settings and the error queue."""

    @abstractmethod
    def status_byte(self) -> int:
        """The status byte, as a serial poll reads it."""

    @abstractmethod
    def trigger(self) -> None:
        """Group execute trigger."""

    def standing_errors(self) -> tuple[int, ...]:
        """Codes of the errors in the queue, oldest first, which stay there: a look that no bus gives."""
        return ()

    def connected(self) -> None:  # noqa: B027 - most instruments let anybody in
        """A controller opens a connection; raises Disconnected where it cannot have one now.

        After Disconnected a door gives a connection up and calls this for the next one.
        """

    def query_timed_out(self) -> None:  # noqa: B027 - most protocols do not notice
        """The controller gave up waiting for an answer."""

    # What a door with several clients asks. The defaults suit a protocol of short lines.

    def framer(self) -> Framer:
        """What finds the ends of messages in one client's stream; lines, unless the protocol says otherwise.

        A protocol whose messages do not end with CR or LF needs its own: nothing would ever be handed over.
        """
        return LineFramer()

    @property
    def answer_due(self) -> bool:
        """Whether an answer is still to come although `read` cannot say when."""
        return False

    def refuse(self, error: Exception) -> None:  # noqa: B027 - most protocols drop it without a word
        """A door dropped a message that was too long, with the framer's `error` in its place."""

    def answer_lost(self) -> None:  # noqa: B027 - most protocols do not notice
        """A message came before the controller had read an answer that the door had already taken."""
