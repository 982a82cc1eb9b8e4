"""Repeatability, drift and noise of a device, from one stimulus repeated through a run.

The model, for repeat r of sample t of one output, with m the mean over the repeats:

    y[r, t] = gain[r] m[t] + offset[r] + shape[r, t] + noise,   noise ~ N(0, (a |m[t]| + b)^2)

Gain and offset come from a least-squares line of y[r] on m. What the line leaves is noise and any change of
the device's characteristic (`shape`: a charge that moved), which the residual of each repeat shows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from calibration.device import Array
from calibration.errors import NotEnoughData, ShapeError

SECONDS_PER_HOUR = 3600.0
MIN_SAMPLES = 8
_CHANCE = 2.0
"""Beyond how many times the difference that noise makes a difference counts."""


@dataclass(frozen=True, eq=False)
class Rate:
    """A slope against time, per hour, with its standard uncertainty; each of shape (n_out,)."""

    per_hour: Array
    uncertainty_per_hour: Array

    def as_dict(self) -> dict[str, list[float]]:
        """Both as plain lists."""
        return {
            "per_hour": self.per_hour.tolist(),
            "uncertainty_per_hour": self.uncertainty_per_hour.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Drift:
    """How each repeat differs from the mean of all; arrays (n_ref, n_out), in the outputs' unit."""

    times_s: Array
    """Time of each repeat, shape (n_ref,)."""
    gain: Array
    """Factor on the mean; 1 where nothing drifts."""
    offset: Array
    residual: Array
    """RMS over the batch of what gain and offset leave: noise, and more where the shape changed."""
    gain_rate: Rate
    offset_rate: Rate

    def as_dict(self) -> dict[str, object]:
        """The figures as plain lists."""
        return {
            "times_s": self.times_s.tolist(),
            "gain": self.gain.tolist(),
            "offset": self.offset.tolist(),
            "residual": self.residual.tolist(),
            "gain_rate": self.gain_rate.as_dict(),
            "offset_rate": self.offset_rate.as_dict(),
        }


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """sigma(I) = a |I| + b, with standard uncertainties, and the binned measurement it was fitted beside.

    `bins_output` (n_bins, n_out) is the mean output of each bin of equally many samples, sign kept, so that
    an asymmetry the model cannot follow is seen; `bins_sigma` the RMS standard deviation between repeats.
    """

    a: Array
    b: Array
    a_uncertainty: Array
    b_uncertainty: Array
    bins_output: Array
    bins_sigma: Array

    def sigma(self, output: Array) -> Array:
        """Standard deviation of one reading at `output`, shape (..., n_out)."""
        return self.a * np.abs(output) + self.b

    def as_dict(self) -> dict[str, object]:
        """The figures as plain lists."""
        return {
            "a": self.a.tolist(),
            "b": self.b.tolist(),
            "a_uncertainty": self.a_uncertainty.tolist(),
            "b_uncertainty": self.b_uncertainty.tolist(),
            "bins_output": self.bins_output.tolist(),
            "bins_sigma": self.bins_sigma.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Change:
    """How far the two repeats that differ most are apart, beyond chance; figures of shape (n_out,).

    A chip that drifts moves a little between all of them; one that was hit, or whose source or meter began to
    lie, is another one from some repeat on. `size` is the RMS difference with that of noise taken off, zero
    where noise alone may have made it; `of_spread` the same as a share of the output's standard deviation.
    """

    size: Array
    of_spread: Array
    before: int
    """The repeat after which the largest step of the first output came."""

    def as_dict(self) -> dict[str, object]:
        """The figures as plain numbers and lists."""
        return {"size": self.size.tolist(), "of_spread": self.of_spread.tolist(), "before": self.before}


@dataclass(frozen=True, eq=False)
class Repeatability:
    """What the repeats of one stimulus say; figures of shape (n_out,), in the outputs' unit.

    `repeatability` is the RMS standard deviation between repeats once gain and offset drift are removed;
    `with_drift` before that, the floor for a model of the whole run; `short_term` that of neighbouring
    repeats (RMS difference / sqrt 2, von Neumann), which no slow change of any kind enters.
    """

    repeats: int
    samples: int
    """Samples used of each repeat: those that are good in every repeat."""
    repeatability: Array
    with_drift: Array
    short_term: Array
    change: "Change"
    drift: Drift
    noise: NoiseModel

    def as_dict(self) -> dict[str, object]:
        """The figures as plain numbers and lists."""
        return {
            "repeats": self.repeats,
            "samples": self.samples,
            "repeatability": self.repeatability.tolist(),
            "with_drift": self.with_drift.tolist(),
            "short_term": self.short_term.tolist(),
            "change": self.change.as_dict(),
            "drift": self.drift.as_dict(),
            "noise": self.noise.as_dict(),
        }


def repeatability(
    outputs: Array, times_s: Array, good: npt.NDArray[np.bool_] | None = None, bins: int = 24
) -> Repeatability:
    """Repeatability, drift and noise from repeats of one stimulus.

    `outputs` has the shape (n_ref, time, n_out), `times_s` (n_ref,), `good` (n_ref, time). A sample that is
    not good in one repeat is left out of all. Raises ShapeError for shapes that do not fit, NotEnoughData for
    fewer than two repeats or eight good samples.
    """
    outputs, times_s = _used(outputs, times_s, good)
    repeats, samples, _ = outputs.shape
    mean = outputs.mean(axis=0)
    found, residual = _drift(outputs, times_s, mean)
    freedom = _freedom(repeats, samples)
    order = np.argsort(times_s, kind="stable")
    steps = np.diff(outputs[order], axis=0)
    return Repeatability(
        repeats=repeats,
        samples=samples,
        repeatability=np.sqrt((residual**2).sum(axis=(0, 1)) / freedom),
        with_drift=np.sqrt(outputs.var(axis=0, ddof=1).mean(axis=0)),
        short_term=np.sqrt((steps**2).mean(axis=(0, 1)) / 2),
        change=_change(outputs[order], steps),
        drift=found,
        noise=_noise(mean, residual * np.sqrt(repeats * samples / freedom), bins),
    )


def drift(outputs: Array, times_s: Array, good: npt.NDArray[np.bool_] | None = None) -> Drift:
    """The drift alone, without the noise model's fit; see `repeatability`."""
    outputs, times_s = _used(outputs, times_s, good)
    return _drift(outputs, times_s, outputs.mean(axis=0))[0]


def _used(outputs: Array, times_s: Array, good: npt.NDArray[np.bool_] | None) -> tuple[Array, Array]:
    """The samples that are good in every repeat, (n_ref, samples, n_out), and the repeats' times."""
    outputs, times_s = np.asarray(outputs, dtype=float), np.asarray(times_s, dtype=float)
    if outputs.ndim != 3 or times_s.shape != outputs.shape[:1]:
        raise ShapeError(
            f"outputs have the shape {outputs.shape} and times {times_s.shape}: "
            "give (repeats, time, outputs) and (repeats,)"
        )
    kept = np.isfinite(outputs).all(axis=(0, 2))
    if good is not None:
        if good.shape != outputs.shape[:2]:
            raise ShapeError(f"good has the shape {good.shape}: give {outputs.shape[:2]}, repeats by time")
        kept &= good.all(axis=0)
    repeats, samples = len(outputs), int(kept.sum())
    if repeats < 2 or samples < MIN_SAMPLES:
        raise NotEnoughData(
            f"{repeats} repeats with {samples} samples good in all of them: "
            f"repeatability needs at least 2 repeats and {MIN_SAMPLES} samples"
        )
    return outputs[:, kept], times_s


def _drift(outputs: Array, times_s: Array, mean: Array) -> tuple[Drift, Array]:
    """The drift, and what gain and offset leave of each sample."""
    gain, offset, residual, gain_error, offset_error = _lines(outputs, mean)
    repeats, samples, _ = outputs.shape
    found = Drift(
        times_s=times_s,
        gain=gain,
        offset=offset,
        residual=np.sqrt((residual**2).sum(axis=1) * repeats / _freedom(repeats, samples)),
        gain_rate=_rate(times_s, gain, gain_error),
        offset_rate=_rate(times_s, offset, offset_error),
    )
    return found, residual


def _freedom(repeats: int, samples: int) -> int:
    """The mean takes one repeat's worth of freedom, gain and offset two samples' worth."""
    return (repeats - 1) * (samples - 2)


def _lines(outputs: Array, mean: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Gain, offset, residuals and the standard errors of the first two, for each repeat and output."""
    middle = mean.mean(axis=0)
    deviation = mean - middle
    spread = (deviation**2).sum(axis=0)
    # An output that never moves has no gain to speak of: it is 1, and all change is offset.
    moves = spread > (1e-12 * np.abs(middle)) ** 2 * len(mean)
    safe = np.where(moves, spread, 1.0)
    gain = np.where(moves, np.einsum("rto,to->ro", outputs, deviation) / safe, 1.0)
    level = outputs.mean(axis=1)
    offset = level - gain * middle
    residual = outputs - level[:, None] - gain[:, None] * deviation
    variance = (residual**2).sum(axis=1) / (len(mean) - 2)
    gain_error = np.where(moves, np.sqrt(variance / safe), 0.0)
    offset_error = np.sqrt(variance * (1 / len(mean) + np.where(moves, middle**2 / safe, 0.0)))
    return gain, offset, residual, gain_error, offset_error


def _change(outputs: Array, steps: Array) -> Change:
    """The largest change between any two of the repeats, in the order of time."""
    square = (steps**2).mean(axis=1)
    # One step that is no noise must not pass for noise: of neighbours the (lower) median counts.
    noise = np.sort(square, axis=0)[(len(square) - 1) // 2] if len(square) > 1 else np.zeros_like(square[0])
    worst = np.max([((outputs - one) ** 2).mean(axis=1).max(axis=0) for one in outputs], axis=0)
    size = np.where(worst > _CHANCE**2 * noise, np.sqrt(np.maximum(worst - noise, 0.0)), 0.0)
    spread = outputs.mean(axis=0).std(axis=0)
    of_spread = np.divide(size, spread, out=np.zeros_like(size), where=spread > 0.0)
    return Change(size, of_spread, int(square[:, 0].argmax()))


def _rate(times_s: Array, values: Array, errors: Array) -> Rate:
    """Slope per hour; its uncertainty is the larger of the propagated one and the scatter's own."""
    hours = times_s / SECONDS_PER_HOUR
    deviation = hours - hours.mean()
    spread = float((deviation**2).sum())
    if spread == 0:
        raise NotEnoughData("all repeats carry the same time: drift needs the time of each")
    slope = deviation @ values / spread
    propagated = np.sqrt(((deviation[:, None] * errors) ** 2).sum(axis=0)) / spread
    scatter = np.zeros_like(slope)
    if len(times_s) > 2:
        left = values - values.mean(axis=0) - deviation[:, None] * slope
        scatter = np.sqrt((left**2).sum(axis=0) / (len(times_s) - 2) / spread)
    return Rate(slope, np.maximum(propagated, scatter))


def _noise(mean: Array, residual: Array, bins: int) -> NoiseModel:
    """The noise model of each output; `residual` (n_ref, time, n_out) scaled to the noise's full variance."""
    fits = [_noise_fit(mean[:, o], residual[:, :, o]) for o in range(mean.shape[1])]
    a, b, a_uncertainty, b_uncertainty = np.array(fits).T
    order = np.argsort(mean, axis=0)
    chunks = np.array_split(np.arange(len(mean)), min(bins, len(mean) // 4))
    square = (residual**2).mean(axis=0)
    sorted_mean = np.take_along_axis(mean, order, axis=0)
    sorted_square = np.take_along_axis(square, order, axis=0)
    return NoiseModel(
        a,
        b,
        a_uncertainty,
        b_uncertainty,
        bins_output=np.array([sorted_mean[chunk].mean(axis=0) for chunk in chunks]),
        bins_sigma=np.array([np.sqrt(sorted_square[chunk].mean(axis=0)) for chunk in chunks]),
    )


def _noise_fit(mean: Array, residual: Array) -> tuple[float, float, float, float]:
    """Maximum-likelihood a and b of one output with their uncertainties from the Fisher information."""
    repeats = len(residual)
    square = (residual**2).mean(axis=0)
    unit = float(np.sqrt(square.mean()))
    size = np.abs(mean)
    scale = float(size.max())
    if unit == 0:
        return 0.0, 0.0, 0.0, 0.0
    relative = size / scale if scale > 0 else size

    def cost(parameters: Array) -> tuple[float, Array]:
        sigma = parameters[0] * relative + parameters[1]
        ratio = square / unit**2 / sigma**2
        slope = (1 - ratio) / sigma
        return float((np.log(sigma) + ratio / 2).mean()), np.array([(slope * relative).mean(), slope.mean()])

    found = minimize(
        cost, x0=np.array([0.5, 0.5]), jac=True, method="L-BFGS-B", bounds=[(0, None), (1e-6, None)]
    ).x
    sigma = found[0] * relative + found[1]
    design = np.column_stack([relative, np.ones_like(relative)]) / sigma[:, None]
    # (repeats - 1) of the repeats are free: the mean took one.
    covariance = np.linalg.pinv(2 * (repeats - 1) * design.T @ design)
    a_scale = unit / scale if scale > 0 else 0.0
    return (
        float(found[0] * a_scale),
        float(found[1] * unit),
        float(np.sqrt(covariance[0, 0]) * a_scale),
        float(np.sqrt(covariance[1, 1]) * unit),
    )
