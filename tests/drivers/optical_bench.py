"""The emulated bench of a small mesh, with the driver on it through the instruments' own drivers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import pyvisa
import torch
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2
from qcodes_contrib_drivers.drivers.Thorlabs.PM100D import Thorlab_PM100D

from drivers.mesh import PhotonicMesh
from drivers.mesh_hardware import MeshInstruments
from drivers.mesh_layout import Heater, MeshLimits, MeshTiming, Modulator, Port
from drivers.pm100d_array import Pm100dArray
from drivers.qdac2_source import Qdac2Source
from drivers.qontrol import QontrolQ8iv
from drivers.santec_tsl570 import SantecTSL570
from simulators.bench import EmulatedBench
from simulators.faults import Fault
from simulators.visa import HilVisaLibrary
from tests.simulators.bench.optics.mesh_bench import ADDRESSES, LAYOUT, PORTS, emulated

TIMING = MeshTiming(averaging_s=30e-3, electrical_s=2e-3, thermal_s=60e-3, optical_s=30e-3)
SHIFTERS = LAYOUT.shifters
HEATERS = tuple(Heater(name, k, 9.0, 12e-3, 900.0) for k, name in enumerate(SHIFTERS))
MODULATORS = tuple(Modulator(f"m{k}", k + 1, -1.0, 5.0, 1000.0) for k in range(PORTS))
PORTS_READ = tuple(Port(f"out{k}", k, 10e-3, noise_W=1e-6) for k in range(PORTS))


@dataclass
class OpticalLab:
    """The driver, the adapters, and the bench behind them, which no driver sees."""

    mesh: PhotonicMesh
    instruments: MeshInstruments
    bench: EmulatedBench

    @property
    def now(self) -> float:
        return self.bench.clock.now

    def silence(self, name: str, answers: int | None = None) -> None:
        """Swallow the next `answers` answers of an instrument, all if None."""
        self.bench.faults.inject(Fault(instrument=name, kind="no_answer", times=answers))

    def heater_V(self) -> np.ndarray:
        """What is really on the heaters."""
        channels = self.bench.instruments["heaters"].channels[: len(SHIFTERS)]
        return np.array([channel.at(self.now) for channel in channels])

    def modulator_V(self) -> np.ndarray:
        dac: Any = self.bench.instruments["dac"]
        return np.array([dac.channel(k + 1).knots(self.now, self.now).values[0] for k in range(PORTS)])

    def emits(self) -> bool:
        """Whether light really leaves the laser."""
        window = np.array([self.now - 1e-4]), np.array([self.now])
        return bool(self.bench.instruments["laser"].light.means(*window)[0] > 1e-9)

    def laser_W(self) -> float:
        """What the laser really gives, at the end of the last reading."""
        window = np.array([self.now - 30e-3]), np.array([self.now])
        return float(self.bench.instruments["laser"].light.means(*window)[0])

    def true_W(self, chip: Any, readings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the model of the chip says now, and readings less the hidden errors of the meters and 3 dB."""
        with torch.no_grad():
            watts = chip(torch.as_tensor(self.modulator_V()), torch.as_tensor(self.heater_V())).numpy()
        meters = [self.bench.instruments[f"power{k}"] for k in range(PORTS)]
        gains = np.array([1.0 + meter.diode.gain_error for meter in meters]) * [1.0, 1.0, 10.0**-0.3]
        return self.laser_W() / 1e-3 * watts, readings / gains

    def assert_at_rest(self) -> None:
        assert not self.emits()
        np.testing.assert_allclose(self.modulator_V(), 0.0, atol=1e-3)
        np.testing.assert_array_equal(self.heater_V(), 0.0)


@contextmanager
def optical_laboratory(**settings: Any) -> Iterator[OpticalLab]:
    """A bench just switched on."""
    bench = emulated()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("qcodes_contrib_drivers.drivers.Thorlabs.PM100D.sleep", bench.clock.advance)
        patch.setattr("time.sleep", bench.clock.advance)
        manager = pyvisa.ResourceManager(HilVisaLibrary.for_bench(bench))  # type: ignore[arg-type]
        stack.callback(manager.close)
        tag = f"{id(bench):x}"

        def opened(kind: Any, name: str) -> Any:
            driver = kind(f"{name}_{tag}", None, resource=manager.open_resource(ADDRESSES[name]))
            stack.callback(driver.close)
            return driver

        consoles = [opened(Thorlab_PM100D, f"power{port}") for port in range(PORTS)]
        instruments = MeshInstruments(
            opened(SantecTSL570, "laser"),
            Qdac2Source(opened(QDac2, "dac")),
            opened(QontrolQ8iv, "heaters"),
            Pm100dArray(consoles),
        )
        usual: dict[str, Any] = {
            "limits": MeshLimits(0.35, 6e-3),
            "timing": TIMING,
            "laser_power_W": 5e-3,
            "wavelength_m": 1550e-9,
            "mesh": "rectangular",
        }
        mesh = PhotonicMesh(f"mesh_{tag}", instruments, MODULATORS, HEATERS, PORTS_READ, **(usual | settings))
        stack.callback(_closed, mesh)
        yield OpticalLab(mesh, instruments, bench)


def _closed(mesh: PhotonicMesh) -> None:
    if PhotonicMesh.exist(mesh.name):
        mesh.close()
