"""How the training gradient changes with the noise level, and whether going against it must help."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from calibration.device import Array
from calibration.tuning.noisy_loss import NoisyLoss


@dataclass(frozen=True, eq=False)
class NoiseSlope:
    """The training gradient near one noise level u: ∇J(θ, u + Δ) = g + Δ v + O(K Δ²/2).

    u is the factor s on the levels, or, at s = 0, its square: there J has no slope in s but one in the variance
    (Price's theorem: ∂/∂s² E f(s ξ) = E f''(s ξ) / 2).

    Attributes:
        direction: v, (n,).
        size: ‖v‖.
        residual: ‖g‖, what training has left.
        bend: K, the norm of the second derivative.
        variance: whether u is s².

    The norms are roots of the inner products of independent estimates, so that what is random in them does not add.
    """

    direction: Tensor
    size: float
    residual: float
    bend: float
    variance: bool

    @classmethod
    def of(
        cls, halves: Sequence[NoisyLoss], theta: Array, scale: Tensor, group: Tensor, step: float
    ) -> "NoiseSlope":
        """Differences of gradients with common random numbers.

        Args:
            halves: two losses with examples and noise of their own.
            theta: parameters, (n,).
            scale: s of each source, (sources,); one value within the group.
            group: 1 for the sources that are scaled together, else 0, (sources,).
            step: h; central differences at s (1 ± h), and [∇J(h²) - ∇J(0)] / h² where s = 0.
        """
        level = float((scale * group).max())
        slopes, bends, gradients = [], [], []
        for half in halves:
            here = half.gradient(theta, scale)
            if level > 0.0:
                apart = step * level
                above = half.gradient(theta, scale + apart * group)
                below = half.gradient(theta, scale - apart * group)
                slopes.append((above - below) / (2.0 * apart))
                bends.append((above - 2.0 * here + below) / apart**2)
            else:
                apart = step**2
                above = half.gradient(theta, scale + step * group)
                twice = half.gradient(theta, scale + math.sqrt(2.0) * step * group)
                slopes.append((above - here) / apart)
                bends.append((twice - 2.0 * above + here) / apart**2)
            gradients.append(here)
        return cls(
            torch.stack(slopes).mean(dim=0), _norm(slopes), _norm(gradients), _norm(bends), level == 0.0
        )


def _norm(estimates: Sequence[Tensor]) -> float:
    one, other = estimates
    return math.sqrt(max(float(one @ other), 0.0))


@dataclass(frozen=True)
class Improvement:
    """When a step against d must lower the true loss, and by how much it should.

    With ‖g‖ ≤ ε at the assumed level and K a bound of ‖d²∇J/du²‖ up to the true one, Δ away,

        sign(Δ) ⟨∇J(θ, u + Δ), d⟩ ≥ |Δ| ⟨v, d⟩ - (K Δ²/2 + ε) ‖d‖,

    so -sign(Δ) d descends wherever ⟨v, d⟩/‖d‖ > K |Δ|/2 + ε/|Δ|: the noise must be misjudged by enough to outweigh
    what training has left, and by little enough to stay linear. For d = v the left side is ‖v‖. The derivation is
    ours; that GIFT has formal conditions is said in the abstract of arXiv 2506.22122, not which.

    Attributes:
        slope: ⟨v, d⟩/‖d‖.
        residual, bend: ε and K; here taken at the assumed level.
        misjudged: Δ.
        gain: fall of the loss to second order, Δ² ⟨v, d⟩/2 for d = (H + λI)⁻¹ v.
    """

    slope: float
    residual: float
    bend: float
    misjudged: float
    gain: float

    @property
    def margin(self) -> float:
        """Left side less right side; positive where the condition holds."""
        apart = abs(self.misjudged)
        return self.slope - 0.5 * self.bend * apart - self.residual / apart if apart > 0.0 else -math.inf

    @property
    def holds(self) -> bool:
        """Whether the step must help, if K bounds the curvature all the way."""
        return self.margin > 0.0

    @property
    def window(self) -> tuple[float, float]:
        """The |Δ| between which the condition holds; both nan where it holds for none."""
        square = self.slope**2 - 2.0 * self.bend * self.residual
        if square <= 0.0 or self.slope <= 0.0:
            return math.nan, math.nan
        if self.bend == 0.0:
            return self.residual / self.slope, math.inf
        root = math.sqrt(square)
        return (self.slope - root) / self.bend, (self.slope + root) / self.bend
