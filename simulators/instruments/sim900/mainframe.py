"""The SIM900 mainframe: a host's messages, and the ports behind which its modules wait.

Commands: SRS, Operation and Service Manual of the SIM900, chapter 2. The lines between the mainframe and
its modules are taken as infinitely fast: an answer is in its port's buffer as soon as it has been asked for.
"""

import re
import zlib
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from simulators.clock import VirtualClock
from simulators.instrument import Example, NothingToRead, VirtualInstrument
from simulators.instruments.sim900.device import INPUT_BUFFER, OVERRUN, SimDevice, masked
from simulators.instruments.sim900.language import (
    BAD_BLOCK,
    BAD_TOKEN_VALUE,
    ENDS,
    ILLEGAL_VALUE,
    TERMINATORS,
    CommandFault,
    ExecutionFault,
    Message,
    Parameter,
    Whole,
    form,
    split_commands,
)
from simulators.instruments.sim900.sim928 import Sim928
from simulators.instruments.terminals import Terminals

SLOTS = range(1, 9)
_PORTS = "123456789ABCD"
"""Slots, the remote module's port, two auxiliary serial ports, the coprocessor and the host."""
_HOST = "D"
_MODULES = {"sim928": Sim928}
_INPUT_BUFFER, _PORT_BUFFER, _LARGEST_BLOCK = 4096, 1024, 999
_LINE = re.compile(rb"(?P<end>[\r\n])|[ ,]#(?P<digits>[1-9])|\"[^\"\r\n]*\"|'[^'\r\n]*'")


class _Port(Parameter):
    """One of the mainframe's ports, by its digit or letter."""

    def read(self, text: bytes) -> str:
        """See `Parameter.read`."""
        name = text.decode("latin-1").upper()
        if len(name) != 1 or name not in _PORTS:
            raise CommandFault(BAD_TOKEN_VALUE)
        return name


_PORT, _COUNT, _MESSAGE = _Port(), Whole(1, _PORT_BUFFER), Message()
_PORT_MASK, _PORT_BIT = Whole(0, 0xFFFF), Whole(0, 15)


