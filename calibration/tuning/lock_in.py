"""Lock-in extraction: slopes of the outputs with respect to all controls at once, from one trace for each input."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import PlanError
from calibration.tuning.asking import Reading
from calibration.tuning.blocks import block, block_size
from calibration.tuning.chain_rule import output_gradient
from calibration.tuning.dither import Dither
from calibration.tuning.method import (
    Answer,
    Method,
    Problem,
    Query,
    State,
    Stepped,
    Steps,
    answered,
)
from calibration.tuning.task import Rows
from calibration.tuning.updates import Update


@dataclass(frozen=True)
class LockIn(Method):
    """Homodyne gradient extraction (Boon et al., Nat. Commun. (2025), arXiv 2105.11233): with the inputs held, each
    control is dithered with a sine of its own frequency, all at the same time; the output, demodulated at each of
    them, is dI/dV_k, and dL/dV_k = Σ dL/dI dI/dV_k, dL/dI at the mean of the trace.

    Which frequencies: see `calibration.tuning.dither`. The controls become fast channels for it; the device joins
    the traces by its own ramps. Where a control is nearer to a limit than its amplitude, the tone is moved inside;
    where its range is too short for it, the amplitude is reduced.

    Attributes:
        update: of the parameters; those that are not dithered have no gradient.
        dither: amplitude of the tones, in the parameters' scale.
        window: samples of each trace that are demodulated, an even number; at 1 kHz the default is ten periods of
            the mains at 50 Hz, and twelve at 60 Hz.
        lead: samples before them that are not: for what the chip remembers of the ramp.
        parameters: how many parameters are dithered in a step, in turns; 0 for all.
        batch: examples, each one a trace.
        mains_Hz: no tone is near it or its multiples.
    """

    name: ClassVar[str] = "lock-in"
    update: Update = field(default_factory=lambda: Update(rate=0.03))
    dither: float = 0.05
    window: int = 200
    lead: int = 1
    parameters: int = 0
    batch: int = 16
    mains_Hz: float = 50.0

    def __post_init__(self) -> None:
        if self.batch < 1 or self.parameters < 0 or self.lead < 0:
            raise PlanError(
                f"batch {self.batch}, parameters {self.parameters}, lead {self.lead}: at least 1, 0 and 0"
            )
        if self.window < 8 or self.window % 2:
            raise PlanError(f"window {self.window}: an even number of samples, 8 at least")
        if not 0.0 < self.dither < math.inf or not 0.0 <= self.mains_Hz < math.inf:
            raise PlanError(f"dither {self.dither}, mains_Hz {self.mains_Hz}: positive, and not negative")

    def check(self, problem: Problem, device: Device) -> None:
        """Raise PlanError where the window has no room for the tones, or the lead none for settling."""
        n = block_size(len(problem.limits.names), self.parameters)
        # the slowest controls are those for which room is scarcest
        slowest = np.argsort(device.controls.max_slew / problem.limits.scale, kind="stable")[:n]
        self._query(problem.limits.origin, np.arange(1), slowest).plan(problem, device)
        view = device.with_inputs((*device.inputs.names, *device.controls.names))
        needed = math.ceil(view.inputs.settling_s * view.sample_rate_Hz * (1.0 - 1e-12))
        if self.lead < needed:
            raise PlanError(
                f"lead {self.lead}: the chip takes {needed} samples at {view.sample_rate_Hz:g} samples/s to settle"
            )

    def cost(self, problem: Problem) -> int:
        """See `Method`."""
        return min(self.batch, len(problem.task.training)) * (self.lead + self.window)

    def step(self, problem: Problem, state: State, number: int) -> Steps:
        """See `Method`."""
        some = np.sort(block(problem, number, self.parameters))
        query = self._query(state.theta, problem.batch(number, self.batch), some)
        answer = yield query
        if not isinstance(answer, Dithered):
            raise PlanError("a dithered query was not answered by one")
        usable = answer.reading.usable
        slopes = output_gradient(problem, answer.reading.outputs[usable], answer.targets[usable])
        gradient = np.zeros_like(state.theta)
        along = torch.einsum("po,pok->k", slopes, answer.slopes[usable])
        gradient[some] = along.numpy() * problem.limits.scale[some]
        theta, memory = self.update.apply(state.theta, gradient, state.memory, self.update.factor(number))
        figures = {"gradient": float(np.linalg.norm(gradient)), "lag": answer.lag}
        return Stepped(State(theta, memory), answer.loss, figures)

    def _query(self, theta: Array, rows: Rows, some: Rows) -> "DitherQuery":
        return DitherQuery(theta, rows, some, self.dither, self.window, self.lead, self.mains_Hz)


@dataclass(frozen=True, eq=False)
class Dithered(Answer):
    """An answer with slopes; its outputs are the means of the traces.

    Attributes:
        slopes: of the outputs with respect to the dithered controls, (samples, n_out, dithered), per unit of control.
        lag: mean square of what lags by a quarter of a cycle, as a share of what is in phase: small where the chip
            follows the tones.
    """

    slopes: Tensor
    lag: float


@dataclass(frozen=True, eq=False)
class DitherQuery(Query):
    """Examples whose every one is read while `some` parameters are dithered.

    Attributes:
        some: places of the dithered parameters.
        dither: amplitude, in the parameters' scale.
        window, lead: in samples.
        mains_Hz: see `Dither`.
    """

    some: Rows
    dither: float
    window: int
    lead: int
    mains_Hz: float

    def cost(self, problem: Problem) -> int:
        """See `Query`."""
        return len(self.rows) * (self.lead + self.window)

    def plan(self, problem: Problem, device: Device) -> Dither:
        """The tones on this device; raises PlanError where there is no room for them."""
        view = device.with_inputs([device.controls.names[k] for k in self.some])
        low, high, scale = problem.limits.low, problem.limits.high, problem.limits.scale
        amplitudes = np.minimum(self.dither * scale, (high - low) / 2.0)[self.some]
        if not (amplitudes > 0.0).all():
            stuck = problem.limits.names[self.some[int(np.argmin(amplitudes))]]
            raise PlanError(f"{stuck}: its limits leave no room for a dither; widen them")
        return Dither.within(
            view.inputs, view.sample_rate_Hz, amplitudes, self.window, mains_Hz=self.mains_Hz
        )

    def take(self, problem: Problem, device: Device) -> Dithered:
        """Set the parameters, play one trace for each example, and demodulate; raises as `Query.take`."""
        limits = problem.limits
        dither = self.plan(problem, device)
        centre = limits.controls(self.theta)
        # the device's own ends hold for angles as well while they are swept
        room = dither.amplitudes
        centre[self.some] = np.clip(
            centre[self.some], limits.low[self.some] + room, limits.high[self.some] - room
        )
        device.set_controls(centre)
        names = [device.controls.names[k] for k in self.some]
        view = device.with_inputs((*device.inputs.names, *names))
        examples = self.examples(problem)
        tones = np.clip(
            dither.trace(centre[self.some], self.lead), limits.low[self.some], limits.high[self.some]
        )
        held = np.repeat(examples.inputs[:, None, :], len(tones), axis=1)
        every = np.concatenate((held, np.broadcast_to(tones, (len(held), *tones.shape))), axis=2)
        response = view.run(every)
        good = torch.as_tensor(response.flags[:, self.lead :] == 0)
        found = dither.demodulated(torch.as_tensor(response.outputs[:, self.lead :]), good)
        usable = torch.isfinite(found.outputs).all(dim=1)
        plain = answered(problem, examples, Reading(found.outputs, {}, usable))
        in_phase = float(found.slopes[usable].square().sum())
        late = float(found.lagging[usable].square().sum())
        return Dithered(
            plain.reading,
            plain.losses,
            plain.scores,
            plain.targets,
            found.slopes,
            late / in_phase if in_phase > 0.0 else math.nan,
        )
