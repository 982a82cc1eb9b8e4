"""Pictures of what was driven: one batch, the coverage of the input space, the output distribution."""

import numpy as np

from hil.page.canvas import BLUE, GREY, INK, ORANGE, VERMILLION, Drawing, common_prefix, drawing
from hil.page.data import Array, ExampleBatch, Sampling
from hil.page.numbers import count

SHOWN_CYCLES = 4
SHOWN_POINTS = 4000


def example_batch(sampling: Sampling, example: ExampleBatch) -> Drawing:
    """The beginning of one batch: every electrode's voltage in its range, and the current below."""
    shown = _window(sampling, example)
    time_s = np.arange(shown) / sampling.sample_rate_Hz
    electrodes = len(sampling.electrodes)
    scale, prefix = common_prefix(example.outputs_A[:shown])
    with drawing(0.42 * electrodes + 2.3) as figure:
        rows = figure.subplots(
            electrodes + 1, 1, sharex=True, gridspec_kw={"height_ratios": [1.0] * electrodes + [3.6]}
        )
        for row, name, low, high, voltage in zip(
            rows, sampling.electrodes, sampling.low_V, sampling.high_V, example.inputs_V.T, strict=False
        ):
            row.plot(time_s, voltage[:shown], color=BLUE, linewidth=1.1)
            margin = 0.12 * (high - low) or 1.0
            row.set_ylim(low - margin, high + margin)
            row.set_yticks([low, high])
            row.tick_params(labelsize=7.5, length=2)
            row.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=14, fontweight="bold")
            row.tick_params(axis="x", length=0)
        rows[0].set_title("Electrode voltages in V, each in its range")
        current = rows[-1]
        current.plot(time_s, example.outputs_A[:shown] / scale, color=INK, linewidth=1.1)
        clipped = np.flatnonzero(example.clipped[:shown])
        if clipped.size:
            current.plot(
                time_s[clipped], example.outputs_A[clipped] / scale, ".", color=VERMILLION, markersize=4
            )
        current.set_title("Readout" + (" (red: clipped, left out of the fit)" if clipped.size else ""))
        current.set_ylabel(f"current / {prefix}A")
        current.set_xlabel("time in the batch / s")
        current.set_xlim(0, time_s[-1] if shown > 1 else 1)
        return Drawing(figure)


def _window(sampling: Sampling, example: ExampleBatch) -> int:
    """Samples to show: a few cycles of the slowest tone where there are tones, else half a second."""
    tones = sampling.plan.get("frequencies_Hz") or []
    span_s = SHOWN_CYCLES / min(tones) if tones and min(tones) > 0 else 0.5
    return min(len(example.outputs_A), max(50, round(span_s * sampling.sample_rate_Hz)))


def coverage(sampling: Sampling) -> Drawing:
    """Sampled points in the planes of three pairs of electrodes, a row for each plan that is compared."""
    pairs = _pairs(len(sampling.electrodes))
    plans = {name: points for name, points in sampling.points_V.items() if len(points)}
    with drawing(0.3 + 3.1 * len(plans)) as figure:
        grid = figure.subplots(len(plans), len(pairs), squeeze=False)
        for row, ((name, points), color) in enumerate(
            zip(plans.items(), [BLUE, ORANGE, VERMILLION, GREY], strict=False)
        ):
            some = points[_evenly(len(points), SHOWN_POINTS)]
            for axes, (x, y) in zip(grid[row], pairs, strict=True):
                axes.plot(
                    some[:, x], some[:, y], ".", color=color, markersize=1.6, alpha=0.55, rasterized=True
                )
                axes.set_xlabel(f"{sampling.electrodes[x]} / V")
                axes.set_ylabel(f"{sampling.electrodes[y]} / V")
                axes.set_xlim(sampling.low_V[x], sampling.high_V[x])
                axes.set_ylim(sampling.low_V[y], sampling.high_V[y])
                axes.grid(False)
            grid[row][0].set_title(f"{name} ({count(len(some))} points shown)")
        return Drawing(figure)


def output_distribution(outputs_A: Array, clipping_A: tuple[float, float] | None) -> Drawing:
    """How often each current was read, on a linear and on a logarithmic count axis."""
    scale, prefix = common_prefix(outputs_A)
    values = outputs_A / scale
    # The tails are the point of this figure, so the bins span all of it.
    edges = np.linspace(values.min(), values.max(), 121) if np.ptp(values) > 0 else 20
    quartiles = np.percentile(values, [25, 50, 75])
    with drawing(2.9) as figure:
        left, right = figure.subplots(1, 2)
        for axes, title in ((left, "Linear count"), (right, "Logarithmic count: the tails")):
            axes.hist(values, bins=edges, color=BLUE, alpha=0.85)
            axes.axvline(quartiles[1], color=INK, linewidth=1.2)
            axes.axvspan(quartiles[0], quartiles[2], color=ORANGE, alpha=0.22, linewidth=0)
            axes.set_xlabel(f"current / {prefix}A")
            axes.set_ylabel("samples")
            axes.set_title(title)
            axes.grid(axis="x", visible=False)
        right.set_yscale("log")
        right.yaxis.set_major_formatter("{x:g}")
        if clipping_A is not None:
            for limit in np.asarray(clipping_A) / scale:
                # A limit far outside the data would only squeeze it.
                if abs(limit) < 1.5 * np.abs(values).max():
                    right.axvline(limit, color=VERMILLION, linestyle="--", linewidth=1.2)
        return Drawing(figure)


def _pairs(electrodes: int) -> list[tuple[int, int]]:
    """Three pairs: the first two, the first and the last, the last two; fewer where they coincide."""
    if electrodes < 2:
        return [(0, 0)]
    wanted = [(0, 1), (0, electrodes - 1), (electrodes - 2, electrodes - 1)]
    return list(dict.fromkeys(wanted))


def _evenly(available: int, wanted: int) -> Array:
    return np.linspace(0, available - 1, min(available, wanted)).round().astype(np.int64)
