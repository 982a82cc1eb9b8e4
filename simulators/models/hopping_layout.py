"""Where the dopants of a device lie, and what the hopping model takes for granted about them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.errors import ModelError

N_ELECTRODES = 8
BOLTZMANN_eV_per_K = 8.617333262e-5  # CODATA 2018
COULOMB_eV_m = 1.439964548e-9  # e² / (4 π ε0), in eV m
_RIM_POINTS = 2880  # quadrature on the rim: 0.11 nm apart on the default device
_LARGEST_TRY = 10_000


@dataclass(frozen=True)
class HoppingParameters:
    """A dopant network as variable-range hopping on a disc; lengths in m, energies in eV.

    The defaults are fitted by hand to the statistics of published devices, which `make reproduce` prints
    beside those of the emulated ones. The disc is a coarse-grained device: its few sites stand for the best
    paths of the current, and `attempt_frequency_Hz` for many of them side by side, each of 1e12 to 1e13 Hz.

    Attributes:
        n_acceptors: sites on which holes hop.
        n_donors: fixed positive charges, which counter-dope.
        radius_m: of the disc; the electrodes stand on its rim, `N_ELECTRODES` of them at equal angles.
        localisation_radius_m: a in the hopping rate exp(-2 r / a).
        min_spacing_m: no two dopants are nearer than this; nearer pairs share their holes and are no two
            sites.
        contact_width_rad: the arc of the rim that is metal, per electrode. The rim's potential runs linearly
            from one contact to the next.
        tunnel_barrier_eV: height of the barrier between sites; a voltage along the hop lowers it (see
            `tunnelling`).
        level_eV: energy of a hole on a lone acceptor above the Fermi level of an unbiased contact.
        disorder_eV: standard deviation of a further random energy per acceptor.
        temperature_K, relative_permittivity: of the lattice.
        attempt_frequency_Hz: sets the scale of all currents and nothing else.
        farthest_hop: hops with 2 r / a above this are left out.
        low_V, high_V: the voltages each driven electrode is allowed; the published ranges by default.
    """

    n_acceptors: int = 30
    n_donors: int = 5
    radius_m: float = 50e-9
    localisation_radius_m: float = 3e-9
    min_spacing_m: float = 5e-9
    contact_width_rad: float = 0.25
    tunnel_barrier_eV: float = 0.48
    level_eV: float = 0.2
    disorder_eV: float = 0.0
    temperature_K: float = 77.0
    relative_permittivity: float = 11.7
    attempt_frequency_Hz: float = 3e14
    farthest_hop: float = 16.0
    low_V: tuple[float, ...] = (-1.2,) * 5 + (-0.7,) * 2
    high_V: tuple[float, ...] = (0.6,) * 5 + (0.3,) * 2

    def __post_init__(self) -> None:
        for name in (
            "n_acceptors",
            "radius_m",
            "localisation_radius_m",
            "contact_width_rad",
            "tunnel_barrier_eV",
            "temperature_K",
            "relative_permittivity",
            "attempt_frequency_Hz",
            "farthest_hop",
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ModelError(f"{name} = {value!r} should be a positive number")
        for name in ("n_donors", "min_spacing_m", "disorder_eV"):
            if not getattr(self, name) >= 0:
                raise ModelError(f"{name} = {getattr(self, name)!r} should not be negative")
        if self.contact_width_rad >= 2 * math.pi / N_ELECTRODES:
            raise ModelError(f"contact_width_rad = {self.contact_width_rad}: contacts touch at 0.785")
        driven = N_ELECTRODES - 1
        if len(self.low_V) != driven or len(self.high_V) != driven:
            raise ModelError(f"low_V and high_V should hold {driven} voltages each, one per driven electrode")

    @property
    def thermal_energy_eV(self) -> float:
        """kT."""
        return BOLTZMANN_eV_per_K * self.temperature_K


@dataclass(frozen=True)
class DopantLayout:
    """Positions in the plane of the disc, m, and a fixed random energy per acceptor, eV."""

    acceptors_m: NDArray[np.float64]  # (n_acceptors, 2)
    donors_m: NDArray[np.float64]  # (n_donors, 2)
    disorder_eV: NDArray[np.float64]  # (n_acceptors,)

    @classmethod
    def random(cls, parameters: HoppingParameters, seed: int | tuple[int, ...]) -> "DopantLayout":
        """Dopants thrown uniformly on the disc, each thrown again while it lies too near to one before it."""
        rng = np.random.default_rng(seed)
        placed: list[NDArray[np.float64]] = []
        for _ in range(parameters.n_acceptors + parameters.n_donors):
            for _ in range(_LARGEST_TRY):
                radius = parameters.radius_m * math.sqrt(rng.random())
                angle = 2 * math.pi * rng.random()
                point = radius * np.array([math.cos(angle), math.sin(angle)])
                if all(np.hypot(*(point - other)) >= parameters.min_spacing_m for other in placed):
                    break
            else:
                raise ModelError(
                    f"dopant {len(placed) + 1} finds no place {parameters.min_spacing_m} m away from "
                    "the others; lower min_spacing_m or the number of dopants"
                )
            placed.append(point)
        points = np.array(placed).reshape(-1, 2)
        disorder = parameters.disorder_eV * rng.standard_normal(parameters.n_acceptors)
        return cls(points[: parameters.n_acceptors], points[parameters.n_acceptors :], disorder)


def contact_angles() -> NDArray[np.float64]:
    """Angle of each contact's middle, rad; e1 at zero, the readout e8 last."""
    return np.arange(N_ELECTRODES, dtype=np.float64) * (2 * np.pi / N_ELECTRODES)


