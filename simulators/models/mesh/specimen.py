"""One fabricated photonic chip: every part a little off, and drifting; all of it from a seed."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from simulators.errors import ModelError
from simulators.models.mesh.chip import PhotonicChip
from simulators.models.mesh.frozen import FrozenChip
from simulators.models.mesh.heaters import HeaterBank
from simulators.models.mesh.layout import MeshLayout
from simulators.models.mesh.mesh import Mesh
from simulators.models.mesh.modulators import Modulators
from simulators.models.random_walk import RandomWalk

Array = NDArray[np.float64]
_REACH = 4.0  # in pitches; heat from further away is not felt


@dataclass(frozen=True)
class Fabrication:
    """How chips of one design differ; spreads are standard deviations. Defaults are judged, not published.

    Attributes:
        splitter_rad: error of each splitter's angle.
        phase_rad: error of each shifter's phase; None for phases that are anything from 0 to 2 π.
        mzi_loss_dB, mzi_loss_spread_dB: power lost in each MZI.
        resistance_ohm, resistance_spread: heaters when cold; the spread is relative.
        rise_per_W: how much resistance a heater gains per watt, relative.
        half_wave_W, half_wave_spread: power for π; the spread is relative.
        crosstalk, crosstalk_length, crosstalk_spread: share of a heater's effect on a shifter one pitch away, the
            pitches in which it falls to 1/e, and its relative spread from pair to pair.
        high_V, bits: limit and resolution of the heaters' supply; no bits for a continuous one.
        input_loss_dB, port_loss_dB, port_loss_spread_dB: from the laser to the mesh beside the splitting, and from
            the mesh to the detectors, of each port.
        modulator_half_wave_V, modulator_spread_V, modulator_floor, chirp_rad_per_V: see `Modulators`; the spread
            is that of the voltages.
        drift_rad: of each shifter's phase after an hour, a random walk.
    """

    splitter_rad: float = 0.03
    phase_rad: float | None = None
    mzi_loss_dB: float = 0.1
    mzi_loss_spread_dB: float = 0.03
    resistance_ohm: float = 1e3
    resistance_spread: float = 0.02
    rise_per_W: float = 1.5
    half_wave_W: float = 0.02
    half_wave_spread: float = 0.03
    crosstalk: float = 0.01
    crosstalk_length: float = 1.0
    crosstalk_spread: float = 0.2
    high_V: float = 9.0
    bits: int | None = None
    input_loss_dB: float = 2.0
    port_loss_dB: float = 1.5
    port_loss_spread_dB: float = 0.3
    modulator_half_wave_V: float = 3.0
    modulator_spread_V: float = 0.05
    modulator_floor: float = 0.005
    chirp_rad_per_V: float = 0.0
    drift_rad: float = 0.01

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (np.isfinite(value) and value >= 0.0):
                raise ModelError(f"fabrication: {field.name} = {value!r} should be a number, not negative")
        for name in ("resistance_ohm", "half_wave_W", "high_V", "modulator_half_wave_V", "crosstalk_length"):
            if not getattr(self, name) > 0.0:
                raise ModelError(f"fabrication: {name} = {getattr(self, name)!r} should be positive")

    @classmethod
    def perfect(cls, **changed: float | None) -> "Fabrication":
        """A chip as designed, but for what is `changed`."""
        none = {field.name: 0.0 for field in fields(cls) if "spread" in field.name or field.name in _ERRORS}
        return cls(**{**none, **changed})  # type: ignore[arg-type]


_ERRORS = ("splitter_rad", "phase_rad", "mzi_loss_dB", "rise_per_W", "crosstalk", "input_loss_dB", "port_loss_dB",
           "modulator_floor", "chirp_rad_per_V", "drift_rad")  # fmt: skip


def fabricate(layout: MeshLayout, fabrication: Fabrication, seed: int, laser_W: float = 1e-3) -> PhotonicChip:
    """Make the chip that `seed` stands for, as it is at time zero."""
    rng, f = np.random.default_rng((seed, 0)), fabrication
    n, h = layout.ports, len(layout.shifters)
    mesh = Mesh(layout)

    def put(parameter: torch.nn.Parameter, values: Array) -> None:
        parameter.data = torch.as_tensor(values, dtype=parameter.dtype)

    put(mesh.splitter_in, f.splitter_rad * rng.standard_normal(h // 2))
    put(mesh.splitter_out, f.splitter_rad * rng.standard_normal(h // 2))
    put(mesh.transmission, _amplitude(f.mzi_loss_dB + f.mzi_loss_spread_dB * rng.standard_normal(h // 2)))
    anywhere, near = 2.0 * np.pi * rng.random(h), rng.standard_normal(h)
    put(mesh.phase_offset, anywhere if f.phase_rad is None else f.phase_rad * near)
    put(mesh.output_offset, 2.0 * np.pi * rng.random(n) if f.phase_rad is None else np.zeros(n))

    modulators = Modulators(
        _tensor(_amplitude(f.input_loss_dB + f.port_loss_spread_dB * rng.standard_normal(n)) / np.sqrt(n)),
        _tensor(f.modulator_spread_V * rng.standard_normal(n)),
        _tensor(f.modulator_half_wave_V + f.modulator_spread_V * rng.standard_normal(n)),
        _tensor(f.modulator_floor * rng.random(n)),
        _tensor(f.chirp_rad_per_V * rng.standard_normal(n)),
    )
    ports = _amplitude(f.port_loss_dB + f.port_loss_spread_dB * rng.standard_normal(n)) ** 2
    return PhotonicChip(modulators, _heaters(layout, f, rng), mesh, _tensor(ports), laser_W)


def heater_places(layout: MeshLayout) -> Array:
    """Where the heaters lie, (H, 2) in pitches: along the light, across it. Rows are two pitches apart."""
    internal = [(2.0 * place.column + 1.0, 2.0 * place.row) for place in layout.mzis]
    external = [(2.0 * place.column, 2.0 * place.row) for place in layout.mzis]
    return np.array(internal + external)


class PhotonicSpecimen:
    """A fabricated chip in time: `shares` answers what its detectors get.

    Args:
        chip: as it was at time zero; it must stay as it is now, for it is copied here.
        drift_rad: of each shifter after an hour.
        seed: of the drift.
        thermal_s: time constant with which a heater's power is felt; `shares` takes powers that are felt.
    """

    def __init__(self, chip: PhotonicChip, drift_rad: float, seed: int, thermal_s: float = 1e-3) -> None:
        self.chip, self.drift_rad, self.thermal_s = chip, drift_rad, thermal_s
        self._frozen = FrozenChip(chip)
        self._walk = RandomWalk(np.random.default_rng((seed, 1)), chip.n_controls)

    def drift(self, times_s: Array) -> Array:
        """What has been added to the shifters' phases, (time, H) in rad."""
        return self.drift_rad * self._walk.at(np.asarray(times_s, dtype=np.float64))

    def shares(self, inputs_V: Array, heater_W: Array, times_s: Array) -> Array:
        """Shares (time, N) of the laser's power at the detectors.

        Args:
            inputs_V: modulator voltages (time, N).
            heater_W: heater powers (time, H) as far as they are felt yet.
            times_s: (time,), in any order.
        """
        return self._frozen.shares(inputs_V, self._frozen.phases(heater_W) + self.drift(times_s))

    def powers(self, heaters_V: Array) -> Array:
        """Electrical powers (..., H) in W at heater voltages (..., H); see `HeaterBank.powers`."""
        return self._frozen.powers(heaters_V)


