"""A session under each kind of fault: healed, told or ended as stated; never hung, never silently wrong.

The chip is a sum of voltages and nothing is noisy, so samples under a fault that was healed are those of a
bench without one. HIL_FAULT_TABLE=file writes what came of each fault as a Markdown table.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import hil
from drivers.errors import (
    AmplifierError,
    ConnectionLost,
    IdentityError,
    InstrumentError,
    InstrumentTimeout,
    SafeStateError,
)
from tests.hil.faulty import Attempt, Row, attempt, faulty_lab, samples, table
from tests.hil.lab import run_here

pytestmark = pytest.mark.timeout(90)

DAC, METER = "192.168.8.17", "192.168.8.18"
_SAME_A = 1e-11  # the amplifier is measured at other instants: its last digits differ


@dataclass(frozen=True)
class Case:
    """A fault and what it must come to.

    `ends` is the error that must end the session, naming `names`; `told`, words of the acceptance that must
    be missed; `flagged`, that some samples are. Without any of them the fault is healed.
    """

    kind: str
    where: str
    settings: str
    what: str
    ends: type[Exception] | None = None
    names: tuple[str, ...] = ()
    told: str = ""
    flagged: bool = False
    dead: bool = False
    """The source itself is out of reach: its outputs stay where they are, and the error must say so."""

    @property
    def fault(self) -> str:
        return f"instrument: {self.where}, kind: {self.kind}, {self.settings}"

    def __str__(self) -> str:
        return f"{self.kind}-{self.where}-{self.what}".replace(" ", "_")


ONCE = "from: 8 s, times: 1"
FOR_GOOD = "from: 8 s"
THRICE = "from: 7 s, probability: 0.05, times: 3"


def gone(host: str) -> tuple[str, ...]:
    return (host, "check that", "can be resumed")


CASES = [
    Case("no_answer", "dac", ONCE, "once"),
    Case("no_answer", "meter", ONCE, "once"),
    Case("no_answer", "dac", FOR_GOOD, "for good", SafeStateError, (DAC, "e1", "e7", "at the instrument")),
    Case("no_answer", "meter", FOR_GOOD, "for good", InstrumentTimeout, gone(METER)),
    Case("late_answer", "dac", f"delay: 8 s, {ONCE}", "by 8 s"),
    Case("late_answer", "dac", f"delay: 60 s, {ONCE}", "by a minute", InstrumentTimeout, gone(DAC)),
    Case("late_answer", "meter", f"delay: 30 s, {ONCE}", "by 30 s"),
    Case("late_answer", "meter", f"delay: 200 ms, {FOR_GOOD}", "always, by 0.2 s"),
    Case("wrong_answer", "dac", ONCE, "the one before"),
    Case("wrong_answer", "meter", ONCE, "the one before"),
    Case("wrong_answer", "dac", f'answer: "-0.25", {FOR_GOOD}', "always -0.25", SafeStateError, (DAC, "e1")),
    Case("wrong_answer", "meter", f'answer: "0", {FOR_GOOD}', "always 0", InstrumentError, (METER,)),
    Case("cut_answer", "dac", THRICE, "three"),
    Case("cut_answer", "meter", THRICE, "three"),
    Case("dropped_bytes", "dac", THRICE, "three"),
    Case("dropped_bytes", "meter", THRICE, "three"),
    Case("garbage", "dac", THRICE, "three"),
    Case("garbage", "meter", THRICE, "three"),
    Case("lost_message", "dac", "from: 7 s, probability: 0.01, times: 1", "one"),
    Case("lost_message", "meter", "from: 7 s, probability: 0.1, times: 2", "two"),
    Case("disconnect", "dac", ONCE, "comes back"),
    Case("disconnect", "meter", ONCE, "comes back"),
    Case("disconnect", "meter", f"tries: 1, {ONCE}", "refuses once"),
    Case("disconnect", "dac", f"tries: 1000, {ONCE}", "for good", SafeStateError, (DAC, "e1"), dead=True),
    Case("disconnect", "meter", f"tries: 1000, {ONCE}", "for good", ConnectionLost, gone(METER)),
    Case("disconnect", "dac", "tries: 1000", "from the start", InstrumentError, (DAC, "hil check")),
    Case("queue_overflow", "dac", ONCE, "once", InstrumentError, (DAC, "Queue overflow")),
    Case("queue_overflow", "meter", ONCE, "once", InstrumentError, (METER, "Queue overflow")),
    Case("wrong_identity", "dac", "times: 9", "a stranger", IdentityError, (DAC, "QDAC-II", "the cables")),
    Case("wrong_identity", "meter", "times: 9", "a stranger", IdentityError, (METER, "34465A", "the cables")),
    Case(
        "stuck", "dac", "terminal: 3, shown: true, from: 8 s", "it shows", SafeStateError, ("e3",), dead=True
    ),
    Case("stuck", "dac", "terminal: 3, from: 8 s", "unseen", told="change of the reference"),
    Case("stuck", "dac", "terminal: 3", "unseen, all along", told="effect of electrode e3"),
    Case("stuck", "dac", "terminal: 8", "the reference", ends=AmplifierError, names=("resistor",)),
    Case("drift", "dac", "terminal: 3, rate: 100 mV/s, from: 7 s", "0.1 V/s", told="change of the reference"),
    Case(
        "drift",
        "meter",
        "terminal: input, rate: 50 mV/s, from: 7 s",
        "50 mV/s",
        told="change of the reference",
    ),
    Case("drift", "meter", "terminal: input, rate: 50 mV/s", "from the start", AmplifierError, ("warm up",)),
    Case(
        "compliance", "dac", "terminal: 3, level: 0.1 V, from: 8 s", "trips", told="change of the reference"
    ),
    Case("over_range", "meter", "terminal: input, from: 8 s, until: 8.1 s", "0.1 s", flagged=True),
    Case(
        "over_range", "meter", "terminal: input, from: 8 s", "for good", InstrumentError, ("meter", "input")
    ),
    Case("over_range", "meter", "terminal: input", "from the start", AmplifierError, ("saturation",)),
    Case("not_a_number", "meter", "terminal: input, from: 8 s, until: 8.1 s", "0.1 s", flagged=True),
    Case("not_a_number", "meter", "terminal: input, from: 8 s", "for good", InstrumentError, ("meter",)),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The samples of a bench without a fault."""
    whole = attempt(faulty_lab(tmp_path_factory.mktemp("sound")))
    assert whole.outcome is not None, whole.said
    assert whole.outcome.missed == ()
    return samples(whole.run)