def rim_shares(parameters: HoppingParameters) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles of points on the rim; each electrode's share (points, 8) of the potential there."""
    angles = (np.arange(_RIM_POINTS, dtype=np.float64) + 0.5) * (2 * np.pi / _RIM_POINTS)
    away = np.abs((angles[:, None] - contact_angles() + np.pi) % (2 * np.pi) - np.pi)
    gap = 2 * np.pi / N_ELECTRODES - parameters.contact_width_rad
    shares: NDArray[np.float64] = np.clip(1 - (away - parameters.contact_width_rad / 2) / gap, 0, 1)
    return angles, shares


def lever_arms(parameters: HoppingParameters, layout: DopantLayout) -> NDArray[np.float64]:
    """Share of each electrode's voltage in the potential at each acceptor, (n_acceptors, 8).

    The potential inside the disc is harmonic: Poisson's integral of the potential on the rim. Rows add to 1.
    """
    angles, shares = rim_shares(parameters)
    x, y = layout.acceptors_m.T / parameters.radius_m
    radius, azimuth = np.hypot(x, y)[:, None], np.arctan2(y, x)[:, None]
    kernel = (1 - radius**2) / (1 - 2 * radius * np.cos(angles - azimuth) + radius**2)
    arms: NDArray[np.float64] = kernel @ shares  # not normalised by the number of points: the rows are
    return arms / arms.sum(axis=1, keepdims=True)


def contact_decay(parameters: HoppingParameters, layout: DopantLayout) -> NDArray[np.float64]:
    """-log of exp(-2 r / a) averaged over a contact's arc, (n_acceptors, 8)."""
    angles, shares = rim_shares(parameters)
    rim = parameters.radius_m * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distance = pair_distances(layout.acceptors_m, rim)
    decay = np.empty((parameters.n_acceptors, N_ELECTRODES))
    for k in range(N_ELECTRODES):
        path = 2 * distance[:, shares[:, k] == 1] / parameters.localisation_radius_m
        nearest = path.min(axis=1)
        decay[:, k] = nearest - np.log(np.exp(nearest[:, None] - path).mean(axis=1))
    return decay


def pair_distances(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances (len(first), len(second)) in m."""
    distances: NDArray[np.float64] = np.linalg.norm(first[:, None] - second, axis=2)
    return distances
