"""The doors' speed through pyvisa-py, beside the same server without the cure for delayed acknowledgements.

The instruments are in another process, as they are for a user. Each figure is the best of several repetitions,
since the machine is shared.
"""

import socket
import threading
import timeit
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from tests.simulators.server.served import served

pytestmark = pytest.mark.benchmark

MEGABYTE = 1 << 20


@contextmanager
def opened(name: str | None) -> Iterator[MessageBasedResource]:
    manager = pyvisa.ResourceManager("@py")
    resource = manager.open_resource(name, read_termination="\n", write_termination="\n", timeout=20_000)
    assert isinstance(resource, MessageBasedResource)
    yield resource
    resource.close()
    manager.close()


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, str]]:
    with served("supply", "hislip") as (doors,), served("array", "serial") as (line,):
        assert doors.hislip is not None
        assert line.serial is not None
        yield {"socket": doors.socket, "HiSLIP": doors.hislip, "pseudo-terminal": line.serial}


@contextmanager
def without_quick_acknowledgements() -> Iterator[str]:
    """A peer that does what any plain socket server does: it answers every line that has a question mark."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := connection.recv(4096):
                connection.sendall(b"1\n" * data.count(b"?"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"TCPIP::127.0.0.1::{listener.getsockname()[1]}::SOCKET"
        thread.join(20)


def best_s(action: object, number: int, repeat: int) -> float:
    return min(timeit.repeat(action, number=number, repeat=repeat)) / number  # type: ignore[arg-type]


def write_then_query(resource: MessageBasedResource) -> None:
    resource.write("VOLT 1")
    resource.query("VOLT?")


def test_a_write_followed_by_a_query(names: dict[str, str]) -> None:
    with without_quick_acknowledgements() as plain, opened(plain) as peer:
        peer_s = best_s(lambda: write_then_query(peer), 5, 4)
    told = {}
    for door, name in names.items():
        with opened(name) as resource:
            both_s = best_s(lambda: write_then_query(resource), 100, 30)
            told[door] = both_s, best_s(lambda: resource.query("VOLT?"), 100, 30)
    rows = ", ".join(
        f"{door} {both * 1e6:.0f} us ({query * 1e6:.0f} us)" for door, (both, query) in told.items()
    )
    print(
        f"\nwrite then query (query alone): {rows}; a server without quick acknowledgements"
        f" {peer_s * 1e3:.1f} ms (limit for the socket 200 us)"
    )
    assert told["socket"][0] <= 200e-6
    assert peer_s > 10e-3, "the peer shows no delay: there is nothing to cure on this system"


def test_blocks(names: dict[str, str]) -> None:
    points = np.random.default_rng(1).standard_normal(MEGABYTE // 4).astype("<f4")
    answer = b"#7%d" % points.nbytes + points.tobytes() + b"\n"
    rows = []
    for door in ("socket", "HiSLIP"):
        with opened(names[door]) as resource:
            resource.chunk_size = MEGABYTE
            message = b'TRAC:DATA "a",' + answer

            def write() -> None:
                resource.write_raw(message)  # noqa: B023
                resource.query("*OPC?")

            def read() -> None:
                resource.write('TRAC:DATA? "a"')
                got = resource.read_bytes(len(answer), chunk_size=MEGABYTE)
                assert got == answer

            write_s = best_s(write, 1, 8)
            rows.append((door, points.nbytes / write_s / 1e6, points.nbytes / best_s(read, 1, 8) / 1e6))
    print("\n1 MiB blocks: " + ", ".join(f"{d} written {w:.0f} MB/s, read {r:.0f} MB/s" for d, w, r in rows))
    assert min(min(row[1:]) for row in rows) >= 10.0
