"""A driver written as QCoDeS drivers are, unaware of the emulator."""

from collections.abc import Iterator

import numpy as np
import pytest
from qcodes.instrument import Instrument, VisaInstrument
from qcodes.validators import Numbers

from simulators.visa import power_off
from tests.simulators.visa.bench import GPIB, LAN, SERIAL, SOCKET, USB, load


class StockSupply(VisaInstrument):
    default_terminator = "\n"
    default_timeout = 2

    def __init__(self, name: str, address: str, **kwargs: object) -> None:
        super().__init__(name, address, **kwargs)  # type: ignore[arg-type]
        self.visa_handle.baud_rate = 921600  # type: ignore[attr-defined]
        self.volts = self.add_parameter(
            "volts",
            get_cmd="SOUR2:VOLT?",
            set_cmd="SOUR2:VOLT {:.6f}",
            get_parser=float,
            unit="V",
            vals=Numbers(-10, 10),
        )
        self.connect_message()


@pytest.fixture(autouse=True)
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("simulators.bench.load", load, raising=False)
    yield
    Instrument.close_all()
    power_off()


@pytest.mark.parametrize("address", [LAN, SOCKET, GPIB, USB, SERIAL])
def test_a_stock_driver_runs_unmodified(address: str) -> None:
    supply = StockSupply("supply", address, visalib="bench.yaml@hil")
    assert supply.get_idn() == {"vendor": "hil", "model": "Supply", "serial": "17", "firmware": "1.0"}
    supply.volts(1.25)
    assert supply.volts() == 1.25
    assert supply.ask("SYST:ERR?") == '0,"No error"'
    assert supply.timeout() == 2
    supply.timeout(None)
    snapshot = supply.snapshot()
    assert snapshot["address"] == address
    points = np.linspace(-1, 1, 1000, dtype="<f4")
    supply.visa_handle.write_binary_values('TRAC:DATA "w",', points)
    np.testing.assert_array_equal(supply.visa_handle.query_binary_values('TRAC:DATA? "w"'), points)
    supply.close()


def test_instruments_of_one_bench_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", "bench.yaml@hil")
    one = StockSupply("one", LAN)
    again = StockSupply("again", LAN)
    one.volts(3)
    assert again.volts() == 3
    one.close()
    again.close()
    assert StockSupply("third", LAN).volts() == 3


def test_a_wrong_address_is_told_at_once() -> None:
    with pytest.raises(Exception, match="VI_ERROR_RSRC_NFOUND"):
        StockSupply("supply", "GPIB0::17::INSTR", visalib="bench.yaml@hil")
