"""Powers read at known settings, and how far a single reading may be off."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from calibration.device import Array
from calibration.errors import NotEnoughData, PlanError, ShapeError

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PowerNoise:
    """Standard deviation of one reading of a power P: √(floor² + shot · P + (relative · P)²).

    Attributes:
        floor_W: what is left in the dark.
        relative: share of the power, such as the laser's.
        shot_W: variance over power, in W.
    """

    floor_W: float
    relative: float
    shot_W: float = 0.0

    def __post_init__(self) -> None:
        values = (self.floor_W, self.relative, self.shot_W)
        if not all(np.isfinite(value) and value >= 0.0 for value in values) or not self.floor_W > 0.0:
            raise PlanError(
                f"noise of a reading: {self}; the floor must be positive and the rest not negative: "
                "a reading without noise would outweigh all others"
            )

    def std(self, powers: Array) -> Array:
        """For readings or predictions `powers` in W."""
        light = np.maximum(powers, 0.0)
        return np.sqrt(self.floor_W**2 + self.shot_W * light + (self.relative * light) ** 2)

    @classmethod
    def of_repeats(cls, powers: Array, least_W: float = 0.0) -> Self:
        """What repeated readings tell, (repeats, readings) in W: a floor and a relative part, by maximum likelihood.

        Args:
            least_W: the floor is not taken to be lower than this, nor than 1e-6 of the mean power.

        Raises NotEnoughData for fewer than two repeats or readings that are not finite.
        """
        if powers.ndim != 2 or len(powers) < 2 or not np.isfinite(powers).all():
            raise NotEnoughData("the noise of a reading needs at least two finite readings of each power")
        scale = float(np.abs(powers).mean()) or 1.0
        mean, variance = np.maximum(powers.mean(0), 0.0) / scale, powers.var(0, ddof=1) / scale**2
        least = max(least_W / scale, 1e-6) ** 2
        terms = np.stack((np.ones_like(mean), mean**2), axis=1)
        # The variance of a variance grows with its square: weighted anew until the weights are its own.
        found = np.array(
            [max(least, float(np.quantile(variance, 0.1))), float(variance.sum() / terms.sum(0)[1])]
        )
        for _ in range(30):
            weight = 1.0 / (terms @ found)
            found = np.maximum(nnls(terms * weight[:, None], variance * weight)[0], (least, 0.0))
        return cls(scale * float(np.sqrt(found[0])), float(np.sqrt(found[1])))


@dataclass(frozen=True, eq=False)
class PowerReadings:
    """Powers read at S known settings, T inputs each.

    Attributes:
        inputs: what was put in, (S, T, n_in): modulator voltages of a chip, fields of a bare mesh.
        controls: heater voltages of a chip, phases of a bare mesh, (S, n_controls).
        powers: what the detectors read, darks subtracted, (S, T, N) in W.
        usable: which of the readings count, (S, T, N), all by default; never those that are not finite.
    """

    inputs: NDArray[Any]
    controls: Array
    powers: Array
    usable: Mask = field(default_factory=lambda: np.ones((), dtype=bool))

    def __post_init__(self) -> None:
        if self.powers.ndim != 3 or self.inputs.ndim != 3 or self.controls.ndim != 2:
            raise ShapeError(
                "readings need inputs (settings, inputs, n_in), controls (settings, n) and powers (settings, inputs, "
                f"ports), not {self.inputs.shape}, {self.controls.shape} and {self.powers.shape}"
            )
        if not self.inputs.shape[:2] == self.powers.shape[:2] == (len(self.controls), self.powers.shape[1]):
            raise ShapeError(
                f"inputs {self.inputs.shape}, controls {self.controls.shape} and powers {self.powers.shape} are of "
                "different numbers of settings or inputs"
            )
        if not (np.isfinite(self.inputs).all() and np.isfinite(self.controls).all()):
            raise ShapeError("inputs and controls must be finite; only readings may be missing")
        if self.usable.shape not in ((), self.powers.shape):
            raise ShapeError(f"usable is {self.usable.shape}, powers are {self.powers.shape}")
        object.__setattr__(self, "usable", self.usable & np.isfinite(self.powers))

    def __len__(self) -> int:
        return len(self.controls)

    def only(self, settings: NDArray[np.int64]) -> Self:
        """Some of the settings."""
        return replace(
            self,
            inputs=self.inputs[settings],
            controls=self.controls[settings],
            powers=self.powers[settings],
            usable=self.usable[settings],
        )

    def split(self, share: float, seed: int) -> tuple[Self, Self]:
        """Readings to fit to and those to be held out: a share of the settings, at least two of them."""
        held = max(2, round(share * len(self)))
        if not 0.0 < share < 1.0 or held > len(self) - 2:
            raise NotEnoughData(
                f"{len(self)} settings cannot be parted with a share of {share:g} held out; read more settings"
            )
        order = np.random.default_rng((seed, 11)).permutation(len(self))
        return self.only(np.sort(order[held:])), self.only(np.sort(order[:held]))
