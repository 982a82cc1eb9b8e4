"""Clients of a served bench that look like the instrument itself, for the suite that every instrument passes.

Whether an answer is still to come is found out without waiting: a second client asks the same instrument a
question, and since turns keep their order, its answer comes after all that is due to the first.
"""

import os
import select
import socket
import tty
from abc import abstractmethod

import pyvisa
from pyvisa_py.protocols import hislip, rpc, vxi11

from simulators.clock import VirtualClock
from simulators.instrument import NothingToRead, VirtualInstrument
from simulators.server import Doors

PATIENCE_s = 20.0


def address(name: str) -> tuple[str, int]:
    """Host and port of a SOCKET resource."""
    parsed = pyvisa.rname.parse_resource_name(name)
    return parsed.host_address, int(parsed.port)


class Stream:
    """A plain TCP client; `asked`, so that the server has taken the connection up."""

    def __init__(self, name: str, *, asked: bool = False) -> None:
        self.socket = socket.create_connection(address(name), timeout=PATIENCE_s)
        self._held = b""
        # otherwise the kernel may keep a second message back, and another client's overtakes it
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if asked:
            self.ask("*STB?")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """One line, waited for."""
        while b"\n" not in self._held:
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionResetError
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line

    def ask(self, text: str) -> str:
        self.send(text.encode() + b"\n")
        return self.line().decode().strip()

    def arrived(self) -> bytes:
        """What is there already."""
        return self.socket.recv(1 << 16) if select.select([self.socket], [], [], 0)[0] else b""

    def close(self) -> None:
        self.socket.close()


class Remote(VirtualInstrument):
    """An instrument behind a door."""

    def __init__(self, doors: Doors) -> None:
        super().__init__(VirtualClock())
        self.doors = doors
        self.beside = Stream(doors.socket, asked=True)

    def write(self, data: bytes, end: bool = True) -> None:
        self.send(data, end)
        self.beside.ask("*STB?")

    @abstractmethod
    def send(self, data: bytes, end: bool) -> None: ...

    def read(self, limit: int) -> tuple[bytes, bool]:
        self.beside.ask("*STB?")
        chunk, end = self.take(limit)
        if not chunk:
            raise NothingToRead
        return chunk, end

    @abstractmethod
    def take(self, limit: int) -> tuple[bytes, bool]: ...

    def close(self) -> None:
        self.beside.close()


class RemoteStream(Remote):
    """Through a stream: nothing but bytes."""

    def __init__(self, doors: Doors) -> None:
        super().__init__(doors)
        self._held = b""

    @abstractmethod
    def arrived(self) -> bytes: ...

    def take(self, limit: int) -> tuple[bytes, bool]:
        self._held = self._held or self.arrived()
        stop = min(limit, self._held.find(b"\n") + 1 or limit)
        chunk, self._held = self._held[:stop], self._held[stop:]
        return chunk, chunk.endswith(b"\n")

    def status_byte(self) -> int:
        return int(self.beside.ask("*STB?"))

    def trigger(self) -> None:
        pass


class RemoteSocket(RemoteStream):
    def __init__(self, doors: Doors) -> None:
        super().__init__(doors)
        self.stream = Stream(doors.socket, asked=True)

    def send(self, data: bytes, end: bool) -> None:
        # a stream has no END; a newline says the same
        self.stream.send(data + b"\n" if end and not data.endswith(b"\n") else data)

    def arrived(self) -> bytes:
        return self.stream.arrived()

    def clear(self) -> None:
        """A new connection: what the old one had begun is gone with it."""
        self.stream.close()
        self._held = b""
        self.stream = Stream(self.doors.socket, asked=True)

    def close(self) -> None:
        super().close()
        self.stream.close()


