"""The backend through PyVISA: sessions, messages, timeouts, status, locks, attributes, events."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import pyvisa
from pyvisa.constants import (
    AccessModes,
    BufferOperation,
    EventMechanism,
    EventType,
    InterfaceType,
    RENLineOperation,
    ResourceAttribute,
    StatusCode,
)
from pyvisa.errors import InvalidSession, VisaIOError
from pyvisa.resources import MessageBasedResource

from simulators.visa import HilVisaLibrary, power_off
from tests.simulators.visa.bench import (
    GPIB,
    LAN,
    MESSAGES,
    SERIAL,
    SOCKET,
    STREAMS,
    USB,
    Bench,
    Link,
    load,
    open_library,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def manager(bench: Bench) -> Iterator[pyvisa.ResourceManager]:
    made = open_library(bench)
    yield made
    made.close()


def connect(manager: pyvisa.ResourceManager, name: str = LAN, **options: Any) -> MessageBasedResource:
    resource = manager.open_resource(name, **options)
    assert isinstance(resource, MessageBasedResource)
    resource.read_termination = resource.write_termination = "\n"
    return resource


def failing(code: StatusCode) -> Any:
    return pytest.raises(VisaIOError, match=str(int(code)))


def test_resources_are_listed_and_filtered(manager: pyvisa.ResourceManager) -> None:
    assert set(manager.list_resources()) == {LAN, GPIB, USB, SERIAL}
    assert set(manager.list_resources("?*")) == {LAN, GPIB, USB, SERIAL, SOCKET}
    assert manager.list_resources("GPIB?*") == (GPIB,)
    info = manager.resource_info(SOCKET)
    assert (info.interface_type, info.resource_class) == (InterfaceType.tcpip, "SOCKET")


@pytest.mark.parametrize("name", [*MESSAGES, *STREAMS])
def test_every_kind_of_resource_answers(manager: pyvisa.ResourceManager, name: str) -> None:
    resource = connect(manager, name)
    assert resource.query("*IDN?") == "hil,Supply,17,1.0"
    assert resource.query_ascii_values("SOUR2:VOLT 1.5;VOLT?") == [1.5]
    resource.close()
    with pytest.raises(InvalidSession):
        resource.query("*IDN?")


@pytest.mark.parametrize("spelling", ["tcpip::192.168.8.18::INSTR", "TCPIP::192.168.8.18", "gpib::5"])
def test_names_are_canonical(manager: pyvisa.ResourceManager, spelling: str) -> None:
    assert connect(manager, spelling).query("*IDN?") == "hil,Supply,17,1.0"


def test_an_address_nobody_has(manager: pyvisa.ResourceManager) -> None:
    with failing(StatusCode.error_resource_not_found) as caught:
        manager.open_resource("GPIB0::9::INSTR")
    assert any(GPIB in note for note in caught.value.__notes__)
    with failing(StatusCode.error_invalid_resource_name):
        manager.open_bare_resource("nonsense")


@pytest.mark.parametrize("name", [*MESSAGES, *STREAMS])
def test_every_readable_attribute_is_there(manager: pyvisa.ResourceManager, name: str) -> None:
    resource = connect(manager, name)
    for attribute in resource.visa_attributes_classes:
        if attribute.read and "HISLIP" not in attribute.visa_name:
            resource.get_visa_attribute(attribute.attribute_id)
    assert resource.resource_name == name
    assert resource.interface_number in (0, 3)


def test_attributes(manager: pyvisa.ResourceManager) -> None:
    lan, socket, serial = connect(manager), connect(manager, SOCKET), connect(manager, SERIAL)
    socket.baud_rate = 921600  # as a driver for a serial and network instrument does without asking
    serial.baud_rate = 921600
    assert serial.get_visa_attribute(ResourceAttribute.asrl_baud_rate) == 921600
    assert lan.get_visa_attribute(ResourceAttribute.tcpip_address) == "192.168.8.18"
    assert socket.get_visa_attribute(ResourceAttribute.tcpip_port) == 5025
    assert connect(manager, USB).get_visa_attribute(ResourceAttribute.model_code) == 0x0101
    assert connect(manager, GPIB).get_visa_attribute(ResourceAttribute.gpib_primary_address) == 5
    with failing(StatusCode.error_nonsupported_attribute):
        lan.set_visa_attribute(ResourceAttribute.asrl_baud_rate, 9600)
    with failing(StatusCode.error_attribute_read_only):
        lan.set_visa_attribute(ResourceAttribute.interface_type, 1)
    lan.timeout = 1234
    assert lan.timeout == 1234
    lan.timeout = None
    assert lan.timeout == float("inf")


# Messages and time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [LAN, SOCKET])
def test_blocks_of_any_bytes_in_any_chunks(manager: pyvisa.ResourceManager, name: str) -> None:
    resource = connect(manager, name)
    points = np.random.default_rng(3).standard_normal(40000).astype("<f4")
    points[100:110] = np.frombuffer(b"\n" * 40, "<f4")
    resource.write_binary_values('TRAC:DATA "a",', points)
    for chunk_size in (7, 20480, 1 << 20):
        got = resource.query_binary_values('TRAC:DATA? "a"', container=np.ndarray, chunk_size=chunk_size)
        np.testing.assert_array_equal(got, points)
    resource.read_termination = None
    np.testing.assert_array_equal(
        resource.query_binary_values('TRAC:DATA? "a"', container=np.ndarray), points
    )


def test_reading_stops_at_the_termination_character(manager: pyvisa.ResourceManager) -> None:
    resource = connect(manager)
    resource.read_termination = ","
    assert resource.query("*IDN?") == "hil"
    assert resource.read_stb() & 16
    assert resource.read() == "Supply"
    resource.read_termination = "\n"
    assert resource.read() == "17,1.0"
    assert not resource.read_stb() & 16


def test_the_end_is_told_from_a_termination_character(manager: pyvisa.ResourceManager) -> None:
    library, resource = manager.visalib, connect(manager)
    resource.read_termination = ","
    resource.write("*IDN?")
    with resource.ignore_warning(StatusCode.success_max_count_read):
        got = [library.read(resource.session, 7) for _ in range(4)]
    stopped, more, end = (
        StatusCode.success_termination_character_read,
        StatusCode.success_max_count_read,
        StatusCode.success,
    )
    assert got == [(b"hil,", stopped), (b"Sup", more), (b"ply,", stopped), (b"17,", stopped)]
    assert library.read(resource.session, 7) == (b"1.0\n", end)


def test_writing_over_a_half_read_answer_loses_it(manager: pyvisa.ResourceManager) -> None:
    for name, next_read in ((LAN, "+0.00000000E+00"), (SOCKET, "Supply,17,1.0")):
        resource = connect(manager, name)
        resource.write("*IDN?")
        assert resource.read(termination=",") == "hil"
        resource.write("VOLT?")
        assert resource.read() == next_read


def test_a_read_waits_in_virtual_time(manager: pyvisa.ResourceManager, bench: Bench) -> None:
    resource = connect(manager, timeout=5000)
    assert float(resource.query("MEAS? 2.5")) == 2.5
    assert bench.clock.now == 2.5
    resource.write("MEAS? 7")
    with failing(StatusCode.error_timeout):
        resource.read()
    assert bench.clock.now == 7.5
    assert float(resource.read()) == 9.5
    assert resource.query("SYST:ERR?") == '0,"No error"'


@pytest.mark.parametrize("name", [LAN, SOCKET])
def test_an_empty_queue_times_out(manager: pyvisa.ResourceManager, bench: Bench, name: str) -> None:
    resource = connect(manager, name, timeout=100)
    with failing(StatusCode.error_timeout):
        resource.read()
    assert bench.clock.now == pytest.approx(0.1)
    expected = '-420,"Query UNTERMINATED"' if name == LAN else '0,"No error"'
    assert resource.query("SYST:ERR?") == expected


def test_a_wait_without_end_does_not_hang(manager: pyvisa.ResourceManager, bench: Bench) -> None:
    resource = connect(manager, timeout=None)
    resource.write("FETC?")
    with failing(StatusCode.error_timeout):
        resource.read()
    assert bench.clock.now == pytest.approx(86400.0)


def test_an_event_of_the_bench_ends_a_wait(manager: pyvisa.ResourceManager, bench: Bench) -> None:
    """The instant of the answer is unknown when the wait begins: another instrument's trigger fixes it."""
    resource = connect(manager, timeout=10000)
    supply = bench.resources[LAN]
    bench.clock.schedule(3.0, supply.on_trigger)  # type: ignore[attr-defined]
    assert resource.query("FETC?") == "1"
    assert bench.clock.now == pytest.approx(3.5, abs=0.01)


