"""What the meter adapter puts on the line through the unmodified stock driver."""

from collections.abc import Iterator

import numpy as np
import pytest
from qcodes.instrument_drivers.Keysight import Keysight34465A

from drivers.errors import GarbledAnswer, InstrumentError, InstrumentTimeout
from drivers.keysight_digitizer import KeysightDigitizer
from tests.drivers.recording import Answer, Recording

CLEAN = '+0,"No error"'
ANSWERS: dict[str, Answer] = {
    "*IDN?": "Keysight Technologies,34465A,MY1,A.03.01-02.40-03.01-00.52-02-01",
    "*OPT?": "0",
    "SYSTem:ERRor?": CLEAN,
    "SYSTem:LFRequency?": "50",
    "SENSe:FUNCtion?": '"VOLT"',
    "SENSe:VOLTage:DC:RESolution?": "+3.0E-04",
    "SENSe:VOLT:APERture:ENABled?": "1",
    "DISPLAY:TEXT?": '""',
}


TIMING = "TRIGger:SOURce?;DELay?;:SAMPle:SOURce?;TIMer?;:VOLTage:DC:APERture?"
TIMED = ("TRIGger:SOURce", "TRIGger:DELay", "SAMPle:SOURce", "SAMPle:TIMer", "SENSe:VOLT:APERture")


@pytest.fixture
def line() -> Recording:
    line = Recording(dict(ANSWERS), "TCPIP0::192.168.8.18::inst0::INSTR")
    line.answers[TIMING] = lambda: ";".join(last(line, header) for header in TIMED)
    return line


def last(line: Recording, header: str) -> str:
    """What a setting was set to last."""
    return next(
        entry.split()[1] for entry in reversed(line.sent) if isinstance(entry, str) and f"{header} " in entry
    )


@pytest.fixture
def meter(line: Recording) -> Iterator[Keysight34465A]:
    meter = Keysight34465A("meter", None, silent=True, resource=line)
    yield meter
    meter.close()


@pytest.fixture
def digitizer(meter: Keysight34465A) -> KeysightDigitizer:
    return KeysightDigitizer(meter)


def one_error(line: Recording, error: str) -> None:
    replies = iter([error])
    line.answers["SYSTem:ERRor?"] = lambda: next(replies, CLEAN)


def commands(sent: list[object]) -> list[object]:
    return [entry for entry in sent if not (isinstance(entry, str) and entry.endswith("?"))]


def test_setting_up(meter: Keysight34465A, line: Recording) -> None:
    mark = len(line.sent)
    digitizer = KeysightDigitizer(meter)
    assert commands(line.since(mark)) == [
        'SENSe:FUNCtion "VOLT"',
        "SENSe:VOLTage:DC:RANGe 10.000000",
        "SENSe:VOLT:ZERO:AUTO 0",
        "TRIGger:SLOPe POS",
        "SAMPle:COUNt:PRETrigger 0",
        "FORMat:BORDer NORMal",
        "FORMat:DATA REAL,64",
        "FORMat:DATA ASCii",
    ]
    assert (digitizer.line_frequency_Hz, digitizer.max_readings, digitizer.range_V) == (50.0, 50_000, 10.0)
    assert "34465A" in digitizer.identity()


def test_a_burst_on_the_line(digitizer: KeysightDigitizer, line: Recording) -> None:
    mark = len(line.sent)
    digitizer.arm(3, 1e-3, 200e-6, 750e-6)
    assert commands(line.since(mark)) == [
        "TRIGger:SOURce EXT",
        "TRIGger:COUNt 1",
        "TRIGger:DELay 0.00075",
        "SENSe:VOLT:APERture 0.000200",
        "SAMPle:COUNt 3",
        "FORMat:DATA REAL,64",
        "SAMPle:SOURce TIM",
        "SAMPle:TIMer 0.001",
        "INIT",
    ]
    assert line.sent[-1] == "SYSTem:ERRor?", "an answer after INIT shows that the meter waits"
    line.block = np.array([1.0, -9.9e37, 9.9e37])
    np.testing.assert_array_equal(digitizer.fetch(12.5), [1.0, -np.inf, np.inf])
    assert line.timeouts == [12_500.0]
    assert line.timeout == 5_000.0
    assert line.sent[-3:] == [("FETCh?", "d", True), "FORMat:DATA ASCii", "SYSTem:ERRor?"]


