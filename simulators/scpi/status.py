"""The status model of IEEE 488.2 (chapter 11) and SCPI-99 (volume 1, chapter 9)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulators.scpi.errors import ScpiError, event_bit

# Standard event status register
OPERATION_COMPLETE = 1 << 0
REQUEST_CONTROL = 1 << 1
QUERY_ERROR = 1 << 2
DEVICE_ERROR = 1 << 3
EXECUTION_ERROR = 1 << 4
COMMAND_ERROR = 1 << 5
USER_REQUEST = 1 << 6
POWER_ON = 1 << 7

# Status byte
ERROR_AVAILABLE = 1 << 2
QUESTIONABLE_SUMMARY = 1 << 3
MESSAGE_AVAILABLE = 1 << 4
EVENT_SUMMARY = 1 << 5
MASTER_SUMMARY = 1 << 6  # in *STB?; in a serial poll this bit is RQS
OPERATION_SUMMARY = 1 << 7


@dataclass
class StatusRegister:
    """A SCPI status register: condition, transition filters, event, enable; 15 bits."""

    condition: int = 0
    event: int = 0
    enable: int = 0
    positive: int = 0x7FFF
    negative: int = 0

    def set_condition(self, condition: int) -> None:
        """Put a new condition; filtered transitions set event bits."""
        rising = condition & ~self.condition & self.positive
        falling = self.condition & ~condition & self.negative
        self.event |= (rising | falling) & 0x7FFF
        self.condition = condition & 0x7FFF

    def raise_bit(self, bit: int, state: bool = True) -> None:
        """Set or clear one condition bit (a mask)."""
        self.set_condition(self.condition | bit if state else self.condition & ~bit)

    def read_event(self) -> int:
        """Give and clear the events."""
        event, self.event = self.event, 0
        return event

    def preset(self) -> None:
        """STATus:PRESet: nothing enabled, positive transitions only."""
        self.enable, self.positive, self.negative = 0, 0x7FFF, 0

    @property
    def summary(self) -> bool:
        """Whether an enabled event is set."""
        return bool(self.event & self.enable)


class ErrorQueue:
    """First in, first out; when full, the newest entry becomes -350."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._entries: deque[ScpiError] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[ScpiError]:
        return iter(self._entries)

    def push(self, error: ScpiError) -> ScpiError:
        """Put an error in; gives the entry that is now the newest."""
        if len(self._entries) >= self._depth:
            error = ScpiError(-350)
            self._entries[-1] = error
        else:
            self._entries.append(error)
        return error

    def pop(self) -> ScpiError:
        """Take the oldest entry; code 0 when there is none."""
        return self._entries.popleft() if self._entries else ScpiError(0)

    def clear(self) -> None:
        """Empty the queue."""
        self._entries.clear()


@dataclass
class StatusModel:
    """All registers of one instrument, their enables and the service request.

    `others` are the instrument's own registers, by the bit of the status byte that sums each up.
    """

    errors: ErrorQueue
    events: int = POWER_ON
    event_enable: int = 0
    service_enable: int = 0
    operation: StatusRegister = field(default_factory=StatusRegister)
    questionable: StatusRegister = field(default_factory=StatusRegister)
    others: dict[int, StatusRegister] = field(default_factory=dict)
    requesting: bool = False
    _reasons: int = 0

    def report(self, error: ScpiError) -> None:
        """Enter an error in the queue and its class in the standard events."""
        self.events |= event_bit(error.code)
        entered = self.errors.push(error)
        if entered is not error:
            self.events |= event_bit(entered.code)

    def read_events(self) -> int:
        """*ESR?: give and clear the standard events."""
        events, self.events = self.events, 0
        return events

    def clear(self) -> None:
        """*CLS: all events and the error queue; enables stay."""
        self.events = 0
        self.operation.event = 0
        self.questionable.event = 0
        for register in self.others.values():
            register.event = 0
        self.errors.clear()

    def summary(self, message_available: bool) -> int:
        """The status byte with MSS in bit 6, as *STB? gives it."""
        byte = 0
        if len(self.errors):
            byte |= ERROR_AVAILABLE
        if self.questionable.summary:
            byte |= QUESTIONABLE_SUMMARY
        if message_available:
            byte |= MESSAGE_AVAILABLE
        if self.events & self.event_enable:
            byte |= EVENT_SUMMARY
        if self.operation.summary:
            byte |= OPERATION_SUMMARY
        for bit, register in self.others.items():
            if register.summary:
                byte |= bit
        if byte & self.service_enable:
            byte |= MASTER_SUMMARY
        return byte

    def update_request(self, message_available: bool) -> None:
        """Latch a service request when a new enabled reason has appeared."""
        reasons = self.summary(message_available) & self.service_enable & ~MASTER_SUMMARY
        if reasons & ~self._reasons:
            self.requesting = True
        elif not reasons:
            self.requesting = False
        self._reasons = reasons

    def serial_poll(self, message_available: bool) -> int:
        """The status byte with RQS in bit 6; the poll takes the request back."""
        self.update_request(message_available)
        byte = self.summary(message_available) & ~MASTER_SUMMARY
        if self.requesting:
            byte |= MASTER_SUMMARY
        self.requesting = False
        return byte
