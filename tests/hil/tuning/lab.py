"""A chip in process that is tuned in seconds."""

from pathlib import Path

import hil
from tests.hil.lab import rewrite

QUICK = {
    "ports: 16": "ports: 4",
    "meshes: 3": "meshes: 2",
    "readout: 4": "readout: 2",
}
SMALL = {
    "classes: 4, samples: 1600, spread: 0.3": "classes: 2, samples: 160, spread: 0.2",
    "steps: 300": "steps: 60",
    "readings: 40000": "readings: 3000",
    "checks: 10": "checks: 4",
    "batch: 64": "batch: 16",
    "rate: 0.02": "rate: 0.1",
    "probe: 0.2": "probe: 0.4",
    "min_gain: 0.01": "min_gain: -1.0",
}


def make_tuning(folder: Path, **changes: str) -> Path:
    """Files of a small network of meshes; returns the experiment file. `changes` are more of its texts."""
    hil.init("network-tuning", folder)
    rewrite(folder / "device.yaml", QUICK)
    rewrite(folder / "tune.yaml", SMALL)
    rewrite(folder / "tune.yaml", changes)
    return folder / "tune.yaml"