def test_firmware_without_blocks_is_read_as_text(meter: Keysight34465A, line: Recording) -> None:
    replies = iter([CLEAN, CLEAN, '-113,"Undefined header"'])
    line.answers["SYSTem:ERRor?"] = lambda: next(replies, CLEAN)
    digitizer = KeysightDigitizer(meter)
    line.answers["FETCH?"] = "+1.5E+00,-9.9E+37"
    digitizer.arm(2, 1e-3, 200e-6, 0.0)
    np.testing.assert_array_equal(digitizer.fetch(1.0), [1.5, -np.inf])


def test_readings_at_once(digitizer: KeysightDigitizer, line: Recording) -> None:
    line.block = np.array([0.25, 0.5])
    mark = len(line.sent)
    np.testing.assert_array_equal(digitizer.read(2, 0.02, 500e-6), [0.25, 0.5])
    sent = commands(line.since(mark))
    assert "TRIGger:SOURce IMM" in sent
    assert "SAMPle:SOURce IMM" in sent
    assert line.timeouts[0] > 2 * 0.02 * 1e3


def test_the_meters_own_words_are_passed_on(digitizer: KeysightDigitizer, line: Recording) -> None:
    one_error(line, '-222,"Data out of range"')
    with pytest.raises(InstrumentError, match=r'192.168.8.18.*-222, "Data out of range" while arming'):
        digitizer.arm(3, 1e-3, 200e-6, 750e-6)
    line.block = np.zeros(3)
    digitizer.arm(3, 1e-3, 200e-6, 750e-6)
    one_error(line, '+531,"Insufficient memory"')
    with pytest.raises(InstrumentError, match='531, "Insufficient memory" while measuring'):
        digitizer.fetch(1.0)


@pytest.mark.parametrize("header", TIMED)
def test_a_setting_that_did_not_arrive_is_noticed_before_anything_is_measured(
    digitizer: KeysightDigitizer, line: Recording, header: str
) -> None:
    stale = {"TRIGger:SOURce": "IMM", "SAMPle:SOURce": "IMM"}.get(header, "0.0021")
    line.answers[TIMING] = lambda: ";".join(stale if name == header else last(line, name) for name in TIMED)
    mark = len(line.sent)
    with pytest.raises(GarbledAnswer, match="it missed a command"):
        digitizer.arm(3, 1e-3, 200e-6, 750e-6)
    assert "INIT" not in line.since(mark)


def test_too_few_readings_are_an_error(digitizer: KeysightDigitizer, line: Recording) -> None:
    digitizer.arm(3, 1e-3, 200e-6, 750e-6)
    line.block = np.zeros(2)
    with pytest.raises(InstrumentError, match="2 readings where 3 were armed"):
        digitizer.fetch(1.0)


def test_a_timeout_leaves_the_line_usable(digitizer: KeysightDigitizer, line: Recording) -> None:
    digitizer.arm(3, 1e-3, 200e-6, 750e-6)
    with pytest.raises(InstrumentTimeout, match="no answer while waiting 1 s for readings"):
        digitizer.fetch(1.0)
    assert line.timeout == 5_000.0
    line.stale = ["+1.0E0"]
    clears = line.clears
    mark = len(line.sent)
    digitizer.recover()
    assert line.clears > clears
    assert "ABORt" in line.since(mark)
    assert "FORMat:DATA ASCii" in line.since(mark)
    digitizer.arm(3, 1e-3, 200e-6, 750e-6)
    line.block = np.zeros(3)
    assert len(digitizer.fetch(1.0)) == 3


def test_closing_leaves_the_wait_for_a_trigger(digitizer: KeysightDigitizer, line: Recording) -> None:
    digitizer.arm(3, 1e-3, 200e-6, 750e-6)
    digitizer.close()
    assert "ABORt" in line.sent
    mark = len(line.sent)
    digitizer.close()
    assert line.since(mark) == []
