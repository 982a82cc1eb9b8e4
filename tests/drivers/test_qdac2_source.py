"""What the QDAC-II adapter puts on the line through the unmodified stock driver."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

from drivers.errors import InstrumentError, InstrumentTimeout
from drivers.qdac2_source import Qdac2Source, toward_zero
from drivers.visa import split_errors
from tests.drivers.recording import Recording

IDENTITY = "QDevil, QDAC-II, 123, 9-1.21"
CLEAN = '0,"No error"'


@pytest.fixture
def line() -> Recording:
    answers = {"*IDN?": IDENTITY, "syst:err:all?": CLEAN}
    for channel in (1, 2):
        answers[f"sour{channel}:list:ncl?"] = "0"
        answers[f"sour{channel}:volt:last?"] = "0.125"
    return Recording(answers)  # type: ignore[arg-type]


@pytest.fixture
def dac(line: Recording) -> Iterator[QDac2]:
    dac = QDac2("dac", None, resource=line)
    yield dac
    dac.close()


@pytest.fixture
def source(dac: QDac2) -> Qdac2Source:
    return Qdac2Source(dac, trigger_output=4)


def free_triggers(dac: QDac2) -> int:
    return len(dac._internal_triggers)


def test_a_waveform_on_the_line(source: Qdac2Source, dac: QDac2, line: Recording) -> None:
    dac._internal_triggers = {7}
    mark = len(line.sent)
    source.arm({1: np.array([0.0, 0.1]), 2: np.array([0.2, 0.3])}, 1e-3)
    source.fire()
    source.finish(1.0)
    sent = line.since(mark)
    blocks = {entry[0]: entry[1] for entry in sent if isinstance(entry, tuple)}
    np.testing.assert_array_equal(blocks["sour2:list:volt "], toward_zero(np.array([0.2, 0.3])))

    def armed(n: int) -> list[str]:
        return [
            f"sour{n}:dc:trig:sour hold",
            f"sour{n}:volt:mode list",
            f"block to {n}",
            f"sour{n}:list:tmod auto",
            f"sour{n}:list:dwel 0.001",
            f"sour{n}:dc:del 0",
            f"sour{n}:list:dir up",
            f"sour{n}:list:coun 1",
            f"sour{n}:dc:trig:sour bus",
            f"sour{n}:dc:init:cont on",
            f"sour{n}:dc:trig:sour int7",
            f"sour{n}:dc:init:cont off",
        ]

    assert [f"block to {e[0][4]}" if isinstance(e, tuple) else e for e in sent] == [
        "outp:trig4:sour int7",
        "outp:trig4:widt 1e-05",
        *armed(1),
        *armed(2),
        "syst:err:all?",
        "tint 7",
        "sour1:list:ncl?",
        "sour2:list:ncl?",
        "sour1:dc:abor",
        "sour1:dc:trig:sour imm",
        "sour2:dc:abor",
        "sour2:dc:trig:sour imm",
        "syst:err:all?",
    ]


def test_thousands_of_waveforms_leave_no_trigger_behind(source: Qdac2Source, dac: QDac2) -> None:
    for _ in range(2000):
        source.arm({1: np.zeros(2)}, 1e-3)
        source.fire()
        source.finish(1.0)
    assert free_triggers(dac) == 14


def test_triggers_come_back_after_every_kind_of_failure(
    source: Qdac2Source, dac: QDac2, line: Recording
) -> None:
    line.answers["syst:err:all?"] = '-222,"Data out of range"'
    with pytest.raises(InstrumentError, match='-222, "Data out of range" while loading waveforms'):
        source.arm({1: np.zeros(2)}, 1e-3)
    assert free_triggers(dac) == 14
    line.answers["syst:err:all?"] = CLEAN
    source.arm({1: np.zeros(2)}, 1e-3)
    del line.answers["sour1:list:ncl?"]
    with pytest.raises(InstrumentTimeout, match="no answer while waiting for channel 1"):
        source.finish(1.0)
    assert free_triggers(dac) == 14
    line.answers["sour1:list:ncl?"] = "1"
    source.arm({1: np.zeros(2)}, 1e-3)
    with pytest.raises(InstrumentTimeout, match=r"channel 1 still plays after 0\.01 s"):
        source.finish(0.01)
    assert free_triggers(dac) == 14

    def interrupt() -> str:
        raise KeyboardInterrupt

    line.answers["syst:err:all?"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        source.arm({1: np.zeros(2)}, 1e-3)
    assert free_triggers(dac) == 14


def test_a_waveform_that_was_armed_and_never_fired_is_replaced(source: Qdac2Source, dac: QDac2) -> None:
    source.arm({1: np.zeros(2)}, 1e-3)
    source.arm({1: np.zeros(2)}, 1e-3)
    assert free_triggers(dac) == 13
    source.close()
    assert free_triggers(dac) == 14
    with pytest.raises(InstrumentError, match="nothing is armed"):
        source.fire()


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(
    source: Qdac2Source, line: Recording
) -> None:
    line.answers["sour1:volt:last?"] = "0.9"
    del line.answers["sour2:volt:last?"]
    with pytest.raises(InstrumentTimeout, match=r"192.168.8.17.*no answer while reading back channel 2"):
        source.read_back(2)
    line.stale = ["0.2"]
    assert source.read_back(1) == 0.9
    line.answers["sour2:volt:last?"] = "0.1"
    line.can_clear = False
    del line.answers["sour1:volt:last?"]
    with pytest.raises(InstrumentTimeout):
        source.read_back(1)
    line.stale = ["0.9", "0.8"]
    assert source.read_back(2) == 0.1
    assert line.timeout == 5000.0


def test_an_instrument_that_never_makes_sense_again_is_given_up(source: Qdac2Source, line: Recording) -> None:
    del line.answers["sour1:volt:last?"]
    with pytest.raises(InstrumentTimeout):
        source.read_back(1)
    line.answers["*IDN?"] = "Somebody, Else, 1, 2"
    with pytest.raises(InstrumentError, match="answers 'Somebody, Else, 1, 2' where it was 'QDevil"):
        source.read_back(2)


def test_numbers_that_are_none_are_errors(source: Qdac2Source, line: Recording) -> None:
    line.answers["sour1:volt:last?"] = "what?"
    with pytest.raises(InstrumentError, match="while reading back channel 1"):
        source.read_back(1)


def test_static_voltages_slew_limits_and_ranges(source: Qdac2Source, line: Recording) -> None:
    line.answers |= {"sour1:rang?": "low", "sour1:rang:low:min?": "-2", "sour1:rang:low:max?": "2"}
    line.answers |= {"sour2:rang?": "high", "sour2:rang:high:min?": "-10", "sour2:rang:high:max?": "10"}
    assert source.output_range(1) == (-2.0, 2.0)
    assert source.output_range(2) == (-10.0, 10.0)
    mark = len(line.sent)
    source.set_slew_limit(1, 60.0)
    source.set_slew_limit(2, 1e-6)
    source.set_static({1: 0.0})
    assert line.since(mark) == [
        "sour1:volt:slew 60.0",
        "sour2:volt:slew 0.01",
        "sour1:volt:mode fix",
        "sour1:volt 0.0",
    ]


def test_the_stock_drivers_own_parameters_are_confined_until_closing(source: Qdac2Source, dac: QDac2) -> None:
    source.confine(1, -1.2, 0.6)
    dac.ch01.dc_constant_V(0.6)
    for parameter in (dac.ch01.dc_constant_V, dac.ch01.dc_next_V):
        with pytest.raises(ValueError, match=r"0\.7"):
            parameter(0.7)
    dac.ch02.dc_constant_V(0.7)
    source.close()
    dac.ch01.dc_constant_V(0.7)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50))
def test_rounding_to_32_bits_is_never_away_from_zero(values: list[float]) -> None:
    volts = np.array(values)
    rounded = toward_zero(volts)
    assert (np.abs(rounded) <= np.abs(volts)).all()
    assert (rounded.astype(np.float32) == rounded).all()
    np.testing.assert_allclose(rounded, volts, rtol=2e-7, atol=1e-37)


def test_error_queues_aresplit_errors() -> None:
    assert split_errors(CLEAN) == []
    assert split_errors('+0,"No error"') == []
    assert split_errors('-222,"Data out of range; 3, 4",-113,"Undefined header"') == [
        '-222, "Data out of range; 3, 4"',
        '-113, "Undefined header"',
    ]
    assert split_errors("-100") == ['-100, ""']
