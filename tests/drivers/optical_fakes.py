"""A photonic bench of fakes on one clock: laser, modulators, heaters with thermal mass, power meters.

The chip is this file's own formula: each port gets its modulator's light, times the cosine of the heat that is
felt at two heaters. Heat follows with a time constant, modulators at their slew; every instrument writes what
it was told into one log.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from drivers.errors import EnvelopeError, InstrumentError, TripError
from drivers.mesh import PhotonicMesh
from drivers.mesh_hardware import MeshInstruments
from drivers.mesh_layout import Heater, MeshLimits, MeshTiming, Modulator, Port
from tests.drivers.fakes import FakeSource, Faults

Array = npt.NDArray[np.float64]

EXCHANGE_s = 2e-4
TAU_s = 4e-3
OHM = 1000.0
HIGH_V, LIMIT_A, TOTAL_W = 9.0, 8.5e-3, 0.15
LASER_W, LASER_LIMIT_W = 1e-3, 2e-3
DARK_W, SATURATION_W = 2e-10, 1.6e-3
MODULATORS = tuple(Modulator(f"m{k}", k + 1, -1.0, 5.0, 1000.0) for k in range(3))
HEATERS = tuple(Heater(f"t0_{k}", k + 4, HIGH_V, LIMIT_A, OHM) for k in range(4))
PORTS = tuple(Port(f"out{k}", 2 - k, SATURATION_W, noise_W=1e-12) for k in range(3))
TIMING = MeshTiming(averaging_s=3e-3, electrical_s=1e-3, thermal_s=60e-3, optical_s=50e-3)


class Bench:
    """The clock, the log, and what happens between the instruments."""

    def __init__(self) -> None:
        self.source = FakeSource()
        self.log: list[tuple[float, str, Any]] = []
        self.laser = FakeLaser(self)
        self.heaters = FakeHeaters(self)
        self.meters = FakeMeters(self)

    @property
    def now(self) -> float:
        return self.source.now

    def pass_time(self, seconds: float) -> None:
        self.source.now += seconds

    def tell(self, who: str, what: Any) -> None:
        self.log.append((self.now, who, what))

    def told(self, who: str) -> list[Any]:
        return [what for _, teller, what in self.log if teller == who]

    def at(self, instant: float) -> Array:
        """Powers at the ports, in the order of the ports' names."""
        volts = np.array([self.source.outputs[m.channel].at(instant) for m in MODULATORS])
        heat = self.heaters.felt_W(instant)
        light = self.laser.level_W * self.laser.open * np.sin(np.pi * volts / 10.0) ** 2
        return np.asarray(light * (1.0 + 0.5 * np.cos(40.0 * heat[:3] + 20.0 * heat[1:])) + DARK_W)

    def settled(self, modulators: Array, heaters: Array, laser_W: float = LASER_W) -> Array:
        """The formula again, for what stands still."""
        heat = np.asarray(heaters) ** 2 / OHM
        light = laser_W * np.sin(np.pi * np.asarray(modulators) / 10.0) ** 2
        return np.asarray(light * (1.0 + 0.5 * np.cos(40.0 * heat[:3] + 20.0 * heat[1:])) + DARK_W)


class _Fake:
    """What the fakes share."""

    name = ""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.faults = bench, Faults()
        self.address = f"fake://{self.name}"

    def exchange(self, method: str) -> None:
        self.bench.pass_time(EXCHANGE_s)
        self.faults.happen(method)

    def identity(self) -> str:
        self.exchange("identity")
        return f"Fake, {self.name}, 7, 1.0"

    def errors(self) -> list[str]:
        return []

    def recover(self) -> None:
        self.exchange("recover")
        self.bench.tell(self.name, "recover")

    def close(self) -> None:
        self.bench.tell(self.name, "close")


class FakeLaser(_Fake):
    """A `Laser`."""

    name = "laser"
    power_range_W = (1e-5, 20e-3)
    wavelength_range_m = (1480e-9, 1640e-9)

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.level_W, self.wavelength_m, self.open = 10e-3, 1560e-9, False

    def set_power(self, watts: float) -> None:
        self.exchange("set_power")
        self.level_W = watts
        self.bench.tell("laser", watts)

    def read_power(self) -> float:
        self.exchange("read_power")
        return self.level_W

    def set_wavelength(self, metres: float) -> None:
        self.exchange("set_wavelength")
        self.wavelength_m = metres
        self.bench.tell("laser", metres)

    def read_wavelength(self) -> float:
        self.exchange("read_wavelength")
        return self.wavelength_m

    def shine(self, on: bool) -> None:
        self.exchange("shine")
        self.open = on
        self.bench.tell("laser", on)

    def shines(self) -> bool:
        self.exchange("shines")
        return self.open

    def safe_state(self) -> None:
        self.exchange("safe_state")
        self.open = False
        self.bench.tell("laser", "off")


