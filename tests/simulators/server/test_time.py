"""Virtual time through the doors: what it costs, and who moves it."""

import time

import pytest

from simulators.clock import VirtualClock
from simulators.errors import BenchError
from simulators.server import BenchServer
from tests.simulators.scpi.supply import Supply
from tests.simulators.server.clients import Stream
from tests.simulators.server.served import MadeUpBench, made_up
from tests.simulators.visa.bench import SOCKET, Bench, Link, open_library


def only(server: BenchServer, k: int = 0) -> Stream:
    return Stream(list(server.doors.values())[k].socket, asked=True)


def test_an_exchange_costs_what_it_costs_in_process() -> None:
    link = Link(latency_s=1e-3, throughput_Bps=1e4)
    here = Bench(link=link)
    manager = open_library(here)
    resource = manager.open_resource(SOCKET, read_termination="\n", write_termination="\n")
    there = Bench(link=link)
    with BenchServer(there) as server:
        stream = Stream(server.doors[SOCKET].socket)
        for text in ("*IDN?", "VOLT 3;*OPC?", "MEAS? 0.7", 'TRAC:DATA "a",#14abcd;:TRAC:DATA? "a"', "VOLT?"):
            resource.query(text)
            stream.ask(text)
            assert there.clock.now == here.clock.now
        stream.close()
    assert here.clock.now > 1.5 + 0.7
    manager.close()


def test_a_known_answer_is_waited_for_in_no_time() -> None:
    bench = made_up("supply", "socket", 1)
    with BenchServer(bench) as server:
        stream = only(server)
        start = time.monotonic()
        for _ in range(20):
            stream.ask("MEAS? 10")
        assert time.monotonic() - start < 5.0
        assert 200.0 < bench.clock.now < 201.0
        stream.close()


def test_nobody_who_does_not_ask_moves_the_clock() -> None:
    bench = made_up("supply", "socket", 1)
    with BenchServer(bench) as server:
        stream = only(server)
        before_s = bench.clock.now
        stream.send(b"VOLT 8;*WAI\n")  # four seconds at its slew
        other = only(server)
        other.close()
        assert bench.clock.now - before_s == pytest.approx(4.0, abs=0.01), "*WAI holds up who comes next"
        stream.close()


def test_one_that_waits_for_another_instruments_trigger() -> None:
    clock = VirtualClock()
    first, second = Supply(clock), Supply(clock)
    bench = MadeUpBench(
        {"TCPIP0::10.0.0.1::5025::SOCKET": first, "TCPIP0::10.0.0.2::5025::SOCKET": second}, clock
    )
    # a cable from the first one's reset to the second one's trigger input
    first.reset = second.on_trigger  # type: ignore[method-assign]
    with BenchServer(bench) as server:
        waiting, other = only(server, 1), only(server, 0)
        waiting.send(b"FETC?\n")
        assert other.ask("*IDN?")
        assert waiting.arrived() == b""
        before_s = clock.now
        other.send(b"*RST\n")
        assert float(waiting.line()) == 1.0
        assert clock.now - before_s >= 0.5, "the measurement takes half a second from its trigger"
        waiting.close()
        other.close()


def test_time_creeps_while_a_client_waits_in_vain() -> None:
    bench = made_up("supply", "socket", 1)
    (supply,) = bench.resources.values()
    assert isinstance(supply, Supply)
    with BenchServer(bench) as server:
        stream = only(server)
        before_s, start = bench.clock.now, time.monotonic()
        stream.send(b"FETC?\n")
        while bench.clock.now < before_s + 0.2 and time.monotonic() < start + 20:
            time.sleep(0.01)
        assert bench.clock.now >= before_s + 0.2
        bench.clock.schedule(bench.clock.now + 0.5, supply.on_trigger)
        assert float(stream.line()) == 1.0
        stream.close()


def test_real_time() -> None:
    bench = made_up("supply", "socket", 1)
    with BenchServer(bench, real_time=True) as server:
        stream = only(server)
        start, before_s = time.monotonic(), bench.clock.now
        stream.ask("MEAS? 0.3")
        wall_s = time.monotonic() - start
        assert 0.3 <= wall_s < 3.0
        assert bench.clock.now - before_s == pytest.approx(wall_s, abs=0.1)
        stream.close()


def test_a_port_that_is_taken() -> None:
    with BenchServer(made_up("supply", "socket", 2)) as server:
        port = int(next(iter(server.doors.values())).socket.split("::")[2])
        with (
            pytest.raises(BenchError, match=f"port {port}"),
            BenchServer(made_up("supply", "socket", 2), port=port),
        ):
            pass


def test_ports_are_counted_from_the_first() -> None:
    for port in range(20_000, 20_200, 2):  # below those that are handed out, so that hardly anybody has them
        try:
            with BenchServer(made_up("supply", "socket", 2), port=port) as server:
                ports = [doors.socket.split("::")[2] for doors in server.doors.values()]
        except BenchError:
            continue
        assert ports == [str(port), str(port + 1)]
        return
    pytest.fail("no two ports in a row are free")
