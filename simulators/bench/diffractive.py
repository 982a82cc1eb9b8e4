"""An optical table: what a camera sees of two modulators, by the physics of `simulators.models.diffraction`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from simulators.bench.diffractive_config import DiffractiveConfig
from simulators.errors import BenchError
from simulators.instruments.frames.camera import Camera
from simulators.instruments.frames.slm import SETTLED_rad, Slm
from simulators.instruments.path import Array
from simulators.instruments.terminals import Attenuated, Light
from simulators.models.diffraction import Assembly, DiffractiveDesign, Grid, Region, assemble
from simulators.models.threads import one_thread

_INSTANTS = 8
"""At which an exposure is looked at while a modulator moves."""
_NEARLY_SETTLED_rad = 0.02
"""With less than this still to go, about half a level of 256, the middle of an exposure stands for all of it."""
_SAME_WAVELENGTH = 1e-4
"""Relative; a laser's own wander does not change where light goes."""


@dataclass(frozen=True)
class Steady:
    """Light of one power and wavelength that nobody can switch; a `Light`."""

    power_W: float
    length_m: float

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Light.means`."""
        return np.full_like(starts_s, self.power_W)

    def wavelength_m(self, instant: float) -> float:
        """See `Light.wavelength_m`."""
        return self.length_m


def join(config: DiffractiveConfig, instruments: Mapping[str, Any], seed: int) -> None:
    """Put modulators and camera on their table.

    Raises BenchError for an instrument that is missing, of the wrong kind or too small, ModelError for distances and
    sizes that do not fit one another.
    """
    pattern = _find("input.instrument", config.input.instrument, instruments, Slm)
    planes = _find("planes.instrument", config.planes.instrument, instruments, Slm)
    camera = _find("camera", config.camera, instruments, Camera)
    camera.look(OpticalTable(config, pattern, planes, camera.shape, _light(config, instruments), seed))


class OpticalTable:
    """Input modulator, planes on the other modulator, camera, and the free space between them; a `View`.

    Raises ModelError, BenchError for what does not fit.
    """

    def __init__(
        self,
        config: DiffractiveConfig,
        pattern: Slm,
        planes: Slm,
        sensor: tuple[int, int],
        light: Light,
        seed: int,
    ) -> None:
        height, width = config.planes.height, config.planes.width
        lit = config.input
        self._input = Region(lit.top, lit.left, lit.height, lit.width)
        self._input.check(pattern.shape, "input")
        self._regions = [Region(top, left, height, width) for top, left in config.planes.corners]
        for k, region in enumerate(self._regions):
            region.check(planes.shape, f"planes.corners {k}")
        if len(config.distances_m) != len(self._regions) + 1:
            raise BenchError(
                f"{len(config.distances_m)} distances and {len(self._regions)} planes; there is a distance before each "
                "plane and one after the last"
            )
        self._place = _middle("camera", (height, width), sensor)
        self._sensor = sensor
        self._design = DiffractiveDesign(
            grid=Grid((height, width), config.pitch_m),
            wavelength_m=config.wavelength_m,
            distances_m=tuple(config.distances_m),
            pixels=(height, width),
            input_region=_middle("input", (lit.height, lit.width), (height, width)),
            input_pixels=(lit.height, lit.width),
            detectors={"camera": Region(0, 0, height, width)},
            power_W=1.0,
            fill_factor=config.planes.fill_factor,
        )
        off = config.assembly.model_dump() if config.assembly is not None else {}
        self._assembly, self._seed = Assembly.perfect(**off), seed
        self.network = assemble(self._design, self._assembly, seed)
        self._modulators, self._light = (pattern, planes), light
        self._kept: tuple[tuple[int, ...], Array] | None = None

    def wavelength_m(self, instant: float) -> float:
        """See `View.wavelength_m`."""
        return self._light.wavelength_m(instant)

    def seen_W(self, start_s: float, stop_s: float) -> Array:
        """Mean power in W on each pixel of the sensor between two instants."""
        power_W = float(self._light.means(np.array([start_s]), np.array([stop_s]))[0])
        if power_W <= 0.0:
            return np.zeros(self._sensor)
        self._tune(self.wavelength_m(stop_s))
        return power_W * self._shares(start_s, stop_s)

    def _tune(self, wavelength_m: float) -> None:
        """Propagate light of this wavelength from now on."""
        if abs(wavelength_m / self.network.design.wavelength_m - 1.0) > _SAME_WAVELENGTH:
            design = replace(self._design, wavelength_m=wavelength_m)
            self.network, self._kept = assemble(design, self._assembly, self._seed), None

    def _shares(self, start_s: float, stop_s: float) -> Array:
        """Of the light, on each pixel of the sensor."""
        left_rad = max(slm.changes_after(start_s) for slm in self._modulators)
        if left_rad > SETTLED_rad:
            count = 1 if left_rad < _NEARLY_SETTLED_rad else _INSTANTS
            instants = start_s + (stop_s - start_s) * (np.arange(count) + 0.5) / count
            return np.asarray(np.mean([self._image(float(instant)) for instant in instants], axis=0))
        shown = tuple(slm.shows for slm in self._modulators)
        if self._kept is None or self._kept[0] != shown:
            self._kept = shown, self._image(stop_s)
        return self._kept[1]

    def _image(self, instant: float) -> Array:
        pattern, planes = (torch.as_tensor(slm.retardances(instant)) for slm in self._modulators)
        with torch.no_grad(), one_thread():
            amplitudes = self.network.pattern(torch.sin(pattern[self._input.slices] / 2.0).flatten())
            phases = torch.stack([planes[region.slices] for region in self._regions])
            image = self.network.image(amplitudes, self.network.planes(phases))
        seen = np.zeros(self._sensor)
        seen[self._place.slices] = image.numpy()
        return seen


def _middle(name: str, size: tuple[int, int], around: tuple[int, int]) -> Region:
    """A rectangle in the middle of a larger one."""
    if size[0] > around[0] or size[1] > around[1]:
        raise BenchError(
            f"{name}: {size[0]} x {size[1]} pixels do not fit {around[0]} x {around[1]}; choose others"
        )
    return Region((around[0] - size[0]) // 2, (around[1] - size[1]) // 2, *size)


def _light(config: DiffractiveConfig, instruments: Mapping[str, Any]) -> Light:
    if config.laser is None:
        return Steady(config.power_W or 0.0, config.wavelength_m)
    name, output = config.laser.instrument, config.laser.output
    outputs = instruments[name].terminals.light_outputs if name in instruments else {}
    if output not in outputs:
        able = [f"{one}.{out}" for one, part in instruments.items() for out in part.terminals.light_outputs]
        raise BenchError(f"laser: {name}.{output} gives no light; what does: {', '.join(able) or 'nothing'}")
    return Attenuated(outputs[output], config.laser.transmission)


def _find(key: str, name: str, instruments: Mapping[str, Any], kind: type[Any]) -> Any:
    found = instruments.get(name)
    if not isinstance(found, kind):
        model = kind.__name__.lower()
        able = [one for one, instrument in instruments.items() if isinstance(instrument, kind)]
        raise BenchError(
            f"{key}: {name!r} is no instrument of model {model}; there are {', '.join(able) or 'none'}"
        )
    return found