@pytest.fixture(scope="module")
def rows() -> Iterator[list[Row]]:
    """What came of each fault, written down at the end if somebody wants it."""
    found: list[Row] = []
    yield found
    if wanted := os.environ.get("HIL_FAULT_TABLE"):
        Path(wanted).write_text(table(found))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sampling_under_a_fault(
    case: Case, tmp_path: Path, sound: dict[str, np.ndarray], rows: list[Row]
) -> None:
    under = attempt(faulty_lab(tmp_path, case.fault))
    (injected,) = under.bench.faults.list()
    assert injected.struck or injected.fault.at_terminal, "the fault never happened"
    came_to = judge(case, under, sound)
    rows.append(Row(case.kind, case.where, case.what, came_to))


def judge(case: Case, under: Attempt, sound: dict[str, np.ndarray]) -> str:
    """Whether a session ended as the case says; gives that in words."""
    if case.ends is not None:
        return judge_end(case, under, sound)
    assert under.outcome is not None, under.said
    assert under.at_rest
    found = samples(under.run)
    np.testing.assert_array_equal(found["inputs"], sound["inputs"])
    if case.told:
        assert under.code == 5
        assert any(case.told in line for line in under.outcome.missed), under.outcome.missed
        return f"complete, and says so: {case.told} (exit code 5)"
    assert under.outcome.missed == ()
    extra = (found["flags"] != 0) & (sound["flags"] == 0)
    good = found["flags"] == 0
    np.testing.assert_allclose(found["outputs"][good], sound["outputs"][good], rtol=0.0, atol=_SAME_A)
    if case.flagged:
        assert 0 < extra.sum() < len(extra)
        return "complete; the samples concerned are flagged"
    assert not extra.any()
    return "healed: the samples of a sound bench"


