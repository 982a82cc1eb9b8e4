"""One session, killed sixty times on the way: nothing that was committed is ever lost or altered."""

import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import hil
from hil.store import RunStore
from tests.hil.lab import command, make_lab
from tests.hil.test_interrupted_sessions import committed, samples

KILLS = 60
LONG = {"batches: 6": "batches: 120"}


def kill_on_the_way(run: Path, more: int, delay_s: float) -> None:
    """Resume sampling, let it commit `more` batches, wait a moment that falls anywhere in the next, and kill it."""
    before = committed(run.parent)
    process = subprocess.Popen(command("sample", run), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while committed(run.parent) < before + more:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_sixty_kills_lose_nothing(tmp_path: Path) -> None:
    experiment = make_lab(tmp_path / "lab", noiseless=True, **LONG)
    with subprocess.Popen(command("sample", experiment), stderr=subprocess.DEVNULL) as first:
        while committed(experiment.parent / "runs") < 1:
            time.sleep(0.005)
        first.kill()
    (run,) = (experiment.parent / "runs").iterdir()
    rng, kept = random.Random(60), samples(run)
    for _ in range(KILLS - 1):
        kill_on_the_way(run, more=rng.randint(1, 2), delay_s=rng.uniform(0.0, 0.06))
        now = samples(run)  # opens, checks every CRC
        for name, values in kept.items():
            np.testing.assert_array_equal(now[name][: len(values)], values)
        kept = now
    done = samples(hil.sample(run).run)
    whole = samples(hil.sample(make_lab(tmp_path / "other", noiseless=True, **LONG)).run)
    np.testing.assert_array_equal(done["inputs"], whole["inputs"])
    np.testing.assert_array_equal(done["flags"], whole["flags"])
    np.testing.assert_allclose(done["outputs"], whole["outputs"], rtol=0, atol=2e-12)
    with RunStore.open(run) as store:
        attempts = store.state["sample"].attempts
    print(f"\n{KILLS} kills, {attempts} attempts, {len(done['flags'])} samples as in an uninterrupted run")
