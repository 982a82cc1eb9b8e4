"""A bench whose chip is a plain sum of voltages, so that every answer can be worked out by hand."""

from pathlib import Path

import numpy as np
import torch

from simulators.models.network import NetworkChip

DAC = "TCPIP0::192.168.8.17::5025::SOCKET"
METER = "TCPIP0::192.168.8.18::inst0::INSTR"
CONDUCTANCE_S = 1e-9 * np.array([11.0, -7.0, 23.0, 5.0, -13.0, 3.0, 17.0])
REST_A = 2e-9
GAIN_V_PER_A, OFFSET_V, BANDWIDTH_HZ = 10.13e6, -57e-3, 3e3
HUM_V, NOISE_V = 0.4e-3, 80e-6

TEXT = """\
format: hil-bench/1
name: emulated
visa: "@hil"
station:
  instruments:
    dac:
      type: qcodes_contrib_drivers.drivers.QDevil.QDAC2.QDac2
      address: "TCPIP0::192.168.8.17::5025::SOCKET"
    meter:
      type: qcodes.instrument_drivers.Keysight.Keysight34465A
      address: "TCPIP0::192.168.8.18::inst0::INSTR"
emulator:
  seed: 20
  link: {latency: 200 us, throughput: 20 MB/s}
  instruments:
    dac: {model: qdac2, serial: "123"}
    meter: {model: keysight_34465a, serial: MY1, clock_error: 8 ppm}
  chip: {model: network, file: chip}
  amplifier:
    gain: 10.13 MV/A
    offset: -57 mV
    bandwidth: 3 kHz
    saturation: 4 V
    hum: {frequency: 50 Hz, amplitude: 0.4 mV}
    noise: 80 uV
  wires:
    - dac.1 -> chip.e1
    - dac.2 -> chip.e2
    - dac.3 -> chip.e3
    - dac.4 -> chip.e4
    - dac.5 -> chip.e5
    - dac.6 -> chip.e6
    - dac.7 -> chip.e7
    - chip.e8 -> amplifier.in
    - dac.8 -> 100.03 MOhm -> amplifier.in
    - amplifier.out -> meter.input
    - dac.trigger4 -> meter.trigger
"""


def write_bench(folder: Path, text: str = TEXT) -> Path:
    """Write the bench file and its chip; gives the file's path."""
    weight = torch.tensor(CONDUCTANCE_S[None, :] / 1e-9)
    NetworkChip(
        [(weight, torch.tensor([REST_A / 1e-9], dtype=torch.float64))],
        "relu",
        [f"e{k}" for k in range(1, 8)],
        [-1.2] * 7,
        [0.6] * 7,
        output_scale_A=1e-9,
    ).save(folder / "chip")
    path = folder / "bench.yaml"
    path.write_text(text)
    return path


def amplified(volts: np.ndarray) -> np.ndarray:
    """What the amplifier gives for settled electrode voltages (..., 7)."""
    return GAIN_V_PER_A * (volts @ CONDUCTANCE_S + REST_A) + OFFSET_V