def test_the_link_costs_virtual_time() -> None:
    bench = Bench(link=Link(latency_s=1e-3, throughput_Bps=1e6))
    resource = connect(open_library(bench))
    resource.query("*IDN?")
    assert bench.clock.now == pytest.approx(2e-3 + (6 + 18) * 1e-6)


def test_sockets_take_messages_in_pieces(manager: pyvisa.ResourceManager) -> None:
    resource = connect(manager, SOCKET)
    resource.write_raw(b"*ID")
    resource.write_raw(b"N?\nVOLT?\n")
    assert [resource.read(), resource.read()] == ["hil,Supply,17,1.0", "+0.00000000E+00"]
    lan = connect(manager, LAN)
    lan.write_raw(b"*IDN?")  # END is enough
    assert lan.read() == "hil,Supply,17,1.0"
    lan.send_end = False
    lan.write_raw(b"*ID")
    lan.write_raw(b"N?\n")
    assert lan.read() == "hil,Supply,17,1.0"


# Clear, status byte, trigger, flush, events -----------------------------------------------------------------


def test_device_clear_and_flush(manager: pyvisa.ResourceManager) -> None:
    lan = connect(manager)
    lan.write("FETC?;*IDN?")
    lan.clear()
    assert lan.query("SYST:ERR?") == '0,"No error"'
    for name in STREAMS:
        stream = connect(manager, name)
        stream.write("*IDN?")
        stream.flush(BufferOperation.discard_read_buffer_no_io | BufferOperation.discard_write_buffer)
        assert stream.query("VOLT?") == "+0.00000000E+00"
        stream.write("*IDN?")
        stream.clear()
        assert stream.query("VOLT?") == "+0.00000000E+00"


