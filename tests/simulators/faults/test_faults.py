"""Faults on the line and at the sockets, as a PyVISA session and the bench's inside see them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from simulators.bench import BenchError, EmulatedBench, load
from simulators.faults import KINDS, Fault
from simulators.faults.fault import ANSWER_KINDS, INPUT_KINDS, MESSAGE_KINDS, SOURCE_KINDS
from simulators.visa import HilVisaLibrary
from tests.simulators.bench.linear import DAC, METER, TEXT, write_bench

SUPERVISOR = "TCPIP0::192.168.8.99::5025::SOCKET"


def switch_on(folder: Path, *faults: str, seed: int = 20) -> EmulatedBench:
    listed = "".join(f"    - {{{fault}}}\n" for fault in faults)
    text = TEXT + (f"  faults:\n{listed}" if faults else "") + f'  supervisor: "{SUPERVISOR}"\n'
    return load(write_bench(folder, text.replace("seed: 20", f"seed: {seed}")))


class Desk:
    """Open sessions to a bench's instruments."""

    def __init__(self, bench: EmulatedBench) -> None:
        self.bench = bench
        self.manager = pyvisa.ResourceManager(HilVisaLibrary.for_bench(bench))  # type: ignore[arg-type]
        self.dac, self.meter, self.supervisor = map(self.open, (DAC, METER, SUPERVISOR))

    def open(self, address: str) -> Any:
        return self.manager.open_resource(
            address, read_termination="\n", write_termination="\n", timeout=2000
        )

    def inject(self, **what: Any) -> int:
        return self.bench.faults.inject(Fault.model_validate(what))

    def volts(self, terminal: str = "3") -> float:
        """What really leaves a socket of the DAC now."""
        now = self.bench.clock.now
        return float(self.bench.instruments["dac"].terminals.sources[terminal].knots(now, now).values[0])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(switch_on(tmp_path))
    yield desk
    desk.manager.close()


def failure(action: Any) -> StatusCode:
    with pytest.raises(VisaIOError) as caught:
        action()
    return StatusCode(caught.value.error_code)


def test_no_answer_is_a_timeout_and_the_next_one_comes(desk: Desk) -> None:
    desk.inject(instrument="meter", kind="no_answer", at=2)
    assert "34465A" in desk.meter.query("*IDN?")
    before = desk.bench.clock.now
    assert failure(lambda: desk.meter.query("*IDN?")) == StatusCode.error_timeout
    assert desk.bench.clock.now - before == pytest.approx(2.0, abs=0.1)
    assert "34465A" in desk.meter.query("*IDN?")


def test_a_late_answer_is_taken_for_the_next_one_by_whoever_does_not_look_out(desk: Desk) -> None:
    desk.inject(instrument="dac", kind="late_answer", delay="3 s", at=1)
    assert failure(lambda: desk.dac.query("*IDN?")) == StatusCode.error_timeout
    assert "QDAC-II" in desk.dac.query("syst:vers?")
    assert desk.dac.read() == "1999.0"


def test_a_wrong_answer_is_the_one_before_or_the_one_that_is_stated(desk: Desk) -> None:
    desk.inject(instrument="meter", kind="wrong_answer", at=2)
    desk.inject(instrument="meter", kind="wrong_answer", answer="+1.0", at=3)
    version = desk.meter.query("SYST:VERS?")
    assert desk.meter.query("*OPT?") == version
    assert desk.meter.query("*OPT?") == "+1.0"
    assert desk.meter.query("*OPT?") == "DIG,MEM"


def test_answers_are_cut_spoilt_and_lose_bytes(desk: Desk) -> None:
    identity = desk.meter.query("*IDN?")
    desk.inject(instrument="meter", kind="cut_answer", at=1)
    with pytest.warns(UserWarning, match="termination"):
        cut = desk.meter.query("*IDN?")
    assert cut
    assert identity.startswith(cut)
    desk.inject(instrument="meter", kind="dropped_bytes", bytes=3, at=1)
    desk.meter.write("*IDN?")
    short = desk.meter.read_raw()
    assert len(short) == len(identity) + 1 - 3
    letters = iter(identity + "\n")
    assert all(any(letter == kept for letter in letters) for kept in short.decode()), "in order"
    desk.inject(instrument="meter", kind="garbage", at=1)
    desk.meter.write("*IDN?")
    assert desk.meter.read_raw().rstrip(b"\n") != identity.encode()
    assert desk.meter.query("*IDN?") == identity


def test_a_lost_message_never_arrives(desk: Desk) -> None:
    desk.inject(instrument="dac", kind="lost_message", at=1)
    desk.dac.write("sour3:volt 0.5")
    assert float(desk.dac.query("sour3:volt?")) == 0.0
    assert desk.dac.query("syst:err:all?").startswith("0,")


