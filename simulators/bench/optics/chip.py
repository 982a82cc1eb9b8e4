"""A photonic chip on a bench: voltages and a laser's light go in, light comes out of its ports."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.bench.optics.courses import Courses
from simulators.bench.optics.pieces import MEMORY, Pieces
from simulators.bench.optics.warmth import felt_powers
from simulators.errors import BenchError
from simulators.instruments.path import Array
from simulators.instruments.terminals import Dark, Light, Terminals, VoltageSource

if TYPE_CHECKING:
    from simulators.models.mesh import PhotonicSpecimen

_QUICK = 0.25
"""What moves within so many time constants is quicker than heat."""


@dataclass(frozen=True)
class HeaterLoad:
    """What a heater draws: a resistor that grows by `rise_per_W` of itself per watt."""

    resistance_ohm: float
    rise_per_W: float

    def drawn_A(self, volts: float, instant: float) -> float:
        """See `Load.drawn_A`."""
        cold_A = volts / self.resistance_ohm
        return 2.0 * cold_A / (1.0 + (1.0 + 4.0 * self.rise_per_W * volts * cold_A) ** 0.5)


class OpticalChip:
    """A `PhotonicSpecimen` with sockets.

    Driven by a voltage each: the heaters by the names of their shifters, in a group "shifters", and the modulators
    "m0" to "m(N-1)". Light input "light", light outputs "out0" to "out(N-1)". Heaters load what drives them; the
    light follows their power with the specimen's thermal time constant, and the modulators at once.

    It has no state of its own but the drift, a function of time: it can be read at any time and in any order as far
    back as its sources remember.
    """

    def __init__(self, specimen: "PhotonicSpecimen") -> None:
        self._specimen = specimen
        layout = specimen.chip.mesh.layout
        self._shifters = layout.shifters
        self._modulators = tuple(f"m{port}" for port in range(layout.ports))
        self._sources: dict[str, VoltageSource] = {}
        self._light: Light = Dark()
        self._lit = False
        heaters = specimen.chip.heaters
        cold = zip(heaters.resistance_ohm.tolist(), heaters.rise_per_W.tolist(), strict=True)
        self.terminals = Terminals(
            driven={name: self._socket(name) for name in (*self._shifters, *self._modulators)},
            input_loads={name: HeaterLoad(*facts) for name, facts in zip(self._shifters, cold, strict=True)},
            light_inputs={"light": self._shine},
            light_outputs={f"out{port}": _PortLight(self, port) for port in range(layout.ports)},
            groups={"shifters": self._shifters},
        )

    @property
    def memory_s(self) -> float:
        """How long before a window the voltages still matter."""
        return MEMORY * self._specimen.thermal_s

    def check(self) -> None:
        """Raise BenchError for a heater or a modulator that nothing drives, or a chip without light."""
        for kind, names in (("heater", self._shifters), ("modulator", self._modulators)):
            for name in names:
                if name not in self._sources:
                    raise BenchError(
                        f"{kind} chip.{name} is not wired; drive it with a wire such as 'dac.1 -> chip.{name}',"
                        f" or let it rest at 0 V: 'chip.{name} -> ground'"
                    )
        if not self._lit:
            raise BenchError("the chip has no light; add a wire such as 'laser.output -> chip.light'")

    def port_means(self, port: int, starts_s: Array, stops_s: Array) -> Array:
        """Mean power (window,) in W that comes out of a port, over each window."""
        first_s, last_s = float(starts_s[0]), float(stops_s[-1])
        step_s = _QUICK * self._specimen.thermal_s
        felt_since_s = max(first_s - self.memory_s, 0.0)
        heaters = Courses([self._sources[name] for name in self._shifters], felt_since_s, last_s, step_s)
        modulators = Courses([self._sources[name] for name in self._modulators], first_s, last_s, step_s)
        pieces = Pieces.of(starts_s, stops_s, heaters, modulators, self._specimen.thermal_s)
        asked_s = pieces.instants_s
        shares = self._specimen.shares(modulators.at(asked_s), self._felt(heaters, asked_s), asked_s)
        return pieces.means(self._light.means(pieces.begins_s, pieces.ends_s), shares[:, port])

    def wavelength_m(self, instant: float) -> float:
        """See `Light.wavelength_m`."""
        return self._light.wavelength_m(instant)

    def _felt(self, heaters: Courses, asked_s: Array) -> Array:
        """Powers (time, H) in W that are felt at rising instants."""
        if heaters.rest:
            return self._specimen.powers(heaters.at(asked_s))
        times_s = np.unique(np.concatenate((asked_s, heaters.corners_s)))
        felt_W = felt_powers(times_s, heaters.at(times_s), self._specimen.powers, self._specimen.thermal_s)
        return felt_W[np.searchsorted(times_s, asked_s)]

    def _socket(self, name: str) -> "_Socket":
        return _Socket(self._sources, name)

    def _shine(self, light: Light) -> None:
        self._light, self._lit = light, True


@dataclass(frozen=True)
class _Socket:
    """What takes the wire of one heater or modulator."""

    sources: dict[str, VoltageSource]
    name: str

    def __call__(self, source: VoltageSource) -> None:
        self.sources[self.name] = source


@dataclass(frozen=True)
class _PortLight:
    """The light out of one port."""

    chip: OpticalChip
    port: int

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Light.means`."""
        return self.chip.port_means(self.port, starts_s, stops_s)

    def wavelength_m(self, instant: float) -> float:
        """See `Light.wavelength_m`."""
        return self.chip.wavelength_m(instant)
