"""How long the command line takes to say what it can do."""

import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.benchmark


def _best(words: list[str], rounds: int = 7) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    return best


def test_help() -> None:
    bare, helped = _best(["-c", "pass"]), _best(["-m", "hil.cli", "--help"])
    print(f"\nhil --help: {helped:.3f} s (limit 0.3 s), of which Python itself {bare:.3f} s")