def test_status_byte_and_trigger(manager: pyvisa.ResourceManager, bench: Bench) -> None:
    for name in MESSAGES:
        resource = connect(manager, name)
        resource.write("*IDN?")
        assert resource.stb == 16
        resource.read()
        resource.assert_trigger()
        assert bench.resources[name].triggers == 1  # type: ignore[attr-defined]
        resource.visalib.gpib_control_ren(resource.session, RENLineOperation.address_gtl)
    for name in STREAMS:
        with failing(StatusCode.error_nonsupported_operation):
            connect(manager, name).read_stb()


def test_service_requests(manager: pyvisa.ResourceManager, bench: Bench) -> None:
    resource = connect(manager)
    with failing(StatusCode.error_not_enabled):
        resource.wait_on_event(EventType.service_request, 100)
    resource.enable_event(EventType.service_request, EventMechanism.queue)
    resource.write("*CLS;*ESE 1;*SRE 32;VOLT 4;*OPC")
    response = resource.wait_on_event(EventType.service_request, 10000)
    assert not response.timed_out
    assert response.event.event_type == EventType.service_request
    assert bench.clock.now == pytest.approx(2.0, abs=0.02)
    assert resource.wait_on_event(EventType.service_request, 100, capture_timeout=True).timed_out
    assert resource.read_stb() == 96
    resource.write("*CLS;VOLT 0;*OPC")
    assert not resource.wait_on_event(EventType.service_request, 10000).timed_out
    assert resource.read_stb() & 64
    resource.write("*CLS;*OPC")  # done at once, before anybody looks
    assert not resource.wait_on_event(EventType.service_request, 10).timed_out
    resource.disable_event(EventType.service_request, EventMechanism.queue)
    with failing(StatusCode.error_nonsupported_mechanism):
        resource.enable_event(EventType.service_request, EventMechanism.handler)


# Locks ------------------------------------------------------------------------------------------------------