class Sim900(SimDevice, VirtualInstrument):
    """An emulated SRS SIM900 mainframe with SIM928 isolated voltage sources in its slots.

    Sockets: a source "1" to "8" for each slot that holds a SIM928.

    Args:
        rng: draws each module's small errors and the age of its batteries.
        clock_error: has no effect: neither the mainframe nor a SIM928 keeps time that matters here.
        modules: the model in each slot, such as `{1: sim928, 3: sim928}`.

    Raises:
        ValueError: a slot or a model that there is not.
        TypeError: modules without slots.
    """

    title = "SRS SIM900: mainframe with SIM928 isolated voltage sources"
    stock_driver = "qcodes_contrib_drivers.drivers.StanfordResearchSystems.SIM928.SIM928"
    example = Example("GPIB0::2::INSTR", options={"modules": {1: "sim928", 3: "sim928"}})

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        modules: Mapping[int, str] = MappingProxyType({1: "sim928"}),
    ) -> None:
        VirtualInstrument.__init__(self, clock)
        SimDevice.__init__(self, f"Stanford_Research_Systems,SIM900,s/n{serial},ver3.6")
        if not isinstance(modules, Mapping):
            raise TypeError(f"modules: {modules!r} does not say which slot holds what; write {{1: sim928}}")
        self.modules: dict[str, Sim928] = {}
        for slot, model in modules.items():
            if slot not in SLOTS:
                raise ValueError(f"modules: there is no slot {slot!r}; slots are 1 to {SLOTS[-1]}")
            if model not in _MODULES:
                raise ValueError(f"modules: slot {slot}: no {model!r}; there are {', '.join(_MODULES)}")
            number = f"{zlib.crc32(f'{serial}/{slot}'.encode()) % 1_000_000:06d}"
            self.modules[str(slot)] = _MODULES[model](clock, number, rng, noise)
        self.terminals = self._sockets()
        self._port_buffers = {port: bytearray() for port in _PORTS}
        self._port_terms = dict.fromkeys(_PORTS, TERMINATORS.words["CRLF"])
        self._passed_on = self._broadcast_to = 0
        self._raw = bytearray()
        self._commands: deque[list[bytes]] = deque()
        self._connected: str | None = None
        self._escape = b""
        self._busy_until_s = clock.now
        self._output: deque[bytes] = deque()
        self._read_position = 0

    def _sockets(self) -> Terminals:
        sockets = Terminals()
        for slot, module in self.modules.items():
            sockets.sources[slot] = module.output
            sockets.loads[slot] = module.output.add_load
            sockets.keepers.append(module.output.keep_for)
        return sockets

    # The door's side --------------------------------------------------------------------------------------

    def write(self, data: bytes, end: bool = True) -> None:
        """See `VirtualInstrument.write`; an END counts as a terminator, but not for a connected port."""
        self._raw += data
        if end and self._connected is None and not self._raw.endswith((b"\r", b"\n")):
            self._raw += b"\n"
        self._progress()
        if self._connected is None and not self._busy:
            if end and self._raw:  # a block that has not come whole
                self._raw.clear()
                self.command_fault(BAD_BLOCK)
            elif len(self._raw) > _INPUT_BUFFER:
                self._raw.clear()
                self.standard.events |= INPUT_BUFFER
                self.communication.events |= OVERRUN

    def read(self, limit: int) -> tuple[bytes, bool]:
        """See `VirtualInstrument.read`."""
        self._progress()
        if not self._output:
            raise NothingToRead(self._busy_until_s if self._busy else None)
        answer, start = self._output[0], self._read_position
        if start + limit < len(answer):
            self._read_position = start + limit
            return answer[start : start + limit], False
        self._output.popleft()
        self._read_position = 0
        return answer[start:], True

    def clear(self) -> None:
        """See `VirtualInstrument.clear`; a connection to a port ends."""
        self._raw.clear()
        self._commands.clear()
        self._output.clear()
        self._read_position = 0
        self._connected = None
        self._busy_until_s = self.clock.now

    def status_byte(self) -> int:
        """See `VirtualInstrument.status_byte`."""
        self._progress()
        return self.summary()

    def trigger(self) -> None:
        """Nothing here waits for a trigger."""

    @property
    def service_requested(self) -> bool:
        """Whether the mainframe asserts a service request."""
        return bool(self.status_byte() & 1 << 6)

    # Execution --------------------------------------------------------------------------------------------

    @property
    def _busy(self) -> bool:
        return self.clock.now < self._busy_until_s

    def _progress(self) -> None:
        """Take what has come as far as no WAIT holds it up."""
        while not self._busy:
            if self._commands:
                answer = self.carry_out(self._commands.popleft())
                if answer is not None:
                    self._answer(answer)
            elif self._connected is not None:
                if not self._pass_on(self._connected):
                    break
            else:
                end = _line_end(self._raw)
                if end is None:
                    break
                self._commands.extend(split_commands(bytes(self._raw[:end])))
                del self._raw[: end + 1]

    def _pass_on(self, port: str) -> bool:
        """Give the connected port what has come; false when that is over, or all is passed on.

        The end of what has come is kept back while it may be the beginning of the escape string.
        """
        at = self._raw.find(self._escape)
        if at >= 0:
            passed = bytes(self._raw[:at])
            del self._raw[: at + len(self._escape)]
            self._send(port, passed)
            self._connected = None
            return True
        kept = next(n for n in range(len(self._escape) - 1, -1, -1) if self._raw.endswith(self._escape[:n]))
        passed = bytes(self._raw[: len(self._raw) - kept])
        del self._raw[: len(self._raw) - kept]
        self._send(port, passed)
        return False

    def _answer(self, answer: bytes) -> None:
        self._output.append(answer + ENDS[self._port_terms[_HOST]])

    def _send(self, port: str, data: bytes) -> None:
        """Send bytes out of a port; what the module answers waits there, or goes on to the host."""
        if not data or port not in self.modules:
            return
        answer = self.modules[port].receive(data)
        if not answer:
            return
        if self._connected == port:
            self._output.append(answer)
        elif self._passed_on >> int(port) & 1:
            self._answer(b"MSG %s,%s" % (port.encode(), _block(answer[:_LARGEST_BLOCK])))
        else:
            room = _PORT_BUFFER - len(self._port_buffers[port])
            self._port_buffers[port] += answer[:room]

    def _send_line(self, port: str, message: bytes) -> None:
        self._send(port, message + ENDS[self._port_terms[port]])

    def reset(self) -> None:
        """*RST: no broadcasting, nothing passed on, the usual terminators; modules are left alone."""
        self._passed_on = self._broadcast_to = 0
        self._port_terms = dict.fromkeys(_PORTS, TERMINATORS.words["CRLF"])
        self.answers_in_words = self.console = False

    # Ports ------------------------------------------------------------------------------------------------

    @form("SNDT", (_PORT, _MESSAGE))
    def _send_terminated(self, port: str, message: bytes) -> None:
        self._send_line(port, message)

    @form("SEND", (_PORT, _MESSAGE))
    def _send_bare(self, port: str, message: bytes) -> None:
        self._send(port, message)

    @form("BRDT", (_MESSAGE,))
    def _broadcast_terminated(self, message: bytes) -> None:
        for port in self.modules:
            if self._broadcast_to >> int(port) & 1:
                self._send_line(port, message)

    @form("BRDC", (_MESSAGE,))
    def _broadcast_bare(self, message: bytes) -> None:
        for port in self.modules:
            if self._broadcast_to >> int(port) & 1:
                self._send(port, message)

    def _take(self, port: str, count: int) -> bytes:
        buffer = self._port_buffers[port]
        taken = bytes(buffer[:count])
        del buffer[:count]
        return taken

    @form("GETN?", (_PORT, _COUNT))
    def _get_block(self, port: str, count: int) -> bytes:
        return _block(self._take(port, min(count, _LARGEST_BLOCK)))

    @form("RAWN?", (_PORT, _COUNT))
    def _get_raw(self, port: str, count: int) -> bytes:
        return self._take(port, count)

    @form("NINP?", (_PORT,))
    def _bytes_waiting(self, port: str) -> int:
        return len(self._port_buffers[port])

    @form("NOUT?", (_PORT,))
    def _bytes_to_send(self, port: str) -> int:
        return 0

    @form("FLSH", (), (_PORT,))
    def _flush(self, port: str | None = None) -> None:
        for name in _PORTS if port is None else port:
            self._port_buffers[name].clear()

    @form("FLSI", (), (_PORT,))
    def _flush_input(self, port: str | None = None) -> None:
        self._flush(port)

    @form("FLSO", (), (_PORT,))
    def _flush_output(self, port: str | None = None) -> None:
        """Nothing ever waits to be sent."""

    @form("SRST", (), (_PORT,))
    def _reset_ports(self, port: str | None = None) -> None:
        for name, module in self.modules.items():
            if port in (None, name):
                module.receive_break()
                self._port_buffers[name].clear()

    @form("CTCR?", (), (_PORT_BIT,))
    def _ports_clear_to_send(self, bit: int | None = None) -> int:
        mask = sum(1 << int(port) for port in self.modules)
        return mask if bit is None else mask >> bit & 1

    @form("CONN", (_PORT, _MESSAGE))
    def _connect(self, port: str, escape: bytes) -> None:
        if not escape or port == _HOST:
            raise ExecutionFault(ILLEGAL_VALUE)
        self._connected, self._escape = port, escape

    @form("RPER", (_PORT_MASK,), (_PORT_BIT, Whole(0, 1)))
    def _set_passed_on(self, *values: int) -> None:
        self._passed_on = masked(self._passed_on, *values)

    @form("RPER?", (), (_PORT_BIT,))
    def _which_are_passed_on(self, bit: int | None = None) -> int:
        return self._passed_on if bit is None else self._passed_on >> bit & 1

    @form("BRER", (_PORT_MASK,), (_PORT_BIT, Whole(0, 1)))
    def _set_broadcast(self, *values: int) -> None:
        self._broadcast_to = masked(self._broadcast_to, *values)

    @form("BRER?", (), (_PORT_BIT,))
    def _which_hear_broadcasts(self, bit: int | None = None) -> int:
        return self._broadcast_to if bit is None else self._broadcast_to >> bit & 1

    @form("TERM", (_PORT, TERMINATORS))
    def _set_terminator(self, port: str, value: int) -> None:
        self._port_terms[port] = value

    @form("TERM?", (_PORT,))
    def _terminator(self, port: str) -> str:
        return self.in_words(TERMINATORS, self._port_terms[port])

    @form("WAIT", (Whole(0, 60_000),))
    def _wait(self, milliseconds: int) -> None:
        self._busy_until_s = self.clock.now + 1e-3 * milliseconds
        self.clock.schedule(self._busy_until_s, self._progress)

    @form("*DCL")
    def _device_clear(self) -> None:
        """As the interface's own device clear, but what follows in the message stays."""
        self._output.clear()
        self._read_position = 0


def _block(data: bytes) -> bytes:
    return b"#3%03d" % len(data) + data


def _line_end(raw: bytearray) -> int | None:
    """Where a line ends, outside of strings and blocks; None if it has not ended."""
    position = 0
    while match := _LINE.search(raw, position):
        position = match.end()
        if match["end"] is not None:
            return match.start()
        if match["digits"] is not None:
            count = int(match["digits"])
            length = bytes(raw[position : position + count])
            if len(length) < count:
                return None
            if length.isdigit():
                position += count + int(length)
    return None
