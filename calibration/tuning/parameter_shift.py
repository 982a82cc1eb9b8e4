"""Parameter shift: exact slopes of powers with respect to phases, from two readings far apart."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import PlanError, ReadingFailed
from calibration.tuning.blocks import block, block_size
from calibration.tuning.chain_rule import output_gradient
from calibration.tuning.limits import Limits
from calibration.tuning.method import Answer, Method, Problem, Query, State, Stepped, Steps
from calibration.tuning.task import Rows
from calibration.tuning.updates import Update


@dataclass(frozen=True)
class ParameterShift(Method):
    """Exact slopes of powers: light passes a phase φ once, so its field is a + b exp(jφ) and every power behind linear
    optics is A + B cos(φ + c); hence dP/dφ = [P(φ + π/2) - P(φ - π/2)] / 2 for any φ, without the error of a
    difference and with 2 / step² of its noise's power (Mitarai et al., Phys. Rev. A 98, 032309 (2018), for circuits
    of qubits). The loss need not be linear: dL/dφ = Σ dL/dP dP/dφ, dL/dP at what was read at θ.

    Where it is exact: controls that are angles and turn round, in one mesh or one stack of planes. Behind an
    activation a power is no sinusoid any more of a phase before it, and to go through a network layer by layer one
    would need the phases of the light between the layers, which no power meter gives: a network of several layers
    is refused, unless `only` names phases of its last layer alone, for which all this holds. What a device does not
    tell (crosstalk between phases, layers that it does not expose) shows up in the readings: in each step one
    parameter, another each time, is read at φ + π too, and P(φ) + P(φ + π) = P(φ + π/2) + P(φ - π/2) is demanded
    within the noise, which two readings at θ tell.

    Attributes:
        update: of the parameters; those outside of the step's block have no gradient.
        parameters: how many parameters a step looks at, in turns; 0 for all.
        batch: examples of each reading.
        only: tune controls whose names begin so, and leave the others; all of them if empty.
        crooked: share of the modulation's power that may be no sinusoid.
    """

    name: ClassVar[str] = "parameter-shift"
    update: Update = field(default_factory=lambda: Update(rate=0.03))
    parameters: int = 32
    batch: int = 32
    only: str = ""
    crooked: float = 0.02

    def __post_init__(self) -> None:
        if self.batch < 1 or self.parameters < 0:
            raise PlanError(
                f"batch {self.batch}, parameters {self.parameters}: at least 1, and 0 for all or more"
            )
        if not 0.0 < self.crooked <= 1.0:
            raise PlanError(f"crooked {self.crooked}: a share, above 0 and up to 1")

    def check(self, problem: Problem, device: Device) -> None:
        """Raise PlanError where the rule is not exact; nothing is read."""
        limits = problem.limits
        tuned = self._tuned(limits)
        if not len(tuned):
            raise PlanError(
                f"no control's name begins with {self.only!r}; there are {', '.join(limits.names)}"
            )
        rigid = [limits.names[k] for k in tuned if not math.isfinite(limits.turn[k])]
        if rigid:
            raise PlanError(
                f"{rigid[0]} is no angle that turns round, and {self.name} is exact for those only; state the "
                "limits' turn where the controls are phases, or choose finite-differences"
            )
        if len(device.layers) > 1:
            last = len(device.layers[-1].controls.names)
            names = limits.names[-last:]
            if tuned.min() < len(limits.names) - last:
                raise PlanError(
                    f"{limits.names[tuned.min()]} lies before an activation, behind which powers are no sinusoids of "
                    f"it; choose finite-differences, or set only to the beginning of the last layer's names, which "
                    f"are {names[0]} and on"
                )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        queries = 3 + 2 * block_size(len(self._tuned(problem.limits)), self.parameters)
        return queries * problem.batch_cost(self.batch)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`; raises PlanError where powers turn out to be no sinusoids."""
        limits, rows = problem.limits, problem.batch(number, self.batch)
        quarter = limits.turn / limits.scale / 4.0
        gradient = np.zeros_like(state.theta)
        first = yield Query(state.theta, rows)
        shifted: dict[int, tuple[Answer, Answer]] = {}
        for k in block(problem, number, self.parameters, self._tuned(limits)):
            above = yield Query(_moved(state.theta, k, quarter[k]), rows)
            below = yield Query(_moved(state.theta, k, -quarter[k]), rows)
            shifted[int(k)] = above, below
        again = yield Query(state.theta, rows)
        base, usable = _mean(first, again)
        slopes = output_gradient(problem, base[usable], first.targets[usable])
        placed = torch.zeros_like(base)
        placed[usable] = slopes
        for k, (above, below) in shifted.items():
            both = usable & above.reading.usable & below.reading.usable
            if not bool(both.any()):
                raise ReadingFailed(
                    f"{limits.names[k]}: no sample is usable on both sides; look at the ranges"
                )
            swing = (above.reading.outputs - below.reading.outputs)[both].double() / 2.0
            # half the difference is the slope per rad, and a quarter of a turn is π/2 rad
            share = float(usable.sum()) / float(both.sum())
            gradient[k] = float((placed[both] * swing).sum()) * share * (math.pi / 2.0) / quarter[k]
        one = next(iter(shifted))
        opposite = yield Query(_moved(state.theta, one, 2.0 * quarter[one]), rows)
        bent = _bent(first, again, *shifted[one], opposite)
        if bent > self.crooked:
            raise PlanError(
                f"{limits.names[one]}: powers are no sinusoid of it (share {bent:.2g} of the modulation; "
                f"{self.crooked:g} is allowed): crosstalk, or an activation behind it; choose finite-differences"
            )
        theta, memory = self.update.apply(state.theta, gradient, state.memory, self.update.factor(number))
        figures = {"gradient": float(np.linalg.norm(gradient)), "crooked": bent}
        return Stepped(State(theta, memory), (first.loss + again.loss) / 2.0, figures)

    def _tuned(self, limits: Limits) -> Rows:
        """Places of the controls that are tuned."""
        return np.array(
            [k for k, name in enumerate(limits.names) if name.startswith(self.only)], dtype=np.intp
        )


