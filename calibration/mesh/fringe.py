"""A power that goes up and down with a heater's power: the fit of one fringe."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from calibration.device import Array

_GAMMA_SPREAD = 0.25  # how far a heater may be from what it is taken for
_GRID = 101
_UNKNOWNS = 4
_NEVER_BETTER = (
    3e-4  # of the brightest: a swept heater warms others too, so that nothing dark is as exact as its noise
)


@dataclass(frozen=True)
class Fringe:
    """mean (1 + visibility cos(γ P + phase)) as it was fitted, with standard errors.

    The errors are those of the noise, or of what the fit leaves where that is more.

    Attributes:
        mean_W: mean power.
        visibility: at least 0.
        phase_rad: in (-π, π].
        gamma_rad_per_W: γ.
        significance: the fringe's amplitude over its error.
        residual: root mean square of what the fit leaves, over the amplitude.
        residual_over_noise: root mean square of what it leaves in standard deviations of a reading.
    """

    mean_W: float
    visibility: float
    phase_rad: float
    gamma_rad_per_W: float
    visibility_error: float
    phase_error_rad: float
    gamma_error_rad_per_W: float
    significance: float
    residual: float
    residual_over_noise: float

    def at(self, heater_W: Array) -> Array:
        """The fitted power at heater powers."""
        turned = np.cos(self.gamma_rad_per_W * heater_W + self.phase_rad)
        return np.asarray(self.mean_W * (1.0 + self.visibility * turned))


def fit_fringe(heater_W: Array, light_W: Array, noise_W: Array, gamma_rad_per_W: float) -> Fringe | None:
    """Fit a fringe to powers `light_W` (T,) read at heater powers `heater_W` (T,).

    γ is looked for within a quarter of `gamma_rad_per_W`: for each γ of a grid the rest is linear, so no start is
    guessed; the best is then refined together. None where too few points are finite, where they span less than half
    a turn, or where nothing can be fitted.

    Args:
        noise_W: standard deviation of each reading, (T,).
    """
    good = np.isfinite(light_W) & np.isfinite(heater_W)
    if good.sum() <= _UNKNOWNS or np.ptp(heater_W[good]) * gamma_rad_per_W < np.pi:
        return None
    scale = float(np.abs(light_W[good]).max())
    if not scale > 0.0:
        return None
    watts, light = heater_W[good], light_W[good] / scale
    weight = 1.0 / np.hypot(noise_W[good] / scale, _NEVER_BETTER)
    stretches = np.linspace(1.0 - _GAMMA_SPREAD, 1.0 + _GAMMA_SPREAD, _GRID)
    turns = gamma_rad_per_W * watts
    best, begun = _linear(np.outer(stretches, turns), light, weight)

    def left(unknown: Array) -> Array:
        mean, cos, sin, stretch = unknown
        turned = stretch * turns
        return weight * (mean + cos * np.cos(turned) + sin * np.sin(turned) - light)

    def slopes(unknown: Array) -> Array:
        _, cos, sin, stretch = unknown
        c, s = np.cos(stretch * turns), np.sin(stretch * turns)
        return weight[:, None] * np.stack((np.ones_like(c), c, s, turns * (sin * c - cos * s)), axis=1)

    found = least_squares(left, [*begun, stretches[best]], jac=slopes, method="lm")
    mean, cos, sin, stretch = found.x
    amplitude = float(np.hypot(cos, sin))
    chi = np.sqrt(2.0 * found.cost / (good.sum() - _UNKNOWNS))
    try:
        covariance = np.linalg.inv(found.jac.T @ found.jac) * max(1.0, chi) ** 2
    except np.linalg.LinAlgError:
        return None
    usable = np.isfinite(covariance).all() and (np.diag(covariance) >= 0.0).all()
    inside = abs(stretch - 1.0) < 1.5 * _GAMMA_SPREAD
    if not (found.success and usable and inside and mean > 0.0 and amplitude > 0.0):
        return None
    along = _error(covariance, np.array([0.0, cos, sin, 0.0]) / amplitude)
    across = _error(covariance, np.array([0.0, -sin, cos, 0.0]) / amplitude)
    ratio = _error(covariance, np.array([-(amplitude**2) / mean, cos, sin, 0.0]) / (amplitude * mean))
    return Fringe(
        mean_W=float(mean * scale),
        visibility=float(amplitude / mean),
        phase_rad=float(np.arctan2(-sin, cos)),
        gamma_rad_per_W=float(stretch * gamma_rad_per_W),
        visibility_error=ratio,
        phase_error_rad=across / amplitude,
        gamma_error_rad_per_W=float(np.sqrt(covariance[3, 3]) * gamma_rad_per_W),
        significance=amplitude / max(along, np.finfo(np.float64).tiny),
        residual=float(np.sqrt(np.mean((found.fun / weight) ** 2)) / amplitude),
        residual_over_noise=float(chi),
    )


def fringe_phases(turns_rad: Array, light_W: Array, noise_W: Array | None = None) -> tuple[Array, Array]:
    """Phases and their standard errors, (...,) in rad, of fringes of known γ read at a few points each.

    Args:
        turns_rad: γ P of each point, (..., points), at least three and not half a turn apart.
        light_W: powers (..., points).
        noise_W: standard deviation of each; without it the errors are zero.
    """
    terms = np.stack((np.ones_like(turns_rad), np.cos(turns_rad), np.sin(turns_rad)), axis=-1)
    solver = np.linalg.pinv(terms)
    _, cos, sin = np.moveaxis((solver @ light_W[..., None])[..., 0], -1, 0)
    phases = np.arctan2(-sin, cos)
    if noise_W is None:
        return phases, np.zeros_like(phases)
    size = np.maximum(np.hypot(cos, sin), np.finfo(np.float64).tiny)
    across = (-sin[..., None] * solver[..., 1, :] + cos[..., None] * solver[..., 2, :]) / size[..., None]
    return phases, np.sqrt(((across * noise_W) ** 2).sum(axis=-1)) / size


def _linear(turned: Array, light: Array, weight: Array) -> tuple[int, Array]:
    """Which of the phases (G, T) fit the light (T,) best, and the mean, cosine and sine (3,) that they do it with."""
    terms = np.stack((np.ones_like(turned), np.cos(turned), np.sin(turned)), axis=-1) * weight[:, None]
    q, r = np.linalg.qr(terms)
    along = (light * weight) @ q
    best = int(np.argmax((along**2).sum(axis=1)))
    return best, np.asarray(np.linalg.lstsq(r[best], along[best], rcond=None)[0])


def _error(covariance: NDArray[np.float64], direction: Array) -> float:
    return float(np.sqrt(max(float(direction @ covariance @ direction), 0.0)))
