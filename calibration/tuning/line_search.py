"""A search along a line by paired readings of the loss."""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from calibration.tuning.paired import Paired, compared

_CONTRACTED = 0.4
_APART = 0.1  # of the step: a lowest point nearer than that is not worth a reading


@dataclass(frozen=True)
class LineSearch:
    """From 0 a first step either way, doubled while the loss falls, refined once; then a test against 0.

    Attributes:
        doublings: at most.
        significance: probability at most with which a place that is no better than 0 is taken, whatever the number
            of places that were read.
    """

    doublings: int = 3
    significance: float = 0.1

    @property
    def most(self) -> int:
        """Readings of the loss at most."""
        return 4 + self.doublings

    def search(
        self, first: float, *, signed: bool = False, least: float = float("-inf")
    ) -> Generator[float, Tensor, "Searched"]:
        """Yields places, is sent the losses of the same examples there, (samples,); nan for those that failed.

        Args:
            first: step; its sign is tried first, and is the only one if `signed`; then it is shortened once.
            least: lowest place.
        """
        first = max(first, least)
        losses = {0.0: (yield 0.0)}

        def fall(place: float) -> float:
            return compared(losses[place], losses[0.0], 0.5).difference

        best = first
        losses[best] = yield best
        if fall(best) >= 0.0:
            best = _CONTRACTED * first if signed else max(-first, least)
            losses[best] = yield best
        if fall(best) < 0.0:
            for _ in range(self.doublings if len(losses) == 2 or not signed else 0):
                further = max(2.0 * best, least)
                if further == best:
                    break
                losses[further] = yield further
                if fall(further) >= fall(best):
                    break
                best = further
            refined = _lowest({place: fall(place) for place in losses}, best)
            if refined is not None:
                losses[refined] = yield refined
                if fall(refined) < fall(best):
                    best = refined
        level = self.significance / (len(losses) - 1)
        verdict = compared(losses[best], losses[0.0], level)
        return Searched(best if verdict.better else 0.0, verdict, float(losses[0.0].nanmean()), len(losses))


@dataclass(frozen=True)
class Searched:
    """Where it ended.

    Attributes:
        place: of the lowest loss, or 0 where none is better.
        verdict: of the lowest place against 0.
        loss: mean, at 0.
        readings: of the loss.
    """

    place: float
    verdict: Paired
    loss: float
    readings: int


def _lowest(falls: dict[float, float], best: float) -> float | None:
    """The lowest point of the parabola through the best place and its neighbours, if it is a place among them."""
    places = sorted(falls)
    if len(places) < 3:
        return None
    k = min(max(places.index(best), 1), len(places) - 2)
    a, b, c = (torch.tensor(place, dtype=torch.float64) for place in places[k - 1 : k + 2])
    left, right = (falls[float(b)] - falls[float(a)]) / (b - a), (falls[float(c)] - falls[float(b)]) / (c - b)
    bend = (right - left) / (c - a)
    if bend <= 0.0:
        return None
    lowest = float(0.5 * (a + b) - 0.5 * left / bend)
    return lowest if a < lowest < c and abs(lowest - best) > _APART * abs(best) else None