def _moved(theta: Array, k: int, by: float) -> Array:
    moved = theta.copy()
    moved[k] += by
    return moved


def _mean(one: Answer, other: Answer) -> tuple[Tensor, Tensor]:
    """Mean outputs of two readings (samples, n_out), and which samples are usable in both."""
    usable = one.reading.usable & other.reading.usable
    if not bool(usable.any()):
        raise ReadingFailed("no sample of two readings is usable in both; look at ranges and limits")
    return (one.reading.outputs + other.reading.outputs).double() / 2.0, usable


def _bent(first: Answer, again: Answer, above: Answer, below: Answer, opposite: Answer) -> float:
    """Share of a modulation's power that is no sinusoid, beyond what noise and four standard errors explain."""
    answers = first, again, above, below, opposite
    usable = torch.stack([answer.reading.usable for answer in answers]).all(dim=0)
    if not bool(usable.any()):
        return 0.0
    zero, repeat, up, down, far = (answer.reading.outputs[usable].double() for answer in answers)
    middle, noise = (zero + repeat) / 2.0, (zero - repeat).square() / 2.0
    # where more light is read than at φ the noise may be as much larger
    bright = [max(1.0, float(read.square().mean() / middle.square().mean())) for read in (up, down, far)]
    factor = 0.5 + sum(bright)
    rest = float((middle + far - up - down).square().mean())
    explained = factor * float(noise.mean())
    error = factor * float(noise.std(unbiased=False)) * math.sqrt(2.0 / noise.numel())
    modulation = float(((up - down).square() + (middle - far).square()).mean())
    return min(1.0, max(0.0, rest - explained - 4.0 * error) / max(modulation + explained, 1e-300))
