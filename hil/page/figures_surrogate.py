"""Pictures of the surrogate: training curve, errors, and where they are."""

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from hil.page.canvas import (
    BLUE,
    GREEN,
    GREY,
    HALF_WIDTH,
    ORANGE,
    SKY,
    VERMILLION,
    Drawing,
    common_prefix,
    drawing,
)
from hil.page.data import Array, Repeatability, Surrogate

PARITY_POINTS = 6000
BINS = 16
CELLS = 10
LEAST_IN_CELL = 5


def training_curve(surrogate: Surrogate, validation_A: Array, floor_A: float | None) -> Drawing:
    """Error after each epoch on a logarithmic axis, with the repeatability below it."""
    scale, prefix = common_prefix(validation_A)
    epochs = np.arange(1, len(validation_A) + 1)
    with drawing(3.3, HALF_WIDTH) as figure:
        axes = figure.subplots()
        if surrogate.training_rmse_A is not None and len(surrogate.training_rmse_A) == len(epochs):
            axes.plot(epochs, surrogate.training_rmse_A / scale, color=SKY, label="training")
        axes.plot(epochs, validation_A / scale, "o-", color=BLUE, markersize=3.5, label="validation")
        if surrogate.best_epoch is not None and 1 <= surrogate.best_epoch <= len(epochs):
            axes.plot(
                surrogate.best_epoch,
                validation_A[surrogate.best_epoch - 1] / scale,
                "*",
                color=VERMILLION,
                markersize=12,
                label="kept",
            )
        if floor_A:
            axes.axhline(floor_A / scale, color=GREEN, linestyle="-.", label="repeatability")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"RMSE / {prefix}A")
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=4, columnspacing=1, handlelength=1.5, borderpad=0.2
        )
        return Drawing(figure)


def errors(measured_A: Array, predicted_A: Array, floor: Repeatability | None) -> Drawing:
    """Parity of prediction and measurement, and the histogram of the error."""
    scale, prefix = common_prefix(measured_A)
    error = predicted_A - measured_A
    small, small_prefix = common_prefix(error)
    some = np.linspace(0, len(error) - 1, min(len(error), PARITY_POINTS)).round().astype(int)
    with drawing(3.9) as figure:
        parity, histogram = figure.subplots(1, 2)
        low, high = (min(measured_A.min(), predicted_A.min()), max(measured_A.max(), predicted_A.max()))
        parity.plot([low / scale, high / scale], [low / scale, high / scale], color=GREY, linewidth=1)
        parity.plot(
            measured_A[some] / scale,
            predicted_A[some] / scale,
            ".",
            color=BLUE,
            markersize=2.2,
            alpha=0.35,
            rasterized=True,
        )
        parity.set_xlabel(f"measured / {prefix}A")
        parity.set_ylabel(f"predicted / {prefix}A")
        parity.set_title("Prediction against measurement")
        reach = float(np.percentile(np.abs(error), 99.5)) / small or 1.0
        edges = np.linspace(-reach, reach, 81)
        counts, _ = np.histogram(np.clip(error / small, -reach, reach), edges)
        histogram.stairs(counts, edges, fill=True, color=BLUE, alpha=0.8, label="prediction − measurement")
        peak = 1.0
        if floor is not None:
            # Fine enough for noise that is far narrower than the errors; its peak may leave the axes.
            grid = np.union1d(np.linspace(-reach, reach, 401), _around_zero(floor, reach * small) / small)
            chance = _noise_density(measured_A[some], floor, grid * small) * small * (edges[1] - edges[0])
            peak = len(error) * float(chance.max())
            histogram.plot(grid, len(error) * chance, color=ORANGE, label="noise between repeats alone")
        histogram.set_ylim(0, 1.15 * min(max(counts.max(), peak), 2.0 * max(1, counts.max())))
        histogram.set_xlabel(f"error / {small_prefix}A")
        histogram.set_ylabel("samples in a bin")
        histogram.set_title("Error on unseen batches")
        histogram.legend(loc="upper right")
        return Drawing(figure)


