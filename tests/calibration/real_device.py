"""The measured devices' published surrogates, where the checkout has them beside it."""

import tempfile
from pathlib import Path

import pytest

from hil.imports.brainspy import import_brainspy
from simulators.models.network import NetworkChip

FILES = {
    "device of 2020": "brainspy_surrogate_2020_02.pt",
    "device of 2022": "brainspy_surrogate_2022.pickle",
}


def measured_device(name: str) -> NetworkChip:
    """One of `FILES` as a chip; skips the test where there is no shared data above this folder."""
    for parent in Path(__file__).resolve().parents:
        path = parent / "shared" / "data" / "dnpu" / FILES[name]
        if path.exists():
            with tempfile.TemporaryDirectory() as folder:
                import_brainspy(path, Path(folder) / "chip")
                return NetworkChip.load(Path(folder) / "chip")
    pytest.skip("the measured devices' surrogates are not beside this checkout")
