from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from qcodes.instrument_drivers.Keysight import Keysight34465A
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

from simulators.visa import HilVisaLibrary
from tests.simulators.bench.linear import DAC, METER, write_bench


@pytest.fixture(scope="module")
def powered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A bench behind the stock drivers: `dac`, `meter`, and what is behind them, `bench`."""
    path = write_bench(tmp_path_factory.mktemp("bench"))
    dac = QDac2("dac", DAC, visalib=f"{path}@hil")
    meter = Keysight34465A("meter", METER, visalib=f"{path}@hil", silent=True)
    library = dac.visa_handle.visalib
    assert isinstance(library, HilVisaLibrary)
    yield SimpleNamespace(dac=dac, meter=meter, bench=library._bench)
    dac.close()
    meter.close()


@pytest.fixture
def lab(powered: SimpleNamespace) -> SimpleNamespace:
    """The same, as after *RST and with empty error queues."""
    powered.dac.write("*rst;*cls")
    powered.dac.ask("*opc?")
    powered.dac.free_all_triggers()
    powered.meter.visa_handle.clear()
    powered.meter.write("*CLS")
    powered.meter.reset()
    return powered