def _around_zero(floor: Repeatability, reach_A: float) -> Array:
    width = min(reach_A, 5 * floor.repeatability_A)
    return np.linspace(-width, width, 201)


def _noise_density(measured_A: Array, floor: Repeatability, error_A: Array) -> Array:
    """Density of the error of a perfect surrogate: normal noise of each sample's own width, averaged."""
    sigma = floor.noise_a * np.abs(measured_A) + floor.noise_b_A
    sigma = sigma[sigma > 0]
    if not len(sigma):
        return np.zeros_like(error_A)
    density = np.exp(-0.5 * (error_A[:, None] / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return density.mean(axis=1)


def error_by_output(measured_A: Array, predicted_A: Array, floor: Repeatability | None) -> Drawing:
    """RMSE and bias in bins of equally many samples, with the noise that the repeats show there."""
    scale, prefix = common_prefix(measured_A)
    error = predicted_A - measured_A
    order = np.array_split(np.argsort(measured_A, kind="stable"), min(BINS, max(1, len(error) // 8)))
    centre = np.array([measured_A[rows].mean() for rows in order])
    rmse = np.array([np.sqrt(np.mean(error[rows] ** 2)) for rows in order])
    bias = np.array([error[rows].mean() for rows in order])
    small, small_prefix = common_prefix(rmse)
    with drawing(3.3, HALF_WIDTH) as figure:
        axes = figure.subplots()
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.plot(centre / scale, rmse / small, "o-", color=BLUE, markersize=4.5, label="RMSE")
        axes.plot(
            centre / scale, bias / small, "s--", color=VERMILLION, markersize=3.5, linewidth=1, label="bias"
        )
        if floor is not None:
            line = np.linspace(measured_A.min(), measured_A.max(), 201)
            sigma = floor.noise_a * np.abs(line) + floor.noise_b_A
            axes.fill_between(
                line / scale,
                0,
                sigma / small,
                color=ORANGE,
                alpha=0.3,
                linewidth=0,
                label="noise between repeats",
            )
        axes.set_xlabel(f"measured current / {prefix}A")
        axes.set_ylabel(f"error / {small_prefix}A")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, columnspacing=1.2, borderpad=0.2)
        return Drawing(figure)


def error_map(
    names: tuple[str, str], inputs_V: Array, error_A: Array, worst: tuple[Array, Array] | None
) -> Drawing:
    """RMSE over the plane of two electrodes, `inputs_V` (n, 2), with the worst region outlined."""
    x, y = inputs_V.T
    edges = [np.linspace(column.min(), column.max(), CELLS + 1) for column in (x, y)]
    counts, _, _ = np.histogram2d(x, y, bins=edges)
    squares, _, _ = np.histogram2d(x, y, bins=edges, weights=error_A**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        rmse = np.where(counts >= LEAST_IN_CELL, np.sqrt(squares / counts), np.nan)
    scale, prefix = common_prefix(rmse)
    with drawing(3.3, HALF_WIDTH) as figure:
        axes = figure.subplots()
        mesh = axes.pcolormesh(edges[0], edges[1], rmse.T / scale, cmap="cividis", rasterized=True)
        figure.colorbar(mesh, ax=axes, label=f"RMSE / {prefix}A")
        if worst is not None:
            low, high = worst
            axes.plot(
                [low[0], high[0], high[0], low[0], low[0]],
                [low[1], low[1], high[1], high[1], low[1]],
                color=VERMILLION,
                linewidth=2,
            )
        axes.set_xlabel(f"{names[0]} / V")
        axes.set_ylabel(f"{names[1]} / V")
        axes.set_xlim(edges[0][0], edges[0][-1])
        axes.set_ylim(edges[1][0], edges[1][-1])
        axes.grid(False)
        return Drawing(figure)
