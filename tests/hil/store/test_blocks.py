"""Blocks of any shape are there whole or not at all, in their order, and a change of theirs is found."""

from pathlib import Path

import numpy as np
import pytest

from hil.errors import DamagedRun, RunConflict, RunError
from hil.store import RunStore


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with RunStore.create(tmp_path / "run", name="blocks", seed=1) as store:
        blocks = store.blocks("sweeps")
        for k, name in enumerate(("t0_0", "p0_0 / again")):
            values = {"volts": np.arange(3.0 + k), "powers": np.full((3 + k, 2), k / 3), "n": np.array(k)}
            blocks.append(name, values, {"readings": 3 + k})
    return tmp_path / "run"


def files(run: Path) -> list[Path]:
    return sorted((run / "data" / "blocks" / "sweeps").iterdir())


def test_blocks_come_back_as_they_were_in_their_order(run: Path) -> None:
    with RunStore.open(run) as store:
        found = store.blocks("sweeps").read()
        assert list(found) == ["t0_0", "p0_0 / again"]
        np.testing.assert_array_equal(found["t0_0"].arrays["powers"], np.zeros((3, 2)))
        assert found["p0_0 / again"].meta == {"readings": 4}
        assert found["p0_0 / again"].arrays["n"].shape == ()
        assert not store.blocks("crosstalk").read()
        with pytest.raises(RunError, match="opened for reading"):
            store.blocks("sweeps").append("more", {"x": np.zeros(1)})


def test_a_block_is_never_written_twice(run: Path) -> None:
    with RunStore.open(run, writable=True) as store:
        with pytest.raises(RunConflict, match="t0_0"):
            store.blocks("sweeps").append("t0_0", {"x": np.zeros(1)})
        assert len(store.blocks("sweeps")) == 2


def test_what_a_killed_writer_left_is_no_block(run: Path) -> None:
    (run / "data" / "blocks" / "sweeps" / "0002-t0_2.safetensors.partial").write_bytes(b"half")
    with RunStore.open(run, writable=True) as store:
        store.blocks("sweeps").append("t0_2", {"x": np.ones(1)})
        assert list(store.blocks("sweeps").read()) == ["t0_0", "p0_0 / again", "t0_2"]


@pytest.mark.parametrize("at", [20, -1])  # in the header, in the data
def test_a_changed_byte_is_found_and_the_file_named(run: Path, at: int) -> None:
    path = files(run)[0]
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.write_bytes(bytes(data))
    with RunStore.open(run) as store:
        with pytest.raises(DamagedRun, match="0000-t0_0"):
            store.blocks("sweeps").read()
        with pytest.raises(DamagedRun, match="0000-t0_0"):
            store.verify()


def test_a_block_cut_short_or_missing_is_found(run: Path) -> None:
    first, last = files(run)
    last.write_bytes(last.read_bytes()[:-3])
    with RunStore.open(run) as store, pytest.raises(DamagedRun, match="0001-p0_0"):
        store.blocks("sweeps").read()
    first.unlink()
    with RunStore.open(run) as store, pytest.raises(DamagedRun, match="missing"):
        store.blocks("sweeps")
