"""A bench with its doors open, in a thread of its own."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from pyvisa import rname
from pyvisa.constants import InterfaceType

from simulators.clock import VirtualClock
from simulators.errors import BenchError
from simulators.instrument import VirtualInstrument
from simulators.line import Line, Link, seconds_per_byte
from simulators.server.hislip import Channel, HislipDoor
from simulators.server.pseudo_terminal import SerialClient
from simulators.server.rpc import PortMapper, RpcConnection
from simulators.server.sockets import SocketClient
from simulators.server.turns import Served, Turns
from simulators.server.vxi11 import DEVICE_CORE, Vxi11Core
from simulators.visa.library import EmulatedBench

_PORT_MAPPER_PORT = 111


@dataclass(frozen=True)
class Doors:
    """The resource names under which pyvisa-py finds one instrument; None for a door it does not have."""

    socket: str
    hislip: str | None = None
    vxi11: str | None = None
    serial: str | None = None

    @property
    def best(self) -> str:
        """The door most like the one that the bench file gives the instrument."""
        return self.serial or self.hislip or self.socket


class BenchServer:
    """Serves a bench from entering to leaving the context.

    Each instrument has a TCP socket; a serial one a pseudo-terminal besides (POSIX), a message-based one a
    HiSLIP sub-address and a VXI-11 device name. An instrument that the bench file has on a plain socket keeps to
    that: it is a stream there.

    Args:
        host: the address to listen on.
        port: of the first instrument's socket, the others follow; any free ones if 0.
        hislip_port: any free one if 0.
        port_mapper: answer on port 111 where VXI-11 is, so that `TCPIP::host::inst0::INSTR` will do; few users
            may listen there, and only one server can.
        real_time: the virtual clock follows the wall's, as on a bench whose file says so, and the line costs
            what the network costs.

    Attributes:
        doors: of each instrument, by its VISA resource name on the bench; there from entering on.
    """

    def __init__(
        self,
        bench: EmulatedBench,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        hislip_port: int = 0,
        port_mapper: bool = False,
        real_time: bool = False,
    ) -> None:
        self.doors: dict[str, Doors] = {}
        self.host = host
        self._bench = bench
        self._port, self._hislip_port = port, hislip_port
        self._real_time = real_time or bench.clock.paced
        self._port_mapper = port_mapper
        self._thread = threading.Thread(target=self._run, name="bench server", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __enter__(self) -> Self:
        """Open the doors; raises BenchError for an address or a port that cannot be had."""
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the doors and every connection."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def wait(self, timeout_s: float) -> None:
        """Wait, and raise what has ended the server if something has."""
        self._thread.join(timeout_s)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        bench = self._bench
        turns = Turns(bench.clock, real_time=self._real_time)
        self._loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            stack.callback(turns.close)
            served = [
                Served(name, self._line(instrument, bench.clock, bench.link))
                for name, instrument in bench.resources.items()
            ]
            await self._open_doors(served, turns, stack)
            self._started.set()
            await self._stop.wait()
        await asyncio.sleep(0)  # the connections that were cut go now

    def _line(self, instrument: VirtualInstrument, clock: VirtualClock, link: Link) -> Line:
        if self._real_time:
            return Line(instrument=instrument, clock=clock)
        return Line(
            instrument=instrument,
            clock=clock,
            latency_s=link.latency_s,
            seconds_per_byte=seconds_per_byte(link),
        )

    async def _open_doors(self, served: list[Served], turns: Turns, stack: ExitStack) -> None:
        kinds = {one.name: rname.ResourceName.from_string(one.name) for one in served}
        serial = [one for one in served if kinds[one.name].interface_type_const == InterfaceType.asrl]
        streams = [one for one in served if one in serial or kinds[one.name].resource_class == "SOCKET"]
        messages = {f"hislip{k}": one for k, one in enumerate(one for one in served if one not in streams)}
        host = self._told_host()
        doors: dict[str, Doors] = {}
        for k, one in enumerate(served):
            port = self._port + k if self._port else 0
            chosen = await self._listen(port, lambda one=one: SocketClient(one, turns), stack)  # type: ignore[misc]
            stack.callback(_hang_up_all, one)
            doors[one.name] = Doors(f"TCPIP0::{host}::{chosen}::SOCKET")
        for one in serial:
            client = SerialClient(one, turns)
            stack.callback(client.close)
            doors[one.name] = replace(doors[one.name], serial=f"ASRL{client.path}::INSTR")
        if messages:
            hislip = HislipDoor(messages, turns)
            chosen = await self._listen(self._hislip_port, lambda: Channel(hislip), stack)
            stack.callback(hislip.close)
            for address, one in messages.items():
                name = f"TCPIP0::{host}::{address},{chosen}::INSTR"
                doors[one.name] = replace(doors[one.name], hislip=name)
            where = await self._open_vxi11(list(messages.values()), turns, stack)
            for k, one in enumerate(messages.values()):
                name = f"TCPIP0::{host}{where}::inst{k}::INSTR"
                doors[one.name] = replace(doors[one.name], vxi11=name)
        self.doors = doors

    async def _open_vxi11(self, served: list[Served], turns: Turns, stack: ExitStack) -> str:
        """Open the device core, and the port mapper if asked for; gives what a client adds to the host."""
        devices = {f"inst{k}": one for k, one in enumerate(served)}
        connections: set[RpcConnection] = set()
        stack.callback(_abort_all, connections)
        port = await self._listen(0, lambda: RpcConnection(Vxi11Core(devices, turns), connections), stack)
        if not self._port_mapper:
            return f",{port}"
        mapper = PortMapper(DEVICE_CORE, port)
        await self._listen(_PORT_MAPPER_PORT, lambda: RpcConnection(mapper, connections), stack)
        return ""

    def _told_host(self) -> str:
        """The host as clients are to name it."""
        return socket.gethostname() if self.host in ("0.0.0.0", "") else self.host

    async def _listen(self, port: int, protocol: Callable[[], asyncio.Protocol], stack: ExitStack) -> int:
        try:
            server = await asyncio.get_running_loop().create_server(
                protocol, self.host, port, family=socket.AF_INET
            )
        except (OSError, OverflowError) as error:
            raise BenchError(
                f"cannot listen on {self.host}, port {port or 'any'}: {error}; name another host or port"
            ) from None
        stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])


def _hang_up_all(served: Served) -> None:
    for client in list(served.clients):
        client.hang_up()


def _abort_all(connections: set[RpcConnection]) -> None:
    for connection in list(connections):
        connection.abort()
