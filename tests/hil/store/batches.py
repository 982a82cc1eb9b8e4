"""The batches that the store's tests write: each is a function of its seed alone, so it can be made again."""

import numpy as np

from hil.store import ColumnSpec

ROWS = 500
COLUMNS = {
    "inputs": ColumnSpec(3, unit="V", channels=("e1", "e2", "e3")),
    "outputs": ColumnSpec(1, unit="A", channels=("e8",)),
    "flags": ColumnSpec(dtype="uint8"),
    "time": ColumnSpec(dtype="float32", unit="s"),
}


def batch_seed(run_seed: int, k: int) -> int:
    return int(np.random.SeedSequence([run_seed, k]).generate_state(1)[0])


def make_batch(seed: int, rows: int = ROWS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.normal(size=(rows, 3)),
        "outputs": rng.normal(size=(rows, 1)) * 1e-9,
        "flags": rng.integers(0, 4, rows, dtype=np.uint8),
        "time": rng.random(rows, dtype=np.float32),
    }