def test_only_the_identity_is_wrong(desk: Desk) -> None:
    desk.inject(instrument="meter", kind="wrong_identity", answer="Maker,34461A,1,1")
    assert desk.meter.query("*OPT?") == "DIG,MEM"
    assert desk.meter.query("*idn?") == "Maker,34461A,1,1"


def test_an_error_queue_overflows(desk: Desk) -> None:
    desk.inject(instrument="meter", kind="queue_overflow", at=1)
    desk.meter.write("*CLS")
    said = [desk.meter.query("SYST:ERR?") for _ in range(21)]
    assert said[-2].startswith("-350,")
    assert said[-1].startswith("+0,")


def test_a_lost_connection_stays_lost_until_a_new_one_is_opened(desk: Desk) -> None:
    other = desk.open(DAC)
    desk.inject(instrument="dac", kind="disconnect", at=2, tries=2, pause="1 s")
    desk.dac.write("sour3:volt 0.5")
    for session in (desk.dac, desk.dac, other):
        assert failure(lambda session=session: session.query("*IDN?")) == StatusCode.error_connection_lost
    assert failure(desk.dac.clear) == StatusCode.error_connection_lost
    assert failure(lambda: other.write("*RST")) == StatusCode.error_connection_lost
    for _ in range(2):
        assert failure(lambda: desk.open(DAC)) == StatusCode.error_resource_not_found
    assert failure(lambda: desk.open(DAC)) == StatusCode.error_resource_not_found, "a second has not passed"
    desk.bench.clock.advance(1.0)
    fresh = desk.open(DAC)
    assert float(fresh.query("sour3:volt?")) == 0.5, "the instrument itself went on"
    assert failure(lambda: desk.dac.query("*IDN?")) == StatusCode.error_connection_lost
    desk.dac.close()


def test_clearing_a_fault_lets_connections_in_again(desk: Desk) -> None:
    number = desk.inject(instrument="meter", kind="disconnect", tries=1000)
    assert failure(lambda: desk.meter.query("*IDN?")) == StatusCode.error_connection_lost
    desk.bench.faults.clear(number)
    assert "34465A" in desk.open(METER).query("*IDN?")


def test_a_sound_line_is_the_instrument_itself(desk: Desk) -> None:
    line, dac = desk.bench.resources[DAC], desk.bench.instruments["dac"]
    assert line.write == dac.write
    number = desk.inject(instrument="dac", kind="no_answer", at=1000)
    assert line.write != dac.write
    desk.bench.faults.clear(number)
    assert line.read == dac.read


# Sockets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [True, False])
def test_a_stuck_output_holds_what_it_has_and_may_hide_it(desk: Desk, shown: bool) -> None:
    desk.dac.write("sour3:volt 0.4")
    desk.bench.clock.advance(0.1)
    number = desk.inject(instrument="dac", kind="stuck", terminal="3", shown=shown)
    desk.dac.write("sour3:volt -0.2")
    desk.bench.clock.advance(0.1)
    assert desk.volts() == pytest.approx(0.4, abs=1e-3)
    assert float(desk.dac.query("sour3:volt:last?")) == pytest.approx(0.4 if shown else -0.2, abs=1e-3)
    assert float(desk.dac.query("sour3:volt?")) == pytest.approx(-0.2)
    desk.bench.faults.clear(number)
    desk.bench.clock.advance(0.1)
    assert desk.volts() == pytest.approx(-0.2, abs=1e-3)


def test_a_source_drifts_and_is_limited_between_two_instants(desk: Desk) -> None:
    start = desk.bench.clock.now
    spell = {"from": f"{start + 1.0} s", "until": f"{start + 3.0} s"}
    desk.inject(instrument="dac", kind="drift", terminal=3, rate="10 mV/s", **spell)
    desk.inject(instrument="dac", kind="compliance", terminal="4", level="0.1 V", **spell)
    desk.dac.write("sour3:volt 0.5;:sour4:volt -0.5")
    found = []
    for _ in range(4):
        desk.bench.clock.advance_to(desk.bench.clock.now + 0.99)
        found.append((desk.volts("3"), desk.volts("4")))
    assert np.array(found) == pytest.approx(
        np.array([[0.5, -0.5], [0.5098, -0.1], [0.5197, -0.1], [0.5, -0.5]]), abs=1e-3
    )


def test_a_limited_ramp_is_cut_where_it_meets_the_limit(desk: Desk) -> None:
    desk.inject(instrument="dac", kind="compliance", terminal="3", level="0.25 V")
    desk.dac.write("sour3:volt:slew 1")
    start = desk.bench.clock.now
    desk.dac.write("sour3:volt 0.5")
    desk.bench.clock.advance(1.0)
    corners = desk.bench.instruments["dac"].terminals.sources["3"].knots(start, desk.bench.clock.now)
    after = start + np.array([0.1, 0.2, 0.3, 0.4, 0.9])
    assert corners.at(after) == pytest.approx(np.array([0.1, 0.2, 0.25, 0.25, 0.25]), abs=1e-3)


