"""A spatial light modulator: liquid crystal on silicon, one retardance per pixel.

It speaks no bytes: frames are its interface, which `simulators.frames` gives to whoever opens it. A frame that was
taken appears at the next refresh, the last one taken before it; from then on every pixel relaxes exponentially to the
retardance of its level, stroke · (level / last)^gamma. The figures are of the order of data sheets', not quoted from
them.
"""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simulators.clock import VirtualClock
from simulators.instruments.path import Array
from simulators.instruments.terminals import Terminals
from simulators.quantity import parse

Frame = NDArray[np.uint16]
SETTLED_rad = 1e-4
"""A pixel nearer than this to where it goes is there."""


class Slm:
    """The modulator; it shows level 0 everywhere when it is switched on.

    Args:
        rows, columns: its pixels.
        levels: of each pixel.
        refresh: how often a frame is taken from the computer's, with its unit.
        response: time constant of the liquid crystal, with its unit.
        stroke: retardance of the last level beyond that of the first, with its unit.
        gamma: exponent of the curve from level to retardance.

    Raises:
        ValueError: an option that is no such thing.
    """

    title: ClassVar[str] = "Spatial light modulator: liquid crystal, 8 bits and other, for frames"

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        rows: int = 1080,
        columns: int = 1920,
        levels: int = 256,
        refresh: str = "60 Hz",
        response: str = "3 ms",
        stroke: str = "6.283 rad",
        gamma: float = 1.0,
    ) -> None:
        for name, value in (("rows", rows), ("columns", columns), ("levels", levels)):
            if not isinstance(value, int) or not 1 <= value <= 65536:
                raise ValueError(f"{name} is {value!r}; it is a whole number from 1 to 65536")
        if levels < 2:
            raise ValueError(f"levels is {levels}; a pixel has two at least")
        self.clock, self.serial = clock, serial
        self.shape, self.levels = (rows, columns), levels
        self.refresh_Hz = _positive("refresh", parse(refresh, "Hz")) / (1.0 + clock_error)
        self.response_s = _positive("response", parse(response, "s"))
        stroke_rad = _positive("stroke", parse(stroke, "rad"))
        self.retardance_rad = stroke_rad * np.linspace(0.0, 1.0, levels) ** _positive("gamma", gamma)
        self._from = self._to = np.zeros(self.shape)
        self._since_s = -math.inf
        self._taken: tuple[float, Array] | None = None
        self.shows = 0
        """Frames taken so far."""
        self.terminals = Terminals()

    @property
    def settling_s(self) -> float:
        """A refresh, and what the largest step takes to half a level of a linear table."""
        return 1.0 / self.refresh_Hz + self.response_s * math.log(2.0 * self.levels)

    def take(self, frame: Frame) -> None:
        """Take a frame for the next refresh; one that was taken for the same refresh is never seen.

        Raises ValueError for a frame of another shape or with other levels.
        """
        if frame.shape != self.shape or frame.max(initial=0) >= self.levels:
            raise ValueError(
                f"a frame of {frame.shape} with levels up to {frame.max(initial=0)} where {self.shape} and "
                f"{self.levels} levels are needed"
            )
        now_s = self.clock.now
        self._appear(now_s)
        appears_s = (math.floor(now_s * self.refresh_Hz + 1e-9) + 1) / self.refresh_Hz
        self._taken = appears_s, self.retardance_rad[frame]
        self.shows += 1

    def retardances(self, instant: float) -> Array:
        """Retardance of every pixel in rad at an instant not before the last one asked for, (rows, columns)."""
        self._appear(instant)
        return self._at(instant)

    def changes_after(self, instant: float) -> float:
        """How far a pixel will still go in rad, a frame that is about to appear included."""
        self._appear(instant)
        left = float(np.abs(self._from - self._to).max()) * self._share_left(instant)
        return left if self._taken is None else math.inf

    def _appear(self, instant: float) -> None:
        if self._taken is not None and self._taken[0] <= instant:
            appeared_s, target = self._taken
            self._from, self._to, self._since_s, self._taken = self._at(appeared_s), target, appeared_s, None

    def _share_left(self, instant: float) -> float:
        return math.exp(-max(instant - self._since_s, 0.0) / self.response_s)

    def _at(self, instant: float) -> Array:
        return self._to + (self._from - self._to) * self._share_left(instant)


def _positive(name: str, value: float) -> float:
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} is {value!r}; it is positive")
    return float(value)
