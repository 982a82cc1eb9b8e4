"""Real processes that write a run are killed at any moment; what they committed must be there."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hil.store import RunStore
from tests.hil.store.batches import COLUMNS, ROWS, batch_seed, make_batch

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks and SIGKILL")
ROOT = Path(__file__).parents[3]
SEED = 41


class Nursery:
    """Starts writers and tells how they end; see `nursery.py`."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.hil.store.nursery"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def start(self, **order: object) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def ended(self) -> int:
        return int(self._line())

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return line


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("nursery") / "stderr")
    yield nursery
    nursery.close()


def check(folder: Path, acknowledged: Path) -> int:
    """Every batch that was acknowledged is there, and every committed batch is the one that was written."""
    told = len(acknowledged.read_text().splitlines()) if acknowledged.exists() else 0
    if not folder.exists():
        assert told == 0
        return 0
    store = RunStore.open(folder)
    committed = 0
    if "sampling" in store.tables:
        table = store.table("sampling")
        committed = table.committed
        seeds = tuple(batch_seed(SEED, k) for k in range(committed))
        assert table.seeds == seeds
        arrays = table.read()
        for k, seed in enumerate(seeds):
            expected = make_batch(seed)
            for name, column in arrays.items():
                assert np.array_equal(column[k * ROWS : (k + 1) * ROWS], expected[name]), (name, k)
    assert told <= committed <= told + 1
    for _ in store.events():
        pass
    # A resumed writer continues from what is committed: what is not yet told of must not count twice.
    acknowledged.write_text("".join(f"{k}\n" for k in range(committed)))
    return committed


def wait_for(acknowledged: Path, batches: int) -> None:
    """Wait until so many batches were acknowledged, however fast the machine is."""
    deadline = time.monotonic() + 60
    while batches and len(acknowledged.read_bytes().splitlines() if acknowledged.exists() else b"") < batches:
        assert time.monotonic() < deadline, "the writer does not write"
        time.sleep(0.002)


def test_sixty_kills_at_random_moments(nursery: Nursery, tmp_path: Path) -> None:
    rng = random.Random(60)
    growth = []
    for run in range(4):
        folder, acknowledged = tmp_path / f"run{run}", tmp_path / f"told{run}"
        before = 0
        for _ in range(15):
            pid = nursery.start(folder=str(folder), seed=SEED, batches=10**9, acknowledged=str(acknowledged))
            wait_for(acknowledged, before + rng.randrange(20))
            time.sleep(rng.uniform(0.0, 0.01))  # anywhere in the next batches
            os.kill(pid, signal.SIGKILL)
            assert nursery.ended() == -signal.SIGKILL, nursery.log.read_text()
            committed = check(folder, acknowledged)
            growth.append(committed - before)
            before = committed
        # Resumed and left alone, the run ends with the content of one that was never interrupted.
        nursery.start(folder=str(folder), seed=SEED, batches=before + 10, acknowledged=str(acknowledged))
        assert nursery.ended() == 0, nursery.log.read_text()
        assert check(folder, acknowledged) == before + 10
        with RunStore.open(folder, writable=True) as store:
            assert store.status("sample") == "done"
            assert store.verify() == {"sampling": before + 10}
        assert not list(folder.rglob("*.partial"))
    assert len(growth) == 60
    assert sum(growth) > 300


NARROW = {name: COLUMNS[name] for name in ("outputs", "flags")}


@pytest.mark.parametrize(("batches_before", "stride", "least"), [(1, 1, 50), (None, 5, 100)])
def test_a_kill_before_and_amid_every_file_operation(
    nursery: Nursery, tmp_path: Path, batches_before: int | None, stride: int, least: int
) -> None:
    """Each point of a resumed run of two batches; of a new run with a new table, every fifth."""
    template = tmp_path / "template"
    if batches_before is not None:
        with RunStore.create(template, name="to be killed", seed=SEED) as store:
            complete(store, batches_before)
    for die_at in range(1, 1000, stride):
        folder, acknowledged = tmp_path / f"run{die_at}", tmp_path / f"told{die_at}"
        if batches_before is not None:
            shutil.copytree(template, folder)
        acknowledged.write_text("0\n" * (batches_before or 0))
        nursery.start(
            folder=str(folder),
            seed=SEED,
            columns=list(NARROW),
            batches=3,
            acknowledged=str(acknowledged),
            die_at=die_at,
        )
        ended = nursery.ended()
        check(folder, acknowledged)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL, nursery.log.read_text()
        if not folder.exists():
            RunStore.create(folder, name="killed at once", seed=SEED).close()
        with RunStore.open(folder, writable=True) as store:
            assert store.status("sample") in {"pending", "interrupted", "done"}
            complete(store, 3)
        acknowledged.write_text("0\n1\n2\n")
        assert check(folder, acknowledged) == 3
        assert not list(folder.rglob("*.partial"))
    assert ended == 0
    print("DIE", die_at)
    assert die_at > least, "the sequence has many operations"


def complete(store: RunStore, batches: int) -> None:
    table = store.table("sampling", NARROW, ROWS)
    for k in range(table.committed, batches):
        arrays = make_batch(batch_seed(SEED, k))
        table.append(k, {name: arrays[name] for name in NARROW}, seed=batch_seed(SEED, k))


def test_no_room_for_a_file_leaves_the_run_whole(nursery: Nursery, tmp_path: Path) -> None:
    folder, acknowledged = tmp_path / "run", tmp_path / "told"
    order = {"folder": str(folder), "seed": SEED, "acknowledged": str(acknowledged)}
    nursery.start(**order, batches=3)
    assert nursery.ended() == 0
    nursery.start(**order, batches=5, file_limit=10_000)  # a chunk of inputs takes 12,000 bytes
    assert nursery.ended() == 4
    said = nursery.log.read_text()
    assert "no room to write c.3.0" in said
    assert "MB free" in said
    assert "resume the run" in said
    assert check(folder, acknowledged) == 3
    assert RunStore.open(folder).status("sample") == "failed"
    nursery.start(**order, batches=5)
    assert nursery.ended() == 0
    assert check(folder, acknowledged) == 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_the_run_whole(nursery: Nursery, small_disk: Path, tmp_path: Path) -> None:
    folder, acknowledged, ballast = small_disk / "run", tmp_path / "told", small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    order = {"folder": str(folder), "seed": SEED, "acknowledged": str(acknowledged), "batches": 40}
    nursery.start(**order)
    assert nursery.ended() == 4
    assert "No space left on device" in nursery.log.read_text()
    committed = check(folder, acknowledged)
    assert 5 < committed < 40
    ballast.unlink()
    nursery.start(**order)
    assert nursery.ended() == 0
    assert check(folder, acknowledged) == 40
