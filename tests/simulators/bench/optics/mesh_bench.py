"""A small mesh among its instruments, opened through their drivers, and what its model says of it."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import pyvisa
import torch
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2
from qcodes_contrib_drivers.drivers.Thorlabs.PM100D import Thorlab_PM100D

from drivers.qontrol import QontrolQ8iv
from simulators.bench import EmulatedBench, EmulatorConfig, build
from simulators.models.mesh import Fabrication, MeshLayout, fabricate
from simulators.visa import HilVisaLibrary

PORTS, SEED = 3, 7
LAYOUT = MeshLayout("rectangular", PORTS)
ADDRESSES = {
    "laser": "GPIB0::10::INSTR",
    "dac": "TCPIP0::192.168.8.17::5025::SOCKET",
    "heaters": "ASRL3::INSTR",
    "meter": "TCPIP0::192.168.8.18::inst0::INSTR",
} | {f"power{port}": f"USB0::0x1313::0x8078::P000000{port}::INSTR" for port in range(PORTS)}
WIRES = (
    "laser.output -> chip.light",
    "dac.1..3 -> chip.m0..2",
    "heaters.0..5 -> chip.shifters",
    "chip.out0..1 -> power0..1.input",
    "chip.out2 -> 3 dB -> power2.input",
    "chip.out2 -> 20 kV/W -> meter.input",
)


def emulated(wires=WIRES, noise: float = 1.0, options=(), **chip: Any) -> EmulatedBench:
    """Switch the bench on; a laser without noise, no drift, slow heaters of 5 ms."""
    section = {
        "seed": 5,
        "instruments": {
            "laser": {"model": "santec_tsl570", "noise": 0},
            "dac": {"model": "qdac2", "noise": 0},
            "heaters": {"model": "qontrol_q8iv", "noise": noise},
            "meter": {"model": "keysight_34465a", "noise": 0},
        }
        | {f"power{port}": {"model": "thorlabs_pm100d", "noise": noise} for port in range(PORTS)},
        "chip": {
            "model": "mesh",
            "seed": SEED,
            "options": {"ports": PORTS, "thermal_time": "5 ms", **dict(options)},
            "imperfections": {"drift": "0 rad"},
        }
        | chip,
        "wires": list(wires),
    }
    return build(EmulatorConfig.model_validate(section), ADDRESSES, ".")


@dataclass
class Lab:
    """Drivers on an emulated bench; `lit_W` is what the laser really gives."""

    bench: EmulatedBench
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        library = HilVisaLibrary.for_bench(self.bench)
        manager = pyvisa.ResourceManager(library)  # type: ignore[arg-type]
        self.stack.callback(manager.close)
        patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("qcodes_contrib_drivers.drivers.Thorlabs.PM100D.sleep", self.wait)
        tag = f"{id(self):x}"
        laser = manager.open_resource(ADDRESSES["laser"], write_termination="\r", read_termination="\r")

        def opened(kind: Any, name: str) -> Any:
            driver = kind(f"{name}_{tag}", None, resource=manager.open_resource(ADDRESSES[name]))
            self.stack.callback(driver.close)
            return driver

        self.dac, self.heaters = (opened(QDac2, "dac"), opened(QontrolQ8iv, "heaters"))
        self.powers = [opened(Thorlab_PM100D, f"power{port}") for port in range(PORTS)]
        self.meter = manager.open_resource(ADDRESSES["meter"], read_termination="\n")
        laser.write("SYST:COMM:COD 1;:WAV 1550NM;:POW 5MW;:POW:STAT 1")
        for power in self.powers:
            power.wavelength(1550e-9)
        self.wait(3600.0)  # the laser is warm

    def close(self) -> None:
        self.stack.close()

    def wait(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    @property
    def now(self) -> float:
        return self.bench.clock.now

    @property
    def lit_W(self) -> float:
        window = np.array([self.now - 3e-3]), np.array([self.now])
        return float(self.bench.instruments["laser"].light.means(*window)[0])

    def modulate(self, *volts: float) -> None:
        for k, value in enumerate(volts):
            self.dac.channel(k + 1).dc_constant_V(value)

    def heat(self, *volts: float) -> None:
        self.heaters.set_voltages(dict(enumerate(volts)))

    @property
    def heater_V(self) -> torch.Tensor:
        """What is really on the heaters."""
        channels = self.bench.instruments["heaters"].channels[: 2 * len(LAYOUT.mzis)]
        return torch.tensor([channel.at(self.now) for channel in channels], dtype=torch.float64)

    @property
    def modulator_V(self) -> torch.Tensor:
        channels = [self.bench.instruments["dac"].channel(k + 1) for k in range(PORTS)]
        volts = [channel.knots(self.now, self.now).values[0] for channel in channels]
        return torch.tensor(volts, dtype=torch.float64)

    def watts(self, port: int, reading: float) -> float:
        """A reading less the hidden error of that meter's calibration."""
        return reading / (1.0 + self.bench.instruments[f"power{port}"].diode.gain_error)

    def noise_W(self, port: int) -> float:
        """Five standard deviations of a reading on the present range, and its dark current."""
        meter = self.bench.instruments[f"power{port}"]
        return (5e-4 * meter.settings.span_A + 1e-10) / meter.responsivity


def model(**fabrication: Any) -> Any:
    """The chip on the bench, made by itself."""
    return fabricate(LAYOUT, Fabrication(**fabrication), SEED)
