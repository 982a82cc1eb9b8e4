from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from qcodes.instrument_drivers.Keysight import Keysight33512B, Keysight34465A
from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzRTO1000
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


WAVE_RACK = """
emulator:
  seed: 3
  instruments:
    dac: {model: qdac2, serial: "1"}
    generator: {model: keysight_33512b, serial: MY59000001}
    meter: {model: keysight_34465a, serial: "3"}
    scope: {model: rohde_schwarz_rto1024, serial: "200001"}
  wires:
    - generator.ch1 -> scope.ch1
    - generator.ch1 -> meter.input
    - generator.ch2 -> scope.ch2
    - generator.sync -> scope.ext
    - generator.sync -> generator.ext
    - dac.trigger1 -> generator.ext
    - dac.1 -> scope.ch3
station:
  instruments:
    dac: {address: "TCPIP0::10.0.0.1::5025::SOCKET"}
    generator: {address: "USB0::0x0957::0x2807::MY59000001::INSTR"}
    meter: {address: "TCPIP0::10.0.0.3::inst0::INSTR"}
    scope: {address: "TCPIP0::10.0.0.4::inst0::INSTR"}
"""


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A generator on an oscilloscope and a meter, with a DAC, all behind stock drivers; and the `bench`."""
    path = tmp_path_factory.mktemp("rack") / "bench.yaml"
    path.write_text(WAVE_RACK)
    visa = f"{path}@hil"
    parts = SimpleNamespace(
        dac=QDac2("rack_dac", "TCPIP0::10.0.0.1::5025::SOCKET", visalib=visa),
        generator=Keysight33512B("generator", "USB0::0x0957::0x2807::MY59000001::INSTR", visalib=visa),
        meter=Keysight34465A("rack_meter", "TCPIP0::10.0.0.3::inst0::INSTR", visalib=visa, silent=True),
        scope=RohdeSchwarzRTO1000("scope", "TCPIP0::10.0.0.4::inst0::INSTR", visalib=visa),
    )
    instruments = list(vars(parts).values())
    library = parts.scope.visa_handle.visalib
    assert isinstance(library, HilVisaLibrary)
    parts.bench = library.bench
    yield parts
    for instrument in instruments:
        instrument.close()


@pytest.fixture
def waves(rack: SimpleNamespace) -> SimpleNamespace:
    """The same, as after *RST and with empty error queues."""
    for instrument in (rack.generator, rack.scope, rack.meter):
        instrument.visa_handle.clear()
        instrument.write("*RST;*CLS")
    rack.dac.write("*rst;*cls")
    rack.dac.ask("*opc?")
    return rack
