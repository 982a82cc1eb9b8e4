"""Every figure of a tuning's or a watch's report as plain values."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from hil.page.data import Array
from hil.page.metrics import Metrics, run_metrics
from hil.page.tuning_curves import MethodRuns, by_method, good_enough, recommended
from hil.page.tuning_data import TuningReport, Watch


def tuning_metrics(data: TuningReport) -> Metrics:
    """Every figure of the report; a part that is missing is missing here too."""
    found = run_metrics(data)
    methods = by_method(data.runs)
    if methods:
        enough = good_enough(methods)
        found["methods"] = {one.method: _method(one, enough) for one in methods}
        found["compared"] = {"methods": len(methods), "runs": len(data.runs), "good_enough_score": enough}
        found["recommended"] = asdict(recommended(data.runs))
    if data.wanted_score is not None:
        found["wanted_score"] = data.wanted_score
    if data.watch is not None:
        found["watch"] = watch_metrics(data.watch)
    return found


def _method(one: MethodRuns, enough: float) -> Metrics:
    runs = one.runs
    return {
        "seeds": len(runs),
        "readings": float(np.mean([run.readings for run in runs])),
        **{
            f"{when}_{what}{suffix}": value
            for when, values in (("start", one.start), ("best", one.final))
            for what in ("loss", "score")
            for suffix, value in _mean_and_spread(values(what)).items()
        },
        **{
            f"{what}{suffix}": value
            for what in ("test_score", "seconds", "chip_time_s")
            for suffix, value in _mean_and_spread(_known([getattr(run, what) for run in runs])).items()
        },
        "readings_to_good_enough": one.readings_to(enough),
        "accepted": sum(run.count("accepted") for run in runs),
        "rolled_back": sum(run.count("rolled back") for run in runs),
        "drifted": sum(run.count("drifted") for run in runs),
        "checks": sum(len(run.verdicts) - 1 for run in runs),
    }


def _known(values: Sequence[float | None]) -> Array:
    return np.array([value for value in values if value is not None], dtype=np.float64)


def _mean_and_spread(values: Array) -> dict[str, float | None]:
    return {
        "": float(values.mean()) if values.size else None,
        "_spread": float(values.std(ddof=1)) if values.size > 1 else None,
    }


def watch_metrics(watch: Watch) -> Metrics:
    """The figures of a watch."""
    hourly = ~watch.judges & np.isfinite(watch.score)
    after = hourly & (watch.time_s > watch.time_s[0])
    kept_at = _final_of_each(watch)
    rungs: Metrics = {}
    for one in watch.retunings:
        rung = rungs.setdefault(one.rung, {"tried": 0, "sufficed": 0, "readings": 0, "chip_time_s": 0.0})
        rung["tried"] += 1
        rung["readings"] += one.readings
        rung["chip_time_s"] += one.chip_time_s
    for one, verdict in zip(watch.retunings, np.array(watch.verdicts)[watch.judges], strict=True):
        rungs[one.rung]["sufficed"] += int(verdict == "within")
    retuned = sum(one.readings for one in watch.retunings)
    found: Metrics = {
        "hours": float(watch.time_s[-1] / 3600.0),
        "every_s": watch.every_s,
        "tolerance": watch.tolerance,
        "looks": int((~watch.judges).sum()),
        "out": int(
            sum(v == "out" for v, judge in zip(watch.verdicts, watch.judges, strict=True) if not judge)
        ),
        "failed": watch.verdicts.count("failed"),
        "retunings": len(watch.retunings),
        "rungs": rungs,
        "readings": int(watch.readings[-1]),
        "retuning_readings": retuned,
        "look_readings": int(watch.readings[-1]) - retuned,
        "compared_readings": watch.compared_readings,
        "chip_time_s": watch.chip_time_s,
        "first_score": float(watch.score[0]),
        "first_loss": float(watch.loss[0]),
    }
    for what in ("score", "loss"):
        held, alone = getattr(watch, what), getattr(watch, f"start_{what}")
        both = after & np.isfinite(alone)
        found[f"held_{what}"] = float(held[kept_at][1:].mean()) if kept_at.size > 1 else None
        found[f"last_held_{what}"] = float(held[kept_at][-1])
        found[f"alone_{what}"] = float(alone[both].mean()) if both.any() else None
        found[f"last_alone_{what}"] = float(alone[both][-1]) if both.any() else None
    return found


def _final_of_each(watch: Watch) -> npt.NDArray[np.intp]:
    """Places of the looks after which the chip was left alone: the last one before each wait."""
    last = np.append(~watch.judges[1:], True)
    return np.flatnonzero(last & np.isfinite(watch.score))
