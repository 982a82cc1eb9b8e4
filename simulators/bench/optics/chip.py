"""A photonic chip on a bench: voltages and a laser's light go in, light comes out of its ports."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulators.bench.optics.courses import Courses, Restless, Source
from simulators.bench.optics.pieces import Pieces
from simulators.bench.optics.warmth import MEMORY, Warmth
from simulators.errors import BenchError
from simulators.instruments.path import Array
from simulators.instruments.terminals import Dark, Grounded, Light, Resting, Terminals, VoltageSource

if TYPE_CHECKING:
    from simulators.models.mesh import PhotonicSpecimen

_STEP_S = 50e-6
"""A modulator that takes longer to move is looked at in steps."""


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

    What comes out is a function of time and of what its sources did: it can be read by many, in any order, as far
    back as its sources remember.
    """

    def __init__(self, specimen: "PhotonicSpecimen") -> None:
        self._specimen = specimen
        layout, bank = specimen.chip.mesh.layout, specimen.chip.heaters
        self._shifters, self._inputs = layout.shifters, tuple(f"m{port}" for port in range(layout.ports))
        heaters: list[Source] = [Grounded() for _ in self._shifters]
        self._modulators: list[Source] = [Grounded() for _ in self._inputs]
        self._warmth = Warmth(heaters, specimen.powers, specimen.thermal_s)
        self._light: Light = Dark()
        self._wired: set[str] = set()
        resistors = zip(bank.resistance_ohm.tolist(), bank.rise_per_W.tolist(), strict=True)
        self.terminals = Terminals(
            driven=self._sockets(self._shifters, heaters) | self._sockets(self._inputs, self._modulators),
            input_loads={
                name: HeaterLoad(*facts) for name, facts in zip(self._shifters, resistors, strict=True)
            },
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
        for kind, names in (("heater", self._shifters), ("modulator", self._inputs)):
            for name in names:
                if name not in self._wired:
                    raise BenchError(
                        f"{kind} chip.{name} is not wired; drive it with a wire such as 'dac.1 -> chip.{name}',"
                        f" or let it rest at 0 V: 'chip.{name} -> ground'"
                    )
        if "light" not in self._wired:
            raise BenchError("the chip has no light; add a wire such as 'laser.output -> chip.light'")

    def port_means(self, port: int, starts_s: Array, stops_s: Array) -> Array:
        """Mean power (window,) in W that comes out of a port, over each window."""
        span_s = float(starts_s[0]), float(stops_s[-1])
        warming = self._warmth.during(*span_s)
        modulators = Courses(self._modulators, *span_s, _STEP_S)
        pieces = Pieces.of(starts_s, stops_s, warming.moves_s, modulators, self._specimen.thermal_s)
        asked_s = pieces.instants_s
        shares = self._specimen.shares(modulators.at(asked_s), warming.felt_W(asked_s), asked_s)
        return pieces.means(self._light.means(pieces.begins_s, pieces.ends_s), shares[:, port])

    def wavelength_m(self, instant: float) -> float:
        """See `Light.wavelength_m`."""
        return self._light.wavelength_m(instant)

    def _sockets(
        self, names: tuple[str, ...], sources: list[Source]
    ) -> dict[str, Callable[[VoltageSource], None]]:
        """What takes the wires of several terminals and puts what drives them into `sources`."""

        def socket(k: int, name: str) -> Callable[[VoltageSource], None]:
            def take(source: VoltageSource) -> None:
                sources[k] = source if isinstance(source, Resting) else Restless(source)
                self._wired.add(name)

            return take

        return {name: socket(k, name) for k, name in enumerate(names)}

    def _shine(self, light: Light) -> None:
        self._light = light
        self._wired.add("light")


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