class RemoteSerial(RemoteStream):
    """Through a pseudo-terminal, whose bytes the kernel hands over in its own time."""

    def __init__(self, doors: Doors) -> None:
        super().__init__(doors)
        assert doors.serial is not None
        self._port = os.open(
            doors.serial.removeprefix("ASRL").removesuffix("::INSTR"), os.O_RDWR | os.O_NOCTTY
        )
        tty.setraw(self._port)
        self.write(b"*STB?\n")  # once the server knows that the port is open it answers at once
        assert select.select([self._port], [], [], PATIENCE_s)[0]
        os.read(self._port, 100)

    def send(self, data: bytes, end: bool) -> None:
        while data:
            data = data[os.write(self._port, data) :]

    def arrived(self) -> bytes:
        for _ in range(5):
            if select.select([self._port], [], [], 0.01)[0]:
                return os.read(self._port, 1 << 16)
            self.beside.ask("*STB?")
        return b""

    def clear(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        super().close()
        os.close(self._port)


class RemoteHislip(Remote):
    """Through pyvisa-py's own HiSLIP client."""

    def __init__(self, doors: Doors) -> None:
        super().__init__(doors)
        assert doors.hislip is not None
        parsed = pyvisa.rname.parse_resource_name(doors.hislip)
        where, port = parsed.lan_device_name.split(",")
        self.client = hislip.Instrument(
            parsed.host_address, timeout=PATIENCE_s, port=int(port), sub_address=where
        )

    def send(self, data: bytes, end: bool) -> None:
        self._abandon()
        (self.client._send_data_end_packet if end else self.client._send_data_packet)(data)

    def _abandon(self) -> None:
        """Read away the rest of a message: the client forgets it at the next one, and would take it for a header."""
        hislip.receive_flush(self.client._sync, self.client._payload_remaining)

    def take(self, limit: int) -> tuple[bytes, bool]:
        client = self.client
        if client._rmt or not (client._payload_remaining or select.select([client._sync], [], [], 0)[0]):
            return b"", False
        return bytes(client.receive(limit)), bool(client._rmt)

    def clear(self) -> None:
        client = self.client
        client.async_device_clear()
        hislip.send_msg(client._sync, "DeviceClearComplete", 0, 0)
        self._abandon()
        while (header := hislip.RxHeader(client._sync)).msg_type != "DeviceClearAcknowledge":
            hislip.receive_flush(client._sync, header.payload_length)
        client.last_message_id, client._message_id = None, 0xFFFF_FF00

    def status_byte(self) -> int:
        return self.client.async_status_query()

    def trigger(self) -> None:
        self._abandon()
        self.client.trigger()

    def close(self) -> None:
        super().close()
        self.client.close()


class CoreClient(vxi11.CoreClient):
    """pyvisa-py's own VXI-11 client, on a port that is known."""

    def __init__(self, host: str, port: int) -> None:
        self.packer, self.unpacker = vxi11.Vxi11Packer(), vxi11.Vxi11Unpacker("")
        rpc.RawTCPClient.__init__(self, host, vxi11.DEVICE_CORE_PROG, vxi11.DEVICE_CORE_VERS, port)


class RemoteVxi11(Remote):
    """Through VXI-11; a read that finds nothing would be a query error there, so the status byte is asked first."""

    def __init__(self, doors: Doors) -> None:
        super().__init__(doors)
        assert doors.vxi11 is not None
        parsed = pyvisa.rname.parse_resource_name(doors.vxi11)
        host, port = parsed.host_address.split(",")
        self.client = CoreClient(host, int(port))
        error, self.link, _, _ = self.client.create_link(1, 0, 0, parsed.lan_device_name)
        assert error == 0

    def send(self, data: bytes, end: bool) -> None:
        flags = vxi11.OP_FLAG_END if end else 0
        assert self.client.device_write(self.link, 10_000, 0, flags, data) == (0, len(data))

    def take(self, limit: int) -> tuple[bytes, bool]:
        if not self.status_byte() & 16:
            return b"", False
        error, reason, data = self.client.device_read(self.link, limit, 10_000, 0, 0, 0)
        assert error == 0
        return data, bool(reason & vxi11.RX_END)

    def clear(self) -> None:
        assert self.client.device_clear(self.link, 0, 0, 10_000) == 0

    def status_byte(self) -> int:
        error, byte = self.client.device_read_stb(self.link, 0, 0, 10_000)
        assert error == 0
        return byte

    def trigger(self) -> None:
        assert self.client.device_trigger(self.link, 0, 0, 10_000) == 0

    def close(self) -> None:
        super().close()
        self.client.close()