def test_an_exclusive_lock_keeps_others_out(manager: pyvisa.ResourceManager, bench: Bench) -> None:
    one, other = connect(manager, timeout=500), connect(manager, timeout=500)
    with one.lock_context():
        assert one.lock_state == AccessModes.exclusive_lock
        assert one.query("*IDN?") == "hil,Supply,17,1.0"
        for use in (
            lambda: other.write("*IDN?"),
            other.read,
            other.clear,
            other.read_stb,
            other.assert_trigger,
        ):
            with failing(StatusCode.error_resource_locked):
                use()
        with failing(StatusCode.error_timeout):
            other.lock_excl()
        assert bench.clock.now == 0.5
        with failing(StatusCode.error_resource_locked):
            manager.open_resource(LAN, AccessModes.exclusive_lock)
    assert other.lock_state == AccessModes.no_lock
    assert other.query("*IDN?") == "hil,Supply,17,1.0"


def test_a_shared_lock_is_shared_by_its_key(manager: pyvisa.ResourceManager) -> None:
    one, friend, other = connect(manager), connect(manager), connect(manager)
    key = one.lock(requested_key="bench")
    assert key == "bench"
    assert friend.lock(requested_key=key) == key
    assert friend.query("*IDN?") == "hil,Supply,17,1.0"
    with failing(StatusCode.error_resource_locked):
        other.query("*IDN?")
    one.unlock()
    with failing(StatusCode.error_resource_locked):
        other.query("*IDN?")
    friend.close()
    assert other.query("*IDN?") == "hil,Supply,17,1.0"
    with failing(StatusCode.error_session_not_locked):
        one.unlock()
    assert one.lock() != ""


def test_nested_locks(manager: pyvisa.ResourceManager) -> None:
    one, other = connect(manager), connect(manager)
    one.lock_excl()
    one.lock_excl()
    one.unlock()
    with failing(StatusCode.error_resource_locked):
        other.write("*CLS")
    one.unlock()
    other.write("*CLS")
    exclusive = connect(manager, access_mode=AccessModes.exclusive_lock)
    assert exclusive.lock_state == AccessModes.exclusive_lock
    exclusive.close()
    other.write("*CLS")


# Libraries --------------------------------------------------------------------------------------------------


@pytest.fixture
def stub_load(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("simulators.bench.load", load, raising=False)
    yield
    power_off()


@pytest.mark.usefixtures("stub_load")
def test_a_bench_stays_on_while_sessions_come_and_go() -> None:
    for expected in ("+0.00000000E+00", "+1.50000000E+00"):
        manager = pyvisa.ResourceManager("a.yaml@hil")
        resource = connect(manager)
        assert resource.query("VOLT?") == expected
        resource.write("VOLT 1.5")
        manager.close()
        del resource, manager
    power_off("a.yaml")
    assert connect(pyvisa.ResourceManager("a.yaml@hil")).query("VOLT?") == "+0.00000000E+00"
    assert connect(pyvisa.ResourceManager("b.yaml@hil")).query("VOLT?") == "+0.00000000E+00"


@pytest.mark.usefixtures("stub_load")
def test_the_bench_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIL_BENCH", raising=False)
    with pytest.raises(OSError, match=r"bench\.yaml@hil"):
        pyvisa.ResourceManager("@hil")
    monkeypatch.setenv("HIL_BENCH", "c.yaml")
    manager = pyvisa.ResourceManager("@hil")
    assert str(manager.visalib.library_path) == "c.yaml"
    assert connect(manager).query("*IDN?") == "hil,Supply,17,1.0"
    assert "c.yaml" in str(HilVisaLibrary.get_debug_info())


@pytest.mark.usefixtures("stub_load")
def test_a_bench_file_that_is_missing_is_an_error_of_its_own() -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.yaml"):
        pyvisa.ResourceManager("missing.yaml@hil")


def test_closing_the_manager_closes_the_sessions(bench: Bench) -> None:
    manager = open_library(bench)
    library = manager.visalib
    resource = connect(manager)
    session, old = resource.session, manager.session
    resource.lock_excl()
    manager.close()
    with failing(StatusCode.error_invalid_object):
        library.write(session, b"*CLS\n")
    with failing(StatusCode.error_invalid_object):
        library.open(old, LAN)
    again = pyvisa.ResourceManager(library)
    assert connect(again).query("*IDN?") == "hil,Supply,17,1.0"
    again.close()
