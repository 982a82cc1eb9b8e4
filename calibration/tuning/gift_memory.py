"""What GIFT remembers from one step to the next, as arrays."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from calibration.device import Array
from calibration.tuning.line_search import Searched

SHRUNK = 0.4
"""Of a step, after a round in which nothing better was found."""


@dataclass(frozen=True, eq=False)
class GiftMemory:
    """What is remembered between steps.

    Attributes:
        level: present factor on the noise levels, (groups,).
        step: next step in it, (groups,).
        known: whether the step's sign is, (groups,).
        estimated: what repeated readings told, (groups,); nan where they did not.
        path: norm of the parameters and levels where a round ended, (places, 1 + groups): the norm tells the places
            apart when parameters are put back.
        turn: group whose turn it is.
        rounds: done.
        asked: whether readings were repeated.
    """

    level: Array
    step: Array
    known: Array
    estimated: Array
    path: Array
    turn: int
    rounds: int
    asked: bool

    @classmethod
    def started(cls, count: int, level: float, step: float, theta: Array) -> Self:
        """Before the first step, for `count` groups at one level."""
        place = np.concatenate(([np.linalg.norm(theta)], np.full(count, level)))[None]
        return cls(
            np.full(count, level),
            np.full(count, step),
            np.zeros(count),
            np.full(count, math.nan),
            place,
            turn=0,
            rounds=0,
            asked=False,
        )

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Self:
        """From `arrays`."""
        turn, rounds, asked = arrays["counts"]
        known = {key: arrays[key] for key in ("level", "step", "known", "estimated", "path")}
        return cls(**known, turn=int(turn), rounds=int(rounds), asked=bool(asked))

    def arrays(self) -> dict[str, Array]:
        """By name, for `State.memory`."""
        arrays = {key: getattr(self, key) for key in ("level", "step", "known", "estimated", "path")}
        return arrays | {"counts": np.array([self.turn, self.rounds, self.asked], dtype=np.float64)}

    def told(self, k: int) -> float:
        """The noise level of group `k` that repeated readings told; nan where they did not."""
        return float(self.estimated[k])

    def first(self, k: int, finest: float) -> tuple[float, bool]:
        """The first step of a line search, in s, or in s² where s is 0; and whether its sign is known.

        Args:
            k: group.
            finest: a difference from the level that is no difference, as a share of it.
        """
        level, step, told = float(self.level[k]), float(self.step[k]), self.told(k)
        if level == 0.0:
            return (min(told, abs(step)) if told > 0.0 else step) ** 2, True
        if self.known[k]:
            return step, True
        if math.isnan(told):
            return step, False
        apart, least = told - level, finest * level
        return math.copysign(min(max(abs(apart), least), abs(step)), apart), abs(apart) > least

    def misjudged(self, k: int, place: float) -> float:
        """By how much the noise is above what is assumed now, in s, or in s² where that is 0.

        As repeated readings told, else as the line search that ended at `place`.
        """
        level, told = float(self.level[k]), self.told(k)
        if math.isnan(told):
            return place
        return told**2 if level == 0.0 else told - level

    def back(self, theta: Array) -> Self:
        """At a place that was reached before: with the levels that belonged to it, and shorter steps."""
        k = int(np.argmin(np.abs(self.path[:, 0] - np.linalg.norm(theta))))
        return replace(self, level=self.path[k, 1:], path=self.path[: k + 1], step=SHRUNK * self.step)

    def after(self, k: int, found: Searched, variance: bool, tried: float, stride: float) -> Self:
        """After a line search for group `k` that took its first step `tried`.

        Where it found something lower, but too little to be told, the next may find more of it; else it is shorter.
        """
        place, lower = found.place, found.verdict.difference < 0.0
        level, step, known = self.level.copy(), self.step.copy(), self.known.copy()
        if place:
            level[k] = math.sqrt(place) if variance else level[k] + place
            taken = level[k] if variance else place
            whole = abs(place) >= abs(tried)
            step[k] = math.copysign(max(abs(taken), stride * level[k]), taken) if whole else taken
            known[k] = 1.0
        elif not lower:
            step[k] = SHRUNK * (math.sqrt(tried) if variance else tried)
        turn = (self.turn + 1) % len(level)
        return replace(self, level=level, step=step, known=known, turn=turn, rounds=self.rounds + 1)

    def reached(self, theta: Array) -> Self:
        """With one more place on the path."""
        place = np.concatenate(([np.linalg.norm(theta)], self.level))
        return replace(self, path=np.vstack((self.path, place)))
