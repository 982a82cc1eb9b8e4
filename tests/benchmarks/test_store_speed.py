"""Rows a second into the run store, beside a QCoDeS dataset, in one run on one disk (`make bench`)."""

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hil.store import ColumnSpec, RunStore

pytestmark = pytest.mark.benchmark
ROWS = 10_000
BATCHES = 50
COLUMNS = {
    "inputs": ColumnSpec(7, unit="V"),
    "outputs": ColumnSpec(1, unit="A"),
    "flags": ColumnSpec(dtype="uint8"),
}


def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "inputs": rng.normal(size=(ROWS, 7)),
        "outputs": rng.normal(size=(ROWS, 1)),
        "flags": np.zeros(ROWS, np.uint8),
    }


def best_rate(rows: int, write: Callable[[int], None], repeats: int = 8) -> float:
    """Rows a second of the fastest of a few repeats: the machine's other work only ever slows one down."""
    best = float("inf")
    for repeat in range(repeats):
        began = time.perf_counter()
        write(repeat)
        best = min(best, time.perf_counter() - began)
    return rows / best


@pytest.fixture
def measurement(tmp_path: Path) -> Iterator[Callable[..., object]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what QCoDeS warns of is not ours to judge
        from qcodes.dataset import Measurement, initialise_or_create_database_at, new_experiment
        from qcodes.dataset.sqlite.database import conn_from_dbpath_or_conn

        path = tmp_path / "qcodes.db"
        initialise_or_create_database_at(path)
        connection = conn_from_dbpath_or_conn(None, path)
        experiment = new_experiment("speed", "none", conn=connection)

        def make(paramtype: str) -> object:
            measured = Measurement(exp=experiment)
            for k in range(7):
                measured.register_custom_parameter(f"v{k}", unit="V", paramtype=paramtype)
            measured.register_custom_parameter("i", unit="A", paramtype=paramtype)
            return measured

        yield make
        connection.close()


def test_rows_a_second(tmp_path: Path, measurement: Callable[..., object]) -> None:
    arrays = batch()
    voltages, currents = arrays["inputs"], arrays["outputs"][:, 0]

    def ours(repeat: int) -> None:
        with RunStore.create(tmp_path / f"run{repeat}", name="speed", seed=0) as store:
            table = store.table("sampling", COLUMNS, ROWS)
            for k in range(BATCHES):
                table.append(k, arrays, seed=k)

    def qcodes_scalars(repeat: int) -> None:
        with measurement("numeric").run() as saver:
            for row, current in zip(voltages, currents, strict=True):
                saver.add_result(*[(f"v{k}", row[k]) for k in range(7)], ("i", current))

    def qcodes_arrays(repeat: int) -> None:
        with measurement("array").run() as saver:
            for _ in range(BATCHES):
                saver.add_result(*[(f"v{k}", voltages[:, k]) for k in range(7)], ("i", currents))

    store = best_rate(ROWS * BATCHES, ours)
    scalars = best_rate(ROWS, qcodes_scalars, repeats=1)
    blocks = best_rate(ROWS * BATCHES, qcodes_arrays)
    print(
        f"\nrows a second, 7 voltages and 1 current a row, {ROWS} rows a batch (best of 8):\n"
        f"  run store, every batch forced to the disk   {store:12,.0f}\n"
        f"  QCoDeS dataset, add_result with arrays      {blocks:12,.0f}\n"
        f"  QCoDeS dataset, add_result row by row       {scalars:12,.0f}  (first {ROWS} rows)"
    )
    assert store >= 1e6
    assert store > blocks