@pytest.mark.parametrize(("kind", "number"), [("over_range", 9.9e37), ("not_a_number", 9.91e37)])
def test_a_meter_writes_what_is_no_reading_in_text_and_in_blocks(
    desk: Desk, kind: str, number: float
) -> None:
    desk.inject(instrument="meter", kind=kind, terminal="input")
    desk.meter.write("CONF:VOLT:DC 10")
    assert float(desk.meter.query("READ?")) == pytest.approx(number, rel=1e-9)
    desk.meter.write("FORM REAL,64")
    assert desk.meter.query_binary_values("READ?", "d", is_big_endian=True) == [number]
    desk.meter.write("INIT")
    assert desk.meter.query_binary_values("FETC?", "d", is_big_endian=True) == [number]


# What is written down, and chance ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("instrument: meter, kind: no_anser", ["emulator.faults.0.kind", "no_answer"]),
        ("instrument: meter, kind: late_answer", ["late_answer needs its delay"]),
        ("instrument: meter, kind: no_answer, delay: 1 s", ["delay says nothing of no_answer"]),
        ("instrument: meter, kind: no_answer, from: 3", ["from", "no unit"]),
        ("instrument: meter, kind: no_answer, from: 3 s, until: 1 s", ["until 1 s is not after from 3 s"]),
        ("instrument: meter, kind: over_range", ["name it, such as terminal"]),
        ("instrument: dac, kind: stuck, terminal: 3, at: 4", ["at says nothing of stuck"]),
        ("instrument: lamp, kind: no_answer", ["no instrument 'lamp'", "dac, meter"]),
        ("instrument: dac, kind: stuck, terminal: 99", ["dac.99 cannot have stuck", "dac.24"]),
        (
            "instrument: meter, kind: stuck, terminal: input",
            ["meter.input cannot have stuck", "nothing there"],
        ),
    ],
)
def test_a_fault_that_cannot_be_is_one_clear_error(tmp_path: Path, fault: str, words: list[str]) -> None:
    with pytest.raises(BenchError) as caught:
        switch_on(tmp_path, fault)
    for word in ["emulator.faults.0", "bench.yaml:", *words]:
        assert word in str(caught.value)


def answers(bench: EmulatedBench) -> list[object]:
    desk, said = Desk(bench), []
    for _ in range(100):
        desk.meter.write("*IDN?")
        try:
            said.append(desk.meter.read_raw())
        except VisaIOError as error:
            said.append(error.error_code)
    return said


def test_the_same_seed_gives_the_same_faults(tmp_path: Path) -> None:
    faults = [
        "instrument: meter, kind: garbage, probability: 0.2, times: 6",
        "instrument: meter, kind: no_answer, probability: 0.1",
    ]
    one, two, other = (answers(switch_on(tmp_path, *faults, seed=seed)) for seed in (5, 5, 6))
    assert one == two
    assert one != other
    whole = max(one, key=one.count)
    assert 6 < sum(said != whole for said in one) < 40


# The supervisor -----------------------------------------------------------------------------------------------


def test_a_supervisor_injects_lists_and_clears(desk: Desk) -> None:
    ask = desk.supervisor.query
    assert ask("*IDN?").startswith("hil,Bench supervisor")
    assert ask("FAULT:LIST?") == '""'
    desk.supervisor.write('FAULT:INJECT "meter","no_answer","at",2,"times",3')
    desk.supervisor.write("FAUL:INJ dac,stuck,terminal,3,shown,true")
    assert ask("FAULT:LIST?") == (
        '"1: meter no_answer at 2 times 3, 0 times so far","2: dac.3 stuck shown True"'
    )
    desk.meter.query("*IDN?")
    assert failure(lambda: desk.meter.query("*IDN?")) == StatusCode.error_timeout
    assert "1 times so far" in ask("FAULT:LIST?")
    desk.supervisor.write("FAULT:CLEAR 1")
    desk.meter.query("*IDN?")
    desk.supervisor.write("FAULT:CLEAR")
    assert ask("FAULT:LIST?") == '""'
    assert ask("SYST:ERR?").startswith("0,")
    assert float(ask("SYST:TIME?")) == pytest.approx(desk.bench.clock.now, abs=1e-3)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ('FAULT:INJECT "meter","no_anser"', ["-224", "kind"]),
        ('FAULT:INJECT "lamp","no_answer"', ["-224", "dac, meter"]),
        ('FAULT:INJECT "meter","no_answer","at"', ["-109", "at has no value"]),
        ('FAULT:INJECT "meter","late_answer","delay","3"', ["-224", "no unit"]),
        ("FAULT:CLEAR 7", ["-224", "no fault 7"]),
    ],
)
def test_a_supervisor_refuses_with_the_reason(desk: Desk, command: str, words: list[str]) -> None:
    desk.supervisor.write(command)
    said = desk.supervisor.query("SYST:ERR?")
    for word in words:
        assert word in said
    assert desk.bench.faults.list() == ()


