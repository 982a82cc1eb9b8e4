"""The direction in which misjudged noise leaves the parameters to go, all of it in silico."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from torch import Tensor

from calibration.device import Array
from calibration.tuning.conjugate_gradients import Solved, conjugate_gradients
from calibration.tuning.noise_slope import Improvement, NoiseSlope
from calibration.tuning.noisy_loss import GaussNewton, Hessian, NoisyLoss

Curvature = Literal["gauss-newton", "hessian"]
CURVATURES: dict[str, type[GaussNewton] | type[Hessian]] = {"gauss-newton": GaussNewton, "hessian": Hessian}


@dataclass(frozen=True, eq=False)
class Direction:
    """d = (H + λI)⁻¹ v: where the noise is Δ above what was assumed, the best parameters are θ - Δ d.

    Attributes:
        slope: with v.
        solved: how d was found.
    """

    slope: NoiseSlope
    solved: Solved

    @classmethod
    def of(
        cls,
        halves: Sequence[NoisyLoss],
        bent: NoisyLoss,
        theta: Array,
        scale: Tensor,
        group: Tensor,
        *,
        step: float,
        curvature: Curvature,
        iterations: int,
        damping: float,
    ) -> Self:
        """At parameters `theta` (n,) and levels `scale` (sources,), for one group of sources.

        Args:
            halves, group, step: see `NoiseSlope.of`.
            bent: the loss whose curvature is taken.
            curvature: which of `CURVATURES`.
            iterations: of the conjugate gradients at most.
            damping: λ, as a share of the curvature along v.
        """
        slope = NoiseSlope.of(halves, theta, scale, group, step)
        product, v = CURVATURES[curvature](bent, theta, scale), slope.direction
        square = float(v @ v)
        stiff = abs(float(v @ product(v))) / square if square > 0.0 else 0.0
        return cls(slope, conjugate_gradients(product, v, iterations, damping * stiff))

    @property
    def d(self) -> Array:
        """The direction, (n,), for a unit of the noise level."""
        return self.solved.solution.numpy()

    def improvement(self, misjudged: float) -> Improvement:
        """Whether going along it must help, if the noise is `misjudged` by so much."""
        steepness, size = float(self.slope.direction @ self.solved.solution), float(np.linalg.norm(self.d))
        return Improvement(
            steepness / size if size > 0.0 else 0.0,
            self.slope.residual,
            self.slope.bend,
            misjudged,
            0.5 * misjudged**2 * steepness,
        )

    def figures(self, misjudged: float) -> dict[str, float]:
        """The improvement condition and its ingredients, and how well d was solved for."""
        improvement = self.improvement(misjudged)
        figures = {
            "slope_norm": self.slope.size,
            "slope_along": improvement.slope,
            "residual_norm": self.slope.residual,
            "bend": self.slope.bend,
            "direction_norm": float(np.linalg.norm(self.d)),
            "misjudged": misjudged,
            "predicted_gain": improvement.gain,
            "improvement_holds": float(improvement.holds),
            "cg_residual": self.solved.residual,
            "negative_curvature": float(self.solved.negative),
        }
        if misjudged:
            figures["improvement_margin"] = improvement.margin
        lowest, highest = improvement.window
        if highest < float("inf"):
            figures |= {"improvement_from": lowest, "improvement_to": highest}
        return figures
