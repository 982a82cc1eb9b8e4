"""Whole reports of a tuning and of a watch with plausible data, nothing of it from a chip."""

from typing import Any

import numpy as np

from hil.page.data import Criterion, Run, Step
from hil.page.tuning_data import TuningReport, TuningRun, Watch

RUN = Run(
    "tuning",
    "runs/tuning",
    "2026-01-01T00:00:00+00:00",
    1,
    "mesh chip",
    (Step("tune", "done", 63.0),),
    {"laser": "SANTEC,TSL-570"},
    {"python": "3.11"},
)
FINAL = {"spsa": (0.93, 9000.0), "gift": (0.90, 600.0), "pat": (0.945, 3000.0), "dat": (0.948, 6000.0)}
"""By method, the score that it tends to and the readings within which it does."""


def run_figures(method: str, seed: int) -> dict[str, Any]:
    """What metrics.json holds of one run."""
    rng = np.random.default_rng((seed, len(method)))
    best, scale = FINAL[method]
    at = np.arange(1, 12) * 1800
    score = 0.62 + (best - 0.62) * (1.0 - np.exp(-(at - 1800.0) / scale)) + 0.004 * rng.standard_normal(11)
    score = np.maximum.accumulate(score)
    verdicts = ["start", *("accepted" if up > 0 else "kept" for up in np.diff(score))]
    verdicts[4] = "rolled back"
    return {
        "method": method,
        "seed": seed,
        "readings": 20_000,
        "curve": [
            {
                "readings": int(a),
                "loss": float(1.6 * (1.0 - s)),
                "score": float(s),
                "score_error": 0.004,
                "verdict": v,
            }
            for a, s, v in zip(at, score, verdicts, strict=True)
        ],
        "start_loss": 0.6,
        "best_loss": float(1.6 * (1.0 - score[-1])),
        "start_score": float(score[0]),
        "best_score": float(score[-1]),
        "test_score": float(score[-1] - 0.01),
        "seconds": 12.0 + seed,
        "chip_time_s": 400.0,
    }


def tuned(run: Run = RUN, seeds: int = 3) -> TuningReport:
    """Four methods with some seeds each."""
    runs = tuple(TuningRun.of(run_figures(method, seed)) for method in FINAL for seed in range(seeds))
    line = Criterion("score of the best method", 0.948, 0.94, "", "≥", True)
    return TuningReport(run, (line,), "two clusters", "accuracy", runs, 0.94)


def watch_figures() -> dict[str, Any]:
    """What metrics.json holds of a watch of half a day."""
    rng, looks, readings = np.random.default_rng(5), [], 0

    def look(hour: float, verdict: str, score: float, **more: Any) -> None:
        looks.append(
            {
                "time_s": 3600.0 * hour,
                "readings": readings,
                "verdict": verdict,
                "loss": 1.5 * (1.0 - score),
                "score": score,
                "fall": 0.94 - score,
                "error": 0.01,
                "gain": [1.0, 0.99],
                "offset": [0.0, 0.0],
                "residual": [0.01, 0.02],
                "start_loss": None,
                "start_score": None,
                "retuning": None,
                **more,
            }
        )

    score = 0.94
    for hour in range(13):
        readings += 200
        score -= 0.012 * (hour > 0) * rng.random() * 2.0
        out = score < 0.91
        alone = 0.94 - 0.02 * hour
        look(hour, "start" if not hour else "out" if out else "within", score,
             start_score=alone, start_loss=1.5 * (1.0 - alone))  # fmt: skip
        if out:
            for rung, cost, gain in (("readout", 200, 0.001), ("spsa", 4000, 0.03)):
                before, began = score, 3600.0 * hour
                readings += cost + 200
                score += gain
                retuning = {
                    "rung": rung,
                    "time_s": began,
                    "readings": cost,
                    "chip_time_s": cost / 50.0,
                    "loss_before": 1.5 * (1.0 - before),
                    "loss_after": 1.5 * (1.0 - score),
                    "score_before": before,
                    "score_after": score,
                    "failed": "",
                }
                look(hour + 0.02, "out" if rung == "readout" else "within", score, retuning=retuning)
    looks.append({**looks[-1], "time_s": 3600.0 * 12.9, "verdict": "failed", "loss": None, "score": None,
                  "retuning": None, "residual": []})  # fmt: skip
    return {
        "looks": looks,
        "watch": "score",
        "tolerance": 0.03,
        "every_s": 3600.0,
        "compared_readings": 1200,
        "chip_time_s": 300.0,
    }


def kept(run: Run = RUN) -> TuningReport:
    """A chip that was kept for half a day."""
    return TuningReport(run, (), "two clusters", "accuracy", watch=Watch.of(watch_figures()))
