"""What a tuning or a watch looks like at the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text


def tuning_lines(metrics: Mapping[str, Any]) -> Iterator[Text]:
    """A line for each method that was run, and what became of a chip that was kept."""
    for run in metrics.get("tuning", ()):
        test = f", {run['test_score']:.4g} on test examples" if run.get("test_score") is not None else ""
        yield Text(
            f"{run['method']}, seed {run['seed']}: score {run['start_score']:.4g} to {run['best_score']:.4g}{test}, "
            f"loss {run['start_loss']:.4g} to {run['best_loss']:.4g}, {run['readings']:,} readings"
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
