"""Picture of a task on the device: the trace with the threshold, and the levels with their margin."""

import numpy as np
from matplotlib.axes import Axes

from hil.page.canvas import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    VERMILLION,
    Drawing,
    common_prefix,
    drawing,
)
from hil.page.data import Task, Trace

SHOWN_PLATEAUS = 12
_WANTED = {0: BLUE, 1: VERMILLION}


def task(shown: Task) -> Drawing:
    """The device's trace for every combination with the threshold, and the level of each combination.

    Colour and the label under each level tell the wanted output; what is not settled is drawn thin and grey.
    """
    levels = [level.mean_A for level in shown.levels]
    scale, prefix = common_prefix(levels, *([shown.trace.current_A] if shown.trace is not None else []))
    with drawing(2.7) as figure:
        if shown.trace is not None and len(shown.trace.time_s):
            left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [2.3, 1]})
            _trace(left, shown, shown.trace, scale)
            left.set_ylabel(f"current / {prefix}A")
        else:
            right = figure.subplots()
            right.set_ylabel(f"current / {prefix}A")
        _levels(right, shown, scale)
        return Drawing(figure)


def _trace(axes: Axes, shown: Task, trace: Trace, scale: float) -> None:
    starts = np.flatnonzero(np.diff(trace.level, prepend=trace.level[0] - 1))
    ends = np.append(starts[1:], len(trace.level))
    plateaus = np.flatnonzero(trace.level[starts] >= 0)[:SHOWN_PLATEAUS]
    if len(plateaus):
        starts, ends = starts[: plateaus[-1] + 1], ends[: plateaus[-1] + 1]
    time_ms = 1e3 * (trace.time_s[: ends[-1]] - trace.time_s[0])
    current = trace.current_A[: ends[-1]] / scale
    axes.plot(time_ms, current, color=GREY, linewidth=0.7)
    for start, end in zip(starts, ends, strict=True):
        which = int(trace.level[start])
        if not 0 <= which < len(shown.levels):
            continue
        level = shown.levels[which]
        settled = np.where(trace.settled[start:end], current[start:end], np.nan)
        axes.plot(time_ms[start:end], settled, color=_WANTED[level.wanted], linewidth=1.8)
        axes.text(
            (time_ms[start] + time_ms[end - 1]) / 2,
            1.01,
            level.combination,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=_WANTED[level.wanted],
        )
        if start:
            axes.axvline(time_ms[start], color=PALE, linewidth=0.7, zorder=0)
    _threshold(axes, shown, scale)
    axes.set_xlim(time_ms[0], time_ms[-1])
    axes.set_xlabel("time / ms")
    axes.grid(axis="x", visible=False)


def _levels(axes: Axes, shown: Task, scale: float) -> None:
    rng = np.random.default_rng(0)
    for x, level in enumerate(shown.levels):
        color = _WANTED[level.wanted]
        if level.repeats_A is not None and len(level.repeats_A):
            jitter = 0.11 * rng.uniform(-1, 1, len(level.repeats_A))
            axes.plot(x + jitter, level.repeats_A / scale, ".", color=color, markersize=4, alpha=0.5)
        axes.errorbar(
            x, level.mean_A / scale, 2 * level.std_A / scale, fmt="_", color=color, markersize=17, capsize=3
        )
        if level.predicted_A is not None:
            axes.plot(
                x + 0.3, level.predicted_A / scale, "D", markerfacecolor="none", color=PURPLE, markersize=5
            )
    _threshold(axes, shown, scale)
    axes.set_xticks(
        range(len(shown.levels)), [f"{level.combination}\n→ {level.wanted}" for level in shown.levels]
    )
    axes.tick_params(axis="x", labelsize=8 if len(shown.levels) <= 8 else 6)
    axes.set_xlim(-0.6, len(shown.levels) - 0.4)
    axes.set_xlabel(f"{', '.join(shown.inputs)} → wanted")
    axes.grid(axis="x", visible=False)


def _threshold(axes: Axes, shown: Task, scale: float) -> None:
    if shown.threshold_A is None:
        return
    threshold = shown.threshold_A / scale
    if shown.margin_A is not None and shown.margin_A > 0:
        margin = shown.margin_A / scale / 2
        axes.axhspan(threshold - margin, threshold + margin, color=ORANGE, alpha=0.13, linewidth=0)
    axes.axhline(threshold, color=INK, linestyle="--", linewidth=1.1)