# Anything -----------------------------------------------------------------------------------------------------

LINE = st.fixed_dictionaries(
    {"instrument": st.sampled_from(["dac", "meter"]), "kind": st.sampled_from(ANSWER_KINDS + MESSAGE_KINDS)},
    optional={
        "at": st.integers(1, 20),
        "probability": st.floats(0.05, 1.0),
        "times": st.integers(1, 9),
        "from": st.sampled_from(["0 s", "1 s", "50 ms"]),
        "until": st.sampled_from(["2 s", "10 s"]),
        "delay": st.sampled_from(["1 us", "100 ms", "10 s"]),
        "answer": st.text(st.characters(max_codepoint=255), max_size=20),
        "bytes": st.integers(1, 50),
        "tries": st.integers(0, 3),
        "pause": st.sampled_from(["0 s", "1 s"]),
    },
)
SOURCE = st.fixed_dictionaries(
    {"instrument": st.just("dac"), "kind": st.sampled_from(SOURCE_KINDS), "terminal": st.just("3")},
    optional={"level": st.just("0.1 V"), "rate": st.just("1 V/s"), "shown": st.booleans()},
)
INPUT = st.fixed_dictionaries(
    {"instrument": st.just("meter"), "kind": st.sampled_from(INPUT_KINDS), "terminal": st.just("input")},
    optional={"level": st.just("20 V"), "rate": st.just("1 V/s")},
)
EXCHANGE = st.sampled_from(
    [
        ("dac", "*IDN?"),
        ("dac", "sour3:volt 0.5"),
        ("dac", "sour3:volt:last?"),
        ("dac", "syst:err:all?"),
        ("meter", "*IDN?"),
        ("meter", "READ?"),
        ("meter", "FORM REAL,64"),
        ("meter", "SAMP:COUN 50"),
        ("meter", "clear"),
        ("meter", "poll"),
        ("dac", "clear"),
    ]
)


def sensible(given: dict[str, Any]) -> Fault | None:
    """The fault, less the settings that are not for its kind."""
    while True:
        try:
            return Fault.model_validate(given)
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            key = said.split()[0]
            if " says nothing of " not in said or key not in given:
                return None
            given = {name: value for name, value in given.items() if name != key}


def visa_error(action: Any) -> StatusCode | None:
    """What an exchange failed with, None if it did not."""
    try:
        action()
    except VisaIOError as error:
        return StatusCode(error.error_code)
    return None


def exchange(line: Any, message: str) -> None:
    if message == "clear":
        line.clear()
    elif message == "poll":
        line.read_stb()
    else:
        line.write(message)
        if message.endswith("?"):
            line.read_raw()


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.one_of(LINE, SOURCE, INPUT), max_size=4), exchanges=st.lists(EXCHANGE, max_size=25))
def test_whatever_is_wrong_a_door_fails_as_visa_does_and_in_time(
    desk: Desk, faults: list[dict[str, Any]], exchanges: list[tuple[str, str]]
) -> None:
    addresses = {"dac": DAC, "meter": METER}
    lines = {name: desk.open(address) for name, address in addresses.items()}
    for fault in filter(None, map(sensible, faults)):
        desk.bench.faults.inject(fault)
    for name, message in exchanges:
        before = desk.bench.clock.now
        failed = visa_error(lambda line=lines[name], message=message: exchange(line, message))
        assert failed in (None, StatusCode.error_timeout, StatusCode.error_connection_lost)
        assert desk.bench.clock.now - before < 3.0
        if failed == StatusCode.error_connection_lost:
            refused = visa_error(lambda name=name: lines.update({name: desk.open(addresses[name])}))
            assert refused in (None, StatusCode.error_resource_not_found)
    desk.bench.faults.clear()
    for address in addresses.values():
        fresh = desk.open(address)
        fresh.clear()
        fresh.write("*RST;*CLS")
        fresh.clear()
        fresh.write("SYST:VERS?")
        assert fresh.read_raw().strip() == b"1999.0"


def test_every_kind_is_tried_above() -> None:
    assert set(KINDS) == {*ANSWER_KINDS, *MESSAGE_KINDS, *SOURCE_KINDS, *INPUT_KINDS}