def _heaters(layout: MeshLayout, f: Fabrication, rng: np.random.Generator) -> HeaterBank:
    places = heater_places(layout)
    h = len(places)
    own = np.pi / (f.half_wave_W * (1.0 + f.half_wave_spread * rng.standard_normal(h)))
    near = cKDTree(places).query_ball_point(places, _REACH)
    neighbours = np.tile(np.arange(h)[:, None], (1, max(map(len, near)) - 1))
    for k, found in enumerate(near):
        neighbours[k, : len(found) - 1] = [j for j in found if j != k]
    apart = np.linalg.norm(places[:, None] - places[neighbours], axis=2)
    share = f.crosstalk * np.exp(-(apart - 1.0) / f.crosstalk_length) * (apart > 0.0)
    share *= 1.0 + f.crosstalk_spread * rng.standard_normal(share.shape)
    return HeaterBank(
        _tensor(f.resistance_ohm * (1.0 + f.resistance_spread * rng.standard_normal(h))),
        _tensor(np.full(h, f.rise_per_W)),
        _tensor(own),
        torch.as_tensor(neighbours),
        _tensor(share * own[neighbours]),
        _tensor(np.full(h, f.high_V)),
        f.bits,
    )


def _amplitude(loss_dB: Array) -> Array:
    return 10.0 ** (-np.maximum(loss_dB, 0.0) / 20.0)


def _tensor(values: Array) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64)
