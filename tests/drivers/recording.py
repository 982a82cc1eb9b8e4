"""A VISA resource that writes down what it is sent and answers from a script.

The stock QCoDeS drivers take it as their open resource, so what is tested is what they put on the line.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyvisa.constants
import pyvisa.errors

Answer = str | Callable[[], str]


class Recording:
    """An open message-based resource; `answers` maps queries to replies."""

    def __init__(
        self, answers: dict[str, Answer], address: str = "TCPIP0::192.168.8.17::5025::SOCKET"
    ) -> None:
        self.answers = answers
        self.resource_name = address
        self.visalib = self
        self.timeout: float = 5000.0
        self.timeouts: list[float] = []
        self.sent: list[Any] = []
        self.stale: list[str] = []
        self.block = np.empty(0)
        self.clears = 0
        self.can_clear = True
        self.write_termination = self.read_termination = "\n"
        self.baud_rate = 9600

    def write(self, command: str) -> None:
        self.sent.append(command)

    def query(self, command: str) -> str:
        self.sent.append(command)
        if self.stale:
            return self.stale.pop(0)
        answer = self.answers.get(command)
        if answer is None:
            raise timeout()
        return answer if isinstance(answer, str) else answer()

    def read_raw(self) -> bytes:
        if not self.stale:
            raise timeout()
        return self.stale.pop(0).encode()

    def write_binary_values(self, command: str, values: Sequence[float], datatype: str = "f") -> None:
        assert datatype == "f"
        self.sent.append((command, np.asarray(values, dtype=np.float32)))

    def query_binary_values(self, command: str, datatype: str, is_big_endian: bool, container: Any) -> Any:
        self.sent.append((command, datatype, is_big_endian))
        self.timeouts.append(self.timeout)
        if not len(self.block):
            raise timeout()
        return container(self.block)

    def clear(self) -> None:
        if not self.can_clear:
            raise pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_nonsupported_operation)
        self.clears += 1
        self.stale.clear()

    @property
    def session(self) -> None:
        """None: already closed, which spares the drivers the closing."""

    def close(self) -> None:
        pass

    def since(self, mark: int) -> list[Any]:
        """What was sent after `mark` entries."""
        return self.sent[mark:]


def timeout() -> pyvisa.errors.VisaIOError:
    return pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
