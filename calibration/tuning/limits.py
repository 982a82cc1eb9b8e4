"""Where the parameters of a chip may be: the coordinates in which methods step."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Channels
from calibration.errors import OutsideLimits, PlanError


@dataclass(frozen=True, eq=False)
class Limits:
    """Parameters θ = (controls - origin) / scale, and the range that each may have.

    Methods step in θ, where a step of one size suits every parameter; what they ask for is projected: an angle that
    turns round comes in again at the other end, everything else stops at its limit. So no control leaves its range,
    whatever a method asks for.

    Attributes:
        names: of the controls.
        low, high: of the controls, (n,), in their unit.
        origin, scale: (n,), in the controls' unit.
        turn: the period of controls that are angles, in their unit, and inf for others, (n,).
    """

    names: tuple[str, ...]
    low: Array
    high: Array
    origin: Array
    scale: Array
    turn: Array

    def __post_init__(self) -> None:
        n = len(self.names)
        for key in ("low", "high", "origin", "scale", "turn"):
            if getattr(self, key).shape != (n,):
                raise PlanError(f"limits: {key} has shape {getattr(self, key).shape} for {n} controls")
        wrong = ~((self.low <= self.high) & (self.scale > 0.0) & (self.turn > 0.0))
        if wrong.any():
            k = int(np.argmax(wrong))
            raise PlanError(
                f"{self.names[k]}: low {self.low[k]:g}, high {self.high[k]:g}, scale {self.scale[k]:g}; low should "
                "not be above high, and the scale should be positive"
            )

    @classmethod
    def of(
        cls,
        controls: Channels,
        *,
        scale: float | Array | None = None,
        turn: float | None = None,
        low: Array | None = None,
        high: Array | None = None,
    ) -> Self:
        """The limits of a device's controls.

        Args:
            controls: of the device.
            scale: of a step; by default a control's range where it is finite, and 1 otherwise.
            turn: the period, where all controls are angles; their unit is then the scale's default. A control
                whose range is shorter than the period stops at its ends.
            low, high: narrower limits, (n,).

        Raises:
            PlanError: limits wider than the device's.
        """
        n = len(controls.names)
        least, most = controls.low if low is None else low, controls.high if high is None else high
        wide = (least < controls.low) | (most > controls.high)
        if wide.any():
            k = int(np.argmax(wide))
            raise PlanError(
                f"{controls.names[k]}: limits {least[k]:g} to {most[k]:g} {controls.unit} are wider than the "
                f"device's, {controls.low[k]:g} to {controls.high[k]:g}; narrow them"
            )
        span = most - least
        if scale is None:
            scale = np.where(np.isfinite(span) & (span > 0.0) & (turn is None), span, 1.0)
        whole = np.full(n, False) if turn is None else span >= turn * (1.0 - 1e-9)
        bounded = np.isfinite(least) & (turn is None)
        return cls(
            names=tuple(controls.names),
            low=least,
            high=most,
            origin=np.where(bounded, least, 0.0),
            scale=np.broadcast_to(np.asarray(scale, dtype=np.float64), (n,)).copy(),
            turn=np.where(whole, np.inf if turn is None else turn, np.inf),
        )

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest parameters, each (n,); infinite for angles that turn round."""
        ends = [(end - self.origin) / self.scale for end in (self.low, self.high)]
        turns = np.isfinite(self.turn)
        return np.where(turns, -np.inf, ends[0]), np.where(turns, np.inf, ends[1])

    def project(self, theta: Array) -> Array:
        """The nearest allowed parameters, (..., n)."""
        controls = self.origin + self.scale * np.asarray(theta, dtype=np.float64)
        turn = np.where(np.isfinite(self.turn), self.turn, 1.0)
        wrapped = self.low + np.mod(controls - self.low, turn)
        inside = np.clip(np.where(np.isfinite(self.turn), wrapped, controls), self.low, self.high)
        return np.asarray((inside - self.origin) / self.scale)

    def inside(self, theta: Array, reach: float) -> Array:
        """The nearest parameters (n,) from which a step of `reach` up or down is allowed; angles stay as they are.

        Where a range is shorter than twice the reach, its middle.
        """
        least, most = (self.low - self.origin) / self.scale, (self.high - self.origin) / self.scale
        room = np.minimum(reach, (most - least) / 2.0)
        stopped = np.clip(theta, least + room, np.maximum(most - room, least + room))
        return np.asarray(np.where(np.isfinite(self.turn), theta, stopped))

    def beside(self, theta: Array, other: Array) -> Array:
        """The same parameters (n,), angles by as many whole turns further as brings them nearest to `other` (n,)."""
        turn = np.where(np.isfinite(self.turn), self.turn / self.scale, np.inf)
        return np.asarray(theta + np.where(np.isfinite(turn), turn, 0.0) * np.rint((other - theta) / turn))

    def controls(self, theta: Array) -> Array:
        """Controls (..., n) in their unit, inside their limits whatever `theta` (..., n) is."""
        return np.clip(self.origin + self.scale * self.project(theta), self.low, self.high)

    def tensor(self, theta: Tensor) -> Tensor:
        """`controls` of a tensor, differentiable as if there were no limits."""
        with torch.no_grad():
            inside = torch.as_tensor(self.controls(theta.detach().cpu().numpy())).to(theta)
        free = torch.as_tensor(self.origin).to(theta) + torch.as_tensor(self.scale).to(theta) * theta
        return free + (inside - free).detach()

    def theta(self, controls: Array) -> Array:
        """The parameters of `controls` (n,).

        Raises OutsideLimits, naming the control, for a value outside its range.
        """
        values = np.asarray(controls, dtype=np.float64)
        if values.shape != self.low.shape:
            raise OutsideLimits(f"{values.shape} start values for {len(self.names)} controls")
        wrong = ~((values >= self.low) & (values <= self.high))
        if wrong.any():
            k = int(np.argmax(wrong))
            raise OutsideLimits(
                f"{self.names[k]}: the start, {values[k]:g}, is outside its limits, {self.low[k]:g} to "
                f"{self.high[k]:g}; start inside, or widen them"
            )
        return np.asarray((values - self.origin) / self.scale)
