"""The best controls that earlier runs found."""

import json
import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tuned:
    """Controls that an earlier run found best, and the score that they had."""

    file: Path
    score: float


def best_of(run: Path) -> Tuned | None:
    """The best controls of all methods of a tuning run; None of a folder that has none."""
    found = []
    for file in sorted((run / "best").glob("*-*.json")):
        score = json.loads(file.read_text(encoding="utf-8"))["score"]
        if score is not None and math.isfinite(score):
            found.append(Tuned(file, score))
    return max(found, key=lambda one: one.score, default=None)


def newest_tuned(runs: Path, name: str) -> Tuned | None:
    """The best controls of the newest tuning run of an experiment's name in the folder `runs`."""
    for folder in sorted(runs.glob(f"*-{name}"), reverse=True):
        if (best := best_of(folder)) is not None:
            return best
    return None
