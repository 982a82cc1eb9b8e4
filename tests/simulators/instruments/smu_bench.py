"""Benches on which one source-measure unit, behind its stock driver, drives a circuit."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import yaml

from simulators.visa import HilVisaLibrary
from tests.conformance.virtual_instrument import read_all

_count = count()
SMU, DAC = "GPIB0::24::INSTR", "TCPIP0::192.168.8.17::5025::SOCKET"


@contextmanager
def smu_bench(
    folder: Path, model: str, driver: type, *wires: str, **more: object
) -> Iterator[SimpleNamespace]:
    """`smu`, the stock driver; `bench`; `unit`, the emulated instrument; what it answers: `ask`, `raw`, `errors`.

    `more` is added to the emulator's section; a DAC, `dac`, stands on every bench too.
    """
    section = {
        "station": {"instruments": {"smu": {"address": SMU}, "dac": {"address": DAC}}},
        "emulator": {
            "seed": 3,
            "instruments": {"smu": {"model": model, "serial": "1234567"}, "dac": {"model": "qdac2"}},
            "wires": list(wires),
            **more,
        },
    }
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(section))
    smu = driver(f"smu_{next(_count)}", SMU, visalib=f"{path}@hil", timeout=1000)
    library = smu.visa_handle.visalib
    assert isinstance(library, HilVisaLibrary)

    def errors() -> list[str]:
        found = []
        while not (text := smu.ask("SYST:ERR?")).startswith("0,"):
            found.append(text)
        return found

    unit = library.bench.instruments["smu"]

    def raw(message: str) -> bytes:
        unit.write(message.encode() + b"\n")
        return read_all(unit)

    try:
        yield SimpleNamespace(smu=smu, bench=library.bench, unit=unit, ask=smu.ask, raw=raw, errors=errors)
    finally:
        smu.close()
