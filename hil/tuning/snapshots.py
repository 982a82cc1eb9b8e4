"""Where a tuning or a watch is, as one file of its run."""

import json
from pathlib import Path

import numpy as np

from calibration.tuning import Snapshot
from hil.errors import DamagedRun
from hil.store import RunStore


def write_snapshot(
    store: RunStore, name: str, snapshot: Snapshot, seconds: float, chip_time_s: float = 0.0
) -> None:
    """Replace the file `name` of the run, whole or not at all, with the computer's and the chip's time so far."""
    from safetensors.numpy import save

    arrays = {key: np.ascontiguousarray(values) for key, values in snapshot.arrays.items()}
    told = {"facts": json.dumps({**snapshot.facts, "seconds": seconds, "chip_time_s": chip_time_s})}
    store.write_bytes(name, save(arrays, told))


def read_snapshot(place: Path) -> Snapshot:
    """What `write_snapshot` wrote, both times among its facts; raises DamagedRun for a file that is not whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(place, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads((file.metadata() or {})["facts"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DamagedRun(f"{place} is cut short or altered ({error}); restore it from a copy") from None
    return Snapshot(arrays, facts)
