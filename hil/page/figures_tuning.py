"""Pictures of tunings and of a watch: score and loss against readings, and the hours of a chip that was kept."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hil.page.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILLION,
    Drawing,
    drawing,
)
from hil.page.data import Array
from hil.page.tuning_curves import MethodRuns, grid_of
from hil.page.tuning_data import TuningRun, Watch

_COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, INK, GREY)
_LINES = ("-", "--", "-.", ":")
_WIDE = 30.0  # budgets apart by more than this are shown on a logarithmic scale
_HOUR_s = 3600.0


def against_readings(
    methods: Sequence[MethodRuns],
    what: Literal["loss", "score"],
    name: str,
    wanted: float | None = None,
) -> Drawing:
    """Mean over the seeds of the best so far against the device's readings, with their spread as a band."""
    runs = [run for one in methods for run in one.runs]
    grid = grid_of(runs)
    with drawing(4.2 if what == "score" else 3.2) as figure:
        axes = figure.subplots()
        start = float(np.mean([getattr(run, what)[0] for run in runs]))
        axes.axhline(start, color=GREY, linewidth=1.0, linestyle=":", label="start")
        if wanted is not None:
            axes.axhline(wanted, color=INK, linewidth=1.0, linestyle="--", label="asked for")
        for place, one in enumerate(methods):
            color, line = _COLOURS[place % len(_COLOURS)], _LINES[place // len(_COLOURS) % len(_LINES)]
            mine = grid[grid <= max(max(run.readings, run.at[-1]) for run in one.runs)]
            band = one.band(what, mine)
            axes.fill_between(
                mine,
                band.mean - band.spread,
                band.mean + band.spread,
                step="post",
                color=color,
                alpha=0.16,
                lw=0,
            )
            axes.step(mine, band.mean, where="post", color=color, linestyle=line, label=_named(one))
            axes.plot(mine[-1], band.mean[-1], "o", color=color, markersize=4)
        _readings_axis(axes, runs)
        axes.set_ylabel(name)
        if what == "loss" and _spans(np.concatenate([run.loss for run in runs])):
            axes.set_yscale("log")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return Drawing(figure)


def _named(one: MethodRuns) -> str:
    return one.method if len(one.runs) == 1 else f"{one.method} ({len(one.runs)} seeds)"


def _spans(values: Array) -> bool:
    positive = values[np.isfinite(values)]
    return bool(positive.min() > 0 and positive.max() / positive.min() > _WIDE)


def _readings_axis(axes: Axes, runs: Sequence[TuningRun]) -> None:
    first = min(run.at[1] for run in runs if len(run.at) > 1) if any(len(run.at) > 1 for run in runs) else 1.0
    last = max(max(run.readings, run.at[-1]) for run in runs)
    if last / max(first, 1.0) > _WIDE:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " ")))
    axes.set_xlabel("readings of the device")


def hours(watch: Watch, name: str) -> Drawing:
    """What is watched through the hours, kept and left alone; below, the readings that it took."""
    at = watch.time_s / _HOUR_s
    kept, alone = getattr(watch, watch.watch), getattr(watch, f"start_{watch.watch}")
    rungs = list(dict.fromkeys(one.rung for one in watch.retunings))
    colours = dict(zip(rungs, (ORANGE, GREEN, PURPLE, SKY, INK), strict=False))
    with drawing(5.2) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1.0))
        sign = -1.0 if watch.watch == "score" else 1.0
        limit = kept[0] + sign * watch.tolerance
        above.axhline(limit, color=GREY, linewidth=1.0, linestyle="--", label="tolerance")
        there = np.isfinite(alone)
        above.plot(
            at[there], alone[there], "s-", color=VERMILLION, markersize=3, alpha=0.8, label="left alone"
        )
        read = np.isfinite(kept)
        above.plot(at[read], kept[read], "o-", color=BLUE, markersize=3.5, label="kept")
        out = read & np.array([verdict == "out" for verdict in watch.verdicts])
        above.plot(
            at[out],
            kept[out],
            "o",
            color="white",
            markeredgecolor=BLUE,
            markersize=5.5,
            label="out of tolerance",
        )
        above.set_ylabel(name)
        below.step(at, watch.readings, where="post", color=BLUE)
        for one in watch.retunings:
            above.axvline(one.time_s / _HOUR_s, color=PALE, linewidth=2.0, zorder=0)
        ends = watch.readings[watch.judges]
        for rung in rungs:
            mine = [k for k, one in enumerate(watch.retunings) if one.rung == rung]
            below.plot(
                at[watch.judges][mine],
                ends[mine],
                "o",
                color=colours.get(rung, GREY),
                markersize=5,
                label=rung,
            )
        below.set_ylabel("readings")
        below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " ")))
        below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        below.set_xlabel("time / h")
        below.set_xlim(left=0.0)
        above.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        if rungs:
            below.legend(
                loc="center left", bbox_to_anchor=(1.0, 0.5), title="re-tuned by", title_fontsize=8.5
            )
        figure.align_ylabels([above, below])
        return Drawing(figure)
