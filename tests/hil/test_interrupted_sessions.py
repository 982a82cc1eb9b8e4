"""Sessions that are stopped, killed or fail: nothing is lost, the chip is at rest, the run resumes."""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import hil
from drivers.errors import InstrumentTimeout
from drivers.keysight_digitizer import KeysightDigitizer
from hil.store import RunStore
from tests.hil.lab import command, make_lab


def committed(runs: Path) -> int:
    """Batches that the one run in `runs` has committed."""
    markers = list(runs.glob("*/data/sampling.commit.json"))
    return int(json.loads(markers[0].read_text())["batches"]) if markers else 0


def start_and_wait(experiment: Path, batches: int) -> subprocess.Popen[str]:
    """Start sampling in a process of its own and wait until it has committed some batches."""
    process = subprocess.Popen(command("sample", experiment), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while committed(experiment.parent / "runs") < batches:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


def samples(run: Path) -> dict[str, np.ndarray]:
    with RunStore.open(run) as store:
        return store.table("sampling").read()


def at_rest(run: Path) -> bool:
    """Whether the last word to every electrode's channel, by the run's own events, was 0 V."""
    last: dict[str, str] = {}
    with RunStore.open(run) as store:
        for event in store.events():
            text = event.get("text", "")
            if (
                event["kind"] == "write"
                and event["instrument"] == "dac"
                and ":volt " in text
                and "slew" not in text
            ):
                header, value = text.split(" ")
                if header.endswith(":volt"):
                    last[header] = value
    return bool(last) and all(float(value) == 0.0 for value in last.values())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    experiment = make_lab(tmp_path_factory.mktemp("whole") / "lab", noiseless=True)
    return samples(hil.sample(experiment).run)


@pytest.mark.parametrize("batches", [1, pytest.param(4, marks=pytest.mark.slow), 7])
def test_a_killed_run_resumes_to_the_same_samples(
    tmp_path: Path, uninterrupted: dict[str, np.ndarray], batches: int
) -> None:
    experiment = make_lab(tmp_path / "lab", noiseless=True)
    process = start_and_wait(experiment, batches)
    process.kill()
    process.communicate()
    (run,) = (experiment.parent / "runs").iterdir()
    before = committed(run.parent)
    assert before >= batches
    outcome = hil.sample(run)
    assert outcome.steps["sample"] == "done"
    found = samples(run)
    np.testing.assert_array_equal(found["inputs"], uninterrupted["inputs"])
    np.testing.assert_array_equal(found["flags"], uninterrupted["flags"])
    # a noiseless bench: what is left is the meter's last digit and the amplifier's settling
    np.testing.assert_allclose(found["outputs"], uninterrupted["outputs"], rtol=0, atol=2e-12)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGHUP, 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_in_the_safe_state_and_says_how_to_go_on(
    tmp_path: Path, number: int, code: int
) -> None:
    experiment = make_lab(tmp_path / "lab", **{"batches: 6": "batches: 400"})
    process = start_and_wait(experiment, 2)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    (run,) = (experiment.parent / "runs").iterdir()
    assert at_rest(run)
    assert f"hil calibrate {run}" in " ".join(said.split())
    with RunStore.open(run) as store:
        assert store.status("sample") == "interrupted"
        store.verify()


def test_two_sigints_stop_at_once_and_still_safely(tmp_path: Path) -> None:
    experiment = make_lab(tmp_path / "lab", **{"batches: 6": "batches: 400"})
    process = start_and_wait(experiment, 2)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    (run,) = (experiment.parent / "runs").iterdir()
    assert at_rest(run)


def test_a_meter_that_falls_silent_ends_at_rest_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: dict[str, np.ndarray]
) -> None:
    experiment = make_lab(tmp_path / "lab", noiseless=True)
    fetch, calls = KeysightDigitizer.fetch, [0]

    def silent(self: KeysightDigitizer, timeout_s: float) -> np.ndarray:
        calls[0] += 1
        if calls[0] > 4:
            raise InstrumentTimeout("meter: no answer")
        return fetch(self, timeout_s)

    with monkeypatch.context() as patch:
        patch.setattr(KeysightDigitizer, "fetch", silent)
        with pytest.raises(InstrumentTimeout) as error:
            hil.sample(experiment)
    assert calls[0] == 4 + 3, "a look at the electrodes, three batches, one and two more tries of the fourth"
    assert any("hil calibrate" in note for note in error.value.__notes__)
    (run,) = (experiment.parent / "runs").iterdir()
    assert at_rest(run)
    assert committed(run.parent) == 3
    hil.sample(run)
    np.testing.assert_allclose(samples(run)["outputs"], uninterrupted["outputs"], rtol=0, atol=2e-12)