def judge_end(case: Case, under: Attempt, sound: dict[str, np.ndarray]) -> str:
    assert case.ends is not None
    assert isinstance(under.error, case.ends), f"{under.error!r}, {under.outcome}"
    assert under.code == 4
    for word in case.names:
        assert word in under.said
    assert under.at_rest or (case.dead and isinstance(under.error, SafeStateError)), under.outputs_V
    under.bench.faults.clear()
    resumed = hil.sample(under.run)
    assert resumed.steps["sample"] == "done"
    found = samples(under.run)
    np.testing.assert_array_equal(found["inputs"], sound["inputs"])
    assert resumed.missed == ()
    good = found["flags"] == 0
    np.testing.assert_allclose(found["outputs"][good], sound["outputs"][good], rtol=0.0, atol=_SAME_A)
    where = "outputs named that are not at 0 V" if isinstance(under.error, SafeStateError) else "chip at rest"
    return f"`{type(under.error).__name__}`, {where}; resumes (exit code 4)"


def test_a_whole_calibration_heals_and_a_failed_one_goes_on(tmp_path: Path) -> None:
    """One answer is lost while the amplifier is measured; later the meter is gone until somebody comes."""
    first = "instrument: meter, kind: no_answer, from: 3 s, times: 1"
    then = "instrument: meter, kind: disconnect, from: 8 s, times: 1, tries: 1000"
    under = attempt(faulty_lab(tmp_path, first, then), whole=True)
    assert isinstance(under.error, ConnectionLost)
    assert under.at_rest
    assert [each.struck for each in under.bench.faults.list()] == [1, 1]
    under.bench.faults.clear()
    done = hil.calibrate(under.run)
    assert set(done.steps.values()) == {"done"}
    assert done.report is not None
    assert "goes on, attempt 2" in done.report.read_text()


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("instrument: dac, kind: wrong_identity", 4, ["IdentityError", DAC, "nothing was driven"]),
        ("instrument: meter, kind: no_answer, from: 8 s", 4, ["InstrumentTimeout", METER, "hil calibrate"]),
        ("instrument: dac, kind: stuck, terminal: 5", 5, ["warning: electrode e5", "acceptance missed"]),
    ],
)
def test_the_command_line_ends_with_the_code_that_is_stated(
    tmp_path: Path, fault: str, code: int, words: list[str]
) -> None:
    done = run_here("sample", faulty_lab(tmp_path, fault))
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_calibrating_under_a_fault(case: Case, tmp_path: Path) -> None:
    """The same, the whole way to the report."""
    under = attempt(faulty_lab(tmp_path, case.fault), whole=True)
    ends = case.ends
    if (
        case.kind == "drift" and ends is None
    ):  # it goes on, so the amplifier's next measurement may meet too much
        ends = AmplifierError if under.error is not None else None
    if ends is not None:
        assert isinstance(under.error, ends)
        under.bench.faults.clear()
        under.outcome = hil.calibrate(under.run)
    assert under.outcome is not None, under.said
    assert set(under.outcome.steps.values()) == {"done"}
    assert not case.told or any(case.told in line for line in under.outcome.missed)


@pytest.mark.slow
@pytest.mark.parametrize("instrument", ["dac", "meter"])
@pytest.mark.parametrize("seed", range(6))
def test_a_line_that_spoils_one_answer_in_two_hundred_never_spoils_a_sample(
    tmp_path: Path, instrument: str, seed: int, sound: dict[str, np.ndarray]
) -> None:
    """However often a session has to be begun again."""
    kinds = ("no_answer", "cut_answer", "dropped_bytes", "garbage", "lost_message")
    faults = [f"instrument: {instrument}, kind: {kind}, probability: 0.001" for kind in kinds]
    experiment = faulty_lab(tmp_path, *faults)
    bench = experiment.parent / "bench.yaml"
    bench.write_text(bench.read_text().replace("  seed: 20\n", f"  seed: {100 + seed}\n"))
    under = attempt(experiment)
    for _ in range(20):
        if under.error is None:
            break
        assert isinstance(under.error, InstrumentError)
        assert under.at_rest or isinstance(under.error, SafeStateError)
        try:
            under.outcome, under.error = hil.sample(under.run), None
        except InstrumentError as again:
            under.error = again
    found = samples(under.run)
    good = found["flags"] == 0
    np.testing.assert_allclose(found["outputs"][good], sound["outputs"][good], rtol=0.0, atol=_SAME_A)
