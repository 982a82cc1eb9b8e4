"""The emulated bench with the unmodified stock drivers, and a chip of a formula in place of its physics.

The formula is this file's own, so what the driver reads can be compared with something it does not share.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from qcodes.instrument_drivers.Keysight import Keysight34465A
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

from drivers.dnpu import DNPU
from drivers.keysight_digitizer import KeysightDigitizer
from drivers.layout import Electrode, Readout, Reference
from drivers.qdac2_source import Qdac2Source
from simulators.bench import EmulatedBench, load
from simulators.bench.chips import Specimen
from simulators.faults import Fault
from simulators.visa import HilVisaLibrary

DAC = "TCPIP0::192.168.8.17::5025::SOCKET"
METER = "TCPIP0::192.168.8.18::inst0::INSTR"
ELECTRODES = (
    Electrode("e1", 1, -1.2, 0.6, 60.0),
    Electrode("e2", 2, -1.2, 0.6, 60.0, role="input"),
    Electrode("e3", 3, -0.7, 0.3, 25.0, role="input"),
)
READOUT = Readout("e8", 1e7, 4.0, 500e-6, Reference(8, 100e6, 1e-3))
LIMITS = {1: (-1.2, 0.6, 60.0), 2: (-1.2, 0.6, 60.0), 3: (-0.7, 0.3, 25.0), 8: (-1.0, 1.0, 100.0)}
GAIN, OFFSET, RESISTOR = 10.13e6, -0.057, 100.03e6

BENCH = f"""
station:
  instruments:
    dac: {{address: "{DAC}"}}
    meter: {{address: "{METER}"}}
emulator:
  seed: 20
  link: {{latency: 200 us, throughput: 20 MB/s}}
  instruments:
    dac: {{model: qdac2, serial: "1017"}}
    meter: {{model: keysight_34465a, serial: MY57502311, clock_error: 8 ppm}}
  chip: {{model: hopping, seed: 7}}
  amplifier:
    gain: 10.13 MV/A
    offset: -57 mV
    bandwidth: 3 kHz
    saturation: 4 V
    HUM
    noise: NOISE
  wires:
    - dac.1 -> chip.e1
    - dac.2 -> chip.e2
    - dac.3 -> chip.e3
    - chip.e8 -> amplifier.in
    - dac.8 -> 100.03 MOhm -> amplifier.in
    - amplifier.out -> meter.input
    - dac.trigger4 -> meter.trigger
"""


def current(volts: np.ndarray) -> np.ndarray:
    """The formula: A for electrode voltages (..., 3)."""
    bend = 2e-8 * np.tanh(2.0 * volts[..., 0] - volts[..., 1] + 0.5 * volts[..., 2])
    return np.asarray(bend + 1e-8 * volts[..., 1] * volts[..., 2])


class Formula:
    """A chip as the bench sees it."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def observe(self, voltages: np.ndarray, times_s: np.ndarray) -> np.ndarray:
        return self.scale * current(voltages)


@dataclass
class Laboratory:
    """The chip, the stock drivers, and the bench behind them, which no driver sees."""

    chip: DNPU
    dac: QDac2
    meter: Keysight34465A
    bench: EmulatedBench

    def silence(self, name: str, answers: int | None) -> None:
        """Swallow the next `answers` answers of an instrument; None for all of them, 0 to end it."""
        self.bench.faults.clear()
        if answers != 0:
            self.bench.faults.inject(Fault(instrument=name, kind="no_answer", times=answers))

    def assert_inside_the_envelope(self) -> None:
        """The virtual DAC's own log of what each output was ever driven to."""
        for channel, (low, high, slew) in LIMITS.items():
            record = self.bench.instruments["dac"].record(channel)  # type: ignore[union-attr]
            assert record.lowest_V >= low, channel
            assert record.highest_V <= high, channel
            assert record.fastest_V_per_s <= slew * (1.0 + 1e-6), channel

    def outputs_V(self) -> list[float]:
        """Where the outputs of the electrodes and the reference stand, from the inside."""
        dac: Any = self.bench.instruments["dac"]
        return [dac.channel(channel).at(self.bench.clock.now) for channel in LIMITS]


@contextmanager
def laboratory(
    tmp_path: Path,
    *,
    hum: bool = True,
    noise: str = "80 uV",
    clock_error: str = "8 ppm",
    scale: float = 1.0,
) -> Iterator[Laboratory]:
    """A bench just switched on, with a chip that is not calibrated."""
    text = BENCH.replace("NOISE", noise).replace("8 ppm", clock_error)
    text = text.replace("HUM", "hum: {frequency: 50 Hz, amplitude: 0.4 mV}" if hum else "hum: null")
    path = tmp_path / "bench.yaml"
    path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        names = tuple(electrode.name for electrode in ELECTRODES)
        patch.setattr("simulators.bench.bench.make_specimen", lambda *_: Specimen(names, Formula(scale)))
        bench = load(path)
    tag = f"{id(bench):x}"
    manager = pyvisa.ResourceManager(HilVisaLibrary.for_bench(bench))  # type: ignore[arg-type]
    dac = QDac2(f"dac_{tag}", None, resource=manager.open_resource(DAC))
    meter = Keysight34465A(f"meter_{tag}", None, silent=True, resource=manager.open_resource(METER))  # type: ignore[arg-type]
    try:
        source, digitizer = Qdac2Source(dac, trigger_output=4), KeysightDigitizer(meter)
        expect = {"source": "QDAC-II", "digitizer": "34465A"}
        chip = DNPU(f"chip_{tag}", source, digitizer, ELECTRODES, READOUT, expect=expect)
        try:
            yield Laboratory(chip, dac, meter, bench)
        finally:
            if DNPU.exist(f"chip_{tag}"):
                chip.close()
    finally:
        dac.close()
        meter.close()
        manager.close()
