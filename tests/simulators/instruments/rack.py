"""Racks without a chip, written down as a user writes them, for tests through stock drivers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from simulators.bench import EmulatedBench
from simulators.visa import HilVisaLibrary


def write_rack(
    folder: Path, instruments: Mapping[str, tuple[str, Mapping[str, Any]]], wires: Sequence[str]
) -> str:
    """Write a bench file of instruments, each an address and its section; gives what `visalib` takes."""
    bench = {
        "format": "hil-bench/1",
        "name": "rack",
        "visa": "@hil",
        "station": {
            "instruments": {
                name: {"type": "VisaInstrument", "address": address}
                for name, (address, _) in instruments.items()
            }
        },
        "emulator": {
            "seed": 11,
            "instruments": {name: dict(section) for name, (_, section) in instruments.items()},
            "wires": list(wires),
        },
    }
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(bench))
    return f"{path}@hil"


def bench_behind(driver: Any) -> EmulatedBench:
    """The emulated bench that a stock driver talks to."""
    library = driver.visa_handle.visalib
    assert isinstance(library, HilVisaLibrary)
    return library.bench
