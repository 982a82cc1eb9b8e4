"""What a tuning or a watch looks like at the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text


def is_tuning(metrics: Mapping[str, Any]) -> bool:
    """Whether these are the figures of a tuning that has begun."""
    return bool(metrics.get("tuning"))


def tuning_cells(metrics: Mapping[str, Any]) -> tuple[str, str]:
    """What stands in the list of runs: the best score, and the method that came to it."""
    known = [run for run in metrics["tuning"] if run["best_score"] is not None]
    if not known:
        return "", ""
    best = max(known, key=lambda run: run["best_score"])
    return f"score {_figure(best['best_score'])}", best["method"]


def tuning_lines(metrics: Mapping[str, Any]) -> Iterator[Text]:
    """A line for each method that was run, and what became of a chip that was kept."""
    for run in metrics.get("tuning", ()):
        test = f", {_figure(run['test_score'])} on test examples" if run.get("test_score") is not None else ""
        yield Text(
            f"{run['method']}, seed {run['seed']}: score {_figure(run['start_score'])} to "
            f"{_figure(run['best_score'])}{test}, loss {_figure(run['start_loss'])} to {_figure(run['best_loss'])}, "
            f"{run['readings']:,} readings"
        )
    found = metrics.get("report", {})
    if (recommended := found.get("recommended")) is not None:
        yield Text(f"recommended: {recommended['reason']}")
    if (watch := found.get("watch")) is not None:
        what = metrics["keeping"]["watch"]
        alone = watch[f"last_alone_{what}"]
        beside = f", {alone:.4g} left alone" if alone is not None else ""
        yield Text(
            f"kept for {watch['hours']:.1f} h: {what} {watch[f'first_{what}']:.4g} at the start, "
            f"{watch[f'last_held_{what}']:.4g} in the end{beside}; out at {watch['out']} of {watch['looks']} looks"
        )
        for name, rung in watch["rungs"].items():
            yield Text(
                f"{name}: tried {rung['tried']} times, sufficed {rung['sufficed']} times, {rung['readings']:,} readings"
            )


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if 0.99 < value < 1.0 else f"{value:.4g}"  # a fidelity is told by its nines
