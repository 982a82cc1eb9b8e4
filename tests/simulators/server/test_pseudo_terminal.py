"""A serial instrument on a pseudo-terminal."""

import os
import select
import time
import tty

import pyvisa
from pyvisa.resources import MessageBasedResource

from simulators.server import BenchServer
from tests.simulators.server.served import made_up, served


def test_pyvisa_py_opens_it_as_a_serial_port() -> None:
    with served("array", "serial") as doors:
        manager = pyvisa.ResourceManager("@py")
        for _ in range(2):  # it is still there after it was closed
            resource = manager.open_resource(
                doors[0].serial, read_termination="\n", write_termination="\n", timeout=10_000
            )
            assert isinstance(resource, MessageBasedResource)
            assert resource.query("*IDN?") == "hil,Supply,17,1.0"
            resource.write("VOLT 1.5")
            assert float(resource.query("VOLT?")) == 1.5
            resource.close()
        manager.close()


def test_bytes_pass_unchanged_and_a_long_answer_whole() -> None:
    with served("array", "serial") as doors:
        assert doors[0].serial is not None
        port = os.open(doors[0].serial[4:-7], os.O_RDWR | os.O_NOCTTY)
        tty.setraw(port)
        block = bytes(range(256)) * 400  # ^C, ^D, XON, CR and LF among them
        send = b'TRAC:DATA "a",#6%06d' % len(block) + block + b'\nTRAC:DATA? "a"\n'
        expected, got, deadline = len(block) + 9, b"", time.monotonic() + 20
        while len(got) < expected and time.monotonic() < deadline:
            readable, writable, _ = select.select([port], [port] if send else [], [], 1)
            if writable:
                send = send[os.write(port, send[:1000]) :]
            if readable:
                got += os.read(port, 4096)
        os.close(port)
        assert got == b"#6102400" + block + b"\n"


def test_closing_the_port_forgets_what_was_begun() -> None:
    with BenchServer(made_up("array", "serial", 1)) as server:
        (doors,) = server.doors.values()
        assert doors.serial is not None
        path = doors.serial[4:-7]
        port = os.open(path, os.O_RDWR | os.O_NOCTTY)
        os.write(port, b'TRAC:DATA "a",#9000000100')
        os.close(port)
        deadline, got = time.monotonic() + 20, b""
        while not got and time.monotonic() < deadline:  # the kernel tells of the closing a little later
            port = os.open(path, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(port)
            os.write(port, b"*IDN?\n")
            if select.select([port], [], [], 0.1)[0]:
                got = os.read(port, 100)
            os.close(port)
        assert got == b"hil,Supply,17,1.0\n"
    assert not os.path.exists(path), "the port goes with the server"