class FakeHeaters(_Fake):
    """A `HeaterSource` of ten channels that steps at once and trips where it is told to."""

    name = "heaters"
    heaters = tuple(range(10))
    accuracy_V = 0.01

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.times, self.volts = [0.0], [np.zeros(10)]
        self.caps: dict[int, tuple[float, float]] = {}
        self.trips_at: dict[int, float] = {}
        self.tripped: list[int] = []
        self.stuck: set[int] = set()

    def limits(self, channel: int) -> tuple[float, float]:
        return self.caps.get(channel, (12.0, 24e-3))

    def set_limit(self, channel: int, volts: float | None = None, amperes: float | None = None) -> None:
        self.exchange("set_limit")
        assert volts is not None
        assert amperes is not None
        if volts > 12.0 or amperes > 24e-3:
            raise EnvelopeError(f"channel {channel}: beyond full scale")
        self.caps[channel] = volts, amperes

    def set_voltages(self, volts: Mapping[int, float]) -> None:
        self.exchange("set_voltages")
        self._raise_trips()
        now = self.volts[-1].copy()
        for channel, value in volts.items():
            if channel not in self.stuck:
                now[channel] = value
        self._step(now)
        self.bench.tell("heaters", dict(volts))

    def set_currents(self, amperes: Mapping[int, float]) -> None:
        raise AssertionError("a mesh is driven by voltages")

    def check_trips(self) -> None:
        self.exchange("check_trips")
        self._trip()
        self._raise_trips()

    def read_voltages(self) -> Array:
        self.exchange("read_voltages")
        self._trip()
        return self.volts[-1] * 1.0003

    def read_currents(self) -> Array:
        self.exchange("read_currents")
        return self.volts[-1] / OHM

    def safe_state(self, ramp_s: float = 0.0) -> None:
        self.exchange("safe_state")
        self._step(np.zeros(10))
        self.bench.tell("heaters", "off")

    def felt_W(self, instant: float) -> Array:
        """Heat of the mesh's heaters as it is felt: every step of power with the thermal time constant."""
        channels = [heater.channel for heater in HEATERS]
        watts = np.array([volts[channels] ** 2 / OHM for volts in self.volts])
        steps = np.diff(watts, axis=0, prepend=0.0)
        since = np.maximum(instant - np.array(self.times), 0.0)
        return np.asarray((steps * (1.0 - np.exp(-since / TAU_s))[:, None]).sum(axis=0))

    def most_W(self) -> float:
        """The highest joint power that the heaters ever had."""
        return max(float((volts**2).sum()) / OHM for volts in self.volts)

    def _step(self, volts: Array) -> None:
        self.times.append(self.bench.now)
        self.volts.append(volts)

    def _trip(self) -> None:
        for channel, instant in list(self.trips_at.items()):
            if self.bench.now >= instant:
                del self.trips_at[channel]
                volts = self.volts[-1].copy()
                volts[channel] = 0.0
                self._step(volts)
                self.tripped.append(channel)

    def _raise_trips(self) -> None:
        if self.tripped:
            tripped, self.tripped = tuple(self.tripped), []
            raise TripError(f"E02 on channel {tripped[0]}", tripped)


class FakeMeters(_Fake):
    """A `PowerMeterArray`, without noise; over-range beyond `most_W`."""

    name = "meters"
    ports = (0, 1, 2)

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.most_W = 5e-3
        self.wavelength_m = 1310e-9
        self.zero_W: Array = np.zeros(3)
        self.waits: list[float] = []
        self.began: list[float] = []

    def read(self, averaging_s: float) -> Array:
        self.exchange("read")
        self.began.append(self.bench.now)
        grid = self.bench.now + averaging_s * (np.arange(20) + 0.5) / 20.0
        self.bench.pass_time(averaging_s)
        watts = np.mean([self.bench.at(float(instant)) for instant in grid], axis=0)
        watts = watts[::-1] - self.zero_W  # meter 2 reads port 0
        return np.where(watts > self.most_W, np.inf, watts)

    def wait(self, seconds: float) -> None:
        self.exchange("wait")
        self.waits.append(seconds)
        self.bench.pass_time(seconds)

    def set_range(self, watts: float | None) -> None:
        self.exchange("set_range")

    def set_wavelength(self, metres: float) -> None:
        self.exchange("set_wavelength")
        self.wavelength_m = metres

    def zero(self) -> None:
        self.exchange("zero")
        watts = self.bench.at(self.bench.now)
        if watts.max() > 1e-8:
            raise InstrumentError("too much light to zero")
        self.zero_W = watts[::-1]


def fake_mesh(
    bench: Bench | None = None, heaters: Sequence[Heater] = HEATERS, **settings: Any
) -> tuple[PhotonicMesh, Bench]:
    """A mesh of three ports and four heaters on its bench; `settings` in place of the usual ones."""
    bench = bench or Bench()
    instruments = MeshInstruments(bench.laser, bench.source, bench.heaters, bench.meters)
    bench.source.reach = (-10.0, 10.0)
    usual: dict[str, Any] = {
        "limits": MeshLimits(TOTAL_W, LASER_LIMIT_W),
        "timing": TIMING,
        "laser_power_W": LASER_W,
        "wavelength_m": 1550e-9,
        "mesh": "rectangular",
    }
    mesh = PhotonicMesh(f"mesh_{id(bench):x}", instruments, MODULATORS, heaters, PORTS, **(usual | settings))
    return mesh, bench
