"""The TSL-570's driver: what it puts on the line, and what it makes of interlocks, alerts and refusals."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import pyvisa.constants
import pyvisa.errors

from drivers.errors import EnvelopeError, IdentityError, InstrumentError, InstrumentTimeout, ReadbackError
from drivers.santec_tsl570 import SantecTSL570

Pair = tuple[str, str | None]
IDENTITY = "SANTEC,TSL-570,21030001,0026.0026.0011"
OPENING: list[Pair] = [
    ("*IDN?", IDENTITY),
    (":SYST:COMM:COD 1;:POW:UNIT 0", None),
    (":POW? MIN", "-1.50000000E+001"),
    (":POW? MAX", "+1.30000000E+001"),
    (":WAV? MIN", "+1.48000000E-006"),
    (":WAV? MAX", "+1.64000000E-006"),
    ("*IDN?", IDENTITY),  # QCoDeS greets
]
WELL: list[Pair] = [(":SYST:LOCK?", "+0"), (":SYST:ALER?", '+0,"No alert"')]
SETTLED: list[Pair] = [("*OPC?", "1"), (":SYST:ERR?", '+0,"No error"')]


class Script:
    """An open resource that knows which messages must come, in which order, and what is answered."""

    session = None
    resource_name = "GPIB0::10::INSTR"

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs, self.answers, self.mute = list(pairs), [], False
        self.sent: list[str] = []
        self.timeout: float | None = 10_000.0
        self.write_termination = self.read_termination = ""
        self.visalib = self

    def write(self, text: str) -> None:
        self.sent.append(text)
        if self.mute:
            return
        assert self.pairs, f"{text!r} was not expected"
        message, answer = self.pairs.pop(0)
        assert text == message
        if answer is not None:
            self.answers.append(answer)

    def read(self) -> str:
        if not self.answers:
            raise pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
        return self.answers.pop(0)

    def query(self, text: str) -> str:
        self.write(text)
        return self.read()

    def clear(self) -> None:
        self.answers = []

    def close(self) -> None:
        pass


@contextmanager
def expected_protocol(pairs: Sequence[Pair]) -> Iterator[tuple[SantecTSL570, Script]]:
    """The driver on a script: what opening it needs, then `pairs`."""
    script = Script([*OPENING, *pairs])
    driver = SantecTSL570("laser", resource=script)  # type: ignore[arg-type]
    try:
        yield driver, script
        assert script.pairs == [], "messages that did not come"
        assert script.answers == [], "answers that were not read"
    finally:
        driver.close()


def test_opening_chooses_the_command_set_and_leaves_the_light() -> None:
    with expected_protocol([]) as (laser, script):
        assert script.write_termination == script.read_termination == "\r"
        assert laser.power_range_W == pytest.approx((31.6228e-6, 19.9526e-3), rel=1e-5)
        assert laser.wavelength_range_m == (1.48e-6, 1.64e-6)
        assert not any("STAT" in text or "SHUT" in text for text in script.sent)


def test_power_is_sent_in_dBm_rounded_down() -> None:
    pairs: list[Pair] = [
        (":POW 0.00DBM;:POW:ATT:AUT 1", None),
        *SETTLED,
        (":POW?", "+0.00000000E+000"),
        (":POW 3.01DBM;:POW:ATT:AUT 1", None),
        *SETTLED,
        (":POW?", "+3.01000000E+000"),
        (":POW?", "+3.01000000E+000"),
        (":POW?", "+3.01000000E+000"),
        (":POW:ACT?", "-6.00000000E+001"),
    ]
    with expected_protocol(pairs) as (laser, _):
        laser.set_power(1.0005e-3)
        laser.power(2.004e-3)
        assert laser.power() == pytest.approx(1.99986e-3, rel=1e-5)
        assert laser.power_dBm() == pytest.approx(3.01)
        assert laser.actual_power() == pytest.approx(1e-9)


def test_a_wavelength_is_sent_in_nanometres_and_given_in_metres() -> None:
    pairs: list[Pair] = [
        (":WAV 1550.1234NM", None),
        *SETTLED,
        (":WAV?", "+1.55012340E-006"),
        (":WAV?", "+1.55012340E-006"),
    ]
    with expected_protocol(pairs) as (laser, _):
        laser.wavelength(1550.1234e-9)
        assert laser.wavelength() == 1550.1234e-9


def test_light_is_let_out_after_a_look_at_the_interlock_and_shut_by_the_shutter() -> None:
    pairs: list[Pair] = [
        *WELL,
        (":POW:STAT 1", None),
        (":POW:STAT?", "+1"),
        (":POW:SHUT 0", None),
        (":POW:SHUT?", "+0"),
        *SETTLED,
        (":POW:STAT?", "+1"),
        (":POW:SHUT?", "+0"),
        *WELL,
        (":POW:SHUT 1", None),
        (":POW:SHUT?", "+1"),
        *SETTLED,
        (":POW:STAT?", "+1"),
        (":POW:SHUT?", "+1"),
    ]
    with expected_protocol(pairs) as (laser, _):
        laser.shine(True)
        assert laser.shines()
        laser.shine(False)
        assert not laser.shines()


def test_the_safe_state_shuts_then_switches_off_and_reads_both_back() -> None:
    pairs: list[Pair] = [
        (":POW:SHUT 1", None),
        (":POW:STAT 0", None),
        (":POW:STAT?", "+0"),
        (":POW:SHUT?", "+1"),
    ]
    with expected_protocol(pairs) as (laser, _):
        laser.safe_state()
    pairs = [(":POW:SHUT 1", None), (":POW:STAT 0", None), (":POW:STAT?", "+1")]
    with expected_protocol(pairs) as (laser, _), pytest.raises(ReadbackError, match="still on"):
        laser.safe_state()


def test_a_laser_that_does_not_answer_is_switched_off_all_the_same() -> None:
    with expected_protocol([]) as (laser, script):
        script.mute, script.sent = True, []
        with pytest.raises(InstrumentTimeout):
            laser.safe_state()
        assert script.sent[:2] == [":POW:SHUT 1", ":POW:STAT 0"]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ([(":SYST:LOCK?", "+1")], "interlock is open"),
        ([(":SYST:LOCK?", "+0"), (":SYST:ALER?", '+6,"LD temperature"')], "LD temperature"),
    ],
)
def test_no_light_is_let_out_of_a_laser_that_is_not_well(trouble: list[Pair], words: str) -> None:
    with expected_protocol(trouble) as (laser, _), pytest.raises(InstrumentError, match=words):
        laser.shine(True)


def test_nothing_is_sent_outside_the_ranges() -> None:
    with expected_protocol([]) as (laser, script):
        mark = len(script.sent)
        with pytest.raises(EnvelopeError, match=r"power 0\.05 W is outside") as caught:
            laser.set_power(0.05)
        assert (caught.value.channel, caught.value.value) == ("power", 0.05)
        with pytest.raises(EnvelopeError, match="wavelength"):
            laser.set_wavelength(1.3e-6)
        assert script.sent[mark:] == []


def test_refusals_and_read_backs_that_disagree_are_told() -> None:
    refused: list[Pair] = [
        (":WAV 1550.0000NM", None),
        ("*OPC?", "1"),
        (":SYST:ERR?", '-221,"Settings conflict"'),
        (":SYST:ERR?", '+0,"No error"'),
    ]
    with expected_protocol(refused) as (laser, _), pytest.raises(InstrumentError, match="Settings conflict"):
        laser.set_wavelength(1550e-9)
    astray: list[Pair] = [(":POW 0.00DBM;:POW:ATT:AUT 1", None), *SETTLED, (":POW?", "+3.00000000E+000")]
    with (
        expected_protocol(astray) as (laser, _),
        pytest.raises(ReadbackError, match=r"3\.00 dBm, set to 0\.00"),
    ):
        laser.set_power(1e-3)


def test_another_instrument_is_refused() -> None:
    script = Script([("*IDN?", "SANTEC,TSL-210F,1,1")])
    with pytest.raises(IdentityError, match="TSL-210F"):
        SantecTSL570("laser", resource=script)  # type: ignore[arg-type]
