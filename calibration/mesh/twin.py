"""The clear-box twin: a model's own parameters fitted to powers at random known settings, and nothing else.

Powers do not tell everything. The phases behind the output ports (`Mesh.output_offset`) are never seen; those before
the mesh, and with them the external phases of its first MZIs, only by inputs at several ports at once; a loss common
to all MZIs looks like one of all ports; and the two splitters of an MZI can be exchanged in part against its phases.
Along such gauge freedoms the prior keeps the model where it was; no reading at the same inputs depends on it.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call

from calibration.errors import ModelFileError, NotEnoughData, PlanError, ShapeError
from calibration.mesh.readings import PowerNoise, PowerReadings
from calibration.mesh.unknowns import Spread, Unknowns
from simulators.models.threads import one_thread

M = TypeVar("M", bound=nn.Module)
FORMAT = "hil-twin-fit/1"
_PROBES = 6  # random vectors for the curvature of each coordinate
_ENOUGH = 0.05  # a Gauss-Newton step is solved for to this share of the slope
_COARSE = (
    0.3  # of the mean power: an extra floor of the readings at the beginning, where the model is far off
)


@dataclass(frozen=True)
class FitPlan:
    """How a fit goes about it.

    Attributes:
        steps: of descent (Adam) on some settings at a time, while an extra floor that makes the first steps
            lenient with dark ports fades.
        batch: settings in each step of descent.
        peak_rate: of descent, in standard deviations of the prior.
        refinements: Gauss-Newton steps on all settings at most; it ends when they gain nothing.
        held_out: share of the settings that only judge.
        tolerance: a refinement that lowers the objective by less than this share is the last.
        products: with the curvature in each refinement at most.
        seed: of the split and the order of settings.
        single: whether to compute in single precision, which is enough for noise above 1e-4.
    """

    steps: int = 400
    batch: int = 4
    peak_rate: float = 0.1
    refinements: int = 8
    held_out: float = 0.15
    tolerance: float = 0.002
    seed: int = 0
    single: bool = True
    products: int = 60

    def __post_init__(self) -> None:
        if self.steps < 0 or self.refinements < 0 or self.steps + self.refinements < 1 or self.batch < 1:
            raise PlanError("a fit needs steps or refinements, and a batch of at least one setting")
        if not self.peak_rate > 0.0 or not self.tolerance > 0.0:
            raise PlanError("peak_rate and tolerance must be positive")

    def rate(self, step: int) -> float:
        """Rate of a step of descent: up within a twentieth of them, then down along a cosine."""
        share = (step + 1) / self.steps
        return self.peak_rate * min(1.0, 20.0 * share) * (0.5 + 0.5 * math.cos(math.pi * share) + 1e-3)

    def lenience(self, step: int) -> float:
        """Extra floor at a step of descent, as a share of the mean power."""
        return _COARSE * max(0.0, 1.0 - step / (0.7 * self.steps))


@dataclass(frozen=True)
class FitStep:
    """One step's record; residuals are RMS over standard deviations of a reading: 1 is the noise floor.

    Attributes:
        kind: of descent, where `residual` is that of the step's batch, or of refinement, where it is that of all.
        held_out: residual of the settings held out, before this step's change of a refinement; nan in descent.
        seconds: since the fit began.
    """

    step: int
    kind: Literal["descent", "refinement"]
    residual: float
    held_out: float
    seconds: float


@dataclass(frozen=True, eq=False)
class FitState:
    """All that a resumed fit needs: `tensors` (for safetensors) and a `record` (for JSON)."""

    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


class TwinFit(Generic[M]):
    """Fits `model` to `readings`; iterate for steps, then ask for `result`.

    Minimises the squares of (prediction - reading) / noise plus those of the prior's coordinates: the most probable
    model given readings and prior. Descent finds the basin; Gauss-Newton steps, each solved by conjugate gradients
    on products with the Jacobian, find its bottom.

    Args:
        model: `forward(inputs, controls)` gives powers; its present parameters are the start and stay as they are.
        spreads: what may change and how far; see `Unknowns`.
        readings: at least as many usable ones as there are unknowns.
        noise: of one reading.
        state: of an earlier fit, which this one continues as that would have.

    Raises NotEnoughData for too few readings, ShapeError for those of another model, ModelFileError for a state
    of another fit.
    """

    def __init__(
        self,
        model: M,
        spreads: Mapping[str, Spread],
        readings: PowerReadings,
        noise: PowerNoise,
        plan: FitPlan | None = None,
        *,
        state: FitState | None = None,
    ) -> None:
        self.plan = plan or FitPlan()
        self._start, self._spreads = model, spreads
        self._dtype = torch.float32 if self.plan.single else torch.float64
        self.unknowns = Unknowns(model, spreads, self._dtype)
        self._model = copy.deepcopy(model).to(self._dtype)
        train, held = readings.split(self.plan.held_out, self.plan.seed)
        used = int(train.usable.sum())
        if used < self.unknowns.count:
            raise NotEnoughData(
                f"{used} usable readings at {len(train)} settings for {self.unknowns.count} unknowns; "
                "read more settings, or fix what is known by a spread of 0"
            )
        if not held.usable.any():
            raise NotEnoughData("no reading of the settings held out is usable; look at the detectors")
        self.excluded = int((~readings.usable).sum())
        self._train, self._held = self._tensors(train, noise), self._tensors(held, noise)
        self.z = torch.zeros(self.unknowns.count, dtype=self._dtype)
        self._moments = torch.zeros(2, self.unknowns.count, dtype=self._dtype)
        self.history: list[FitStep] = []
        self._objective = math.inf
        self._settled = False
        self._spent_s = 0.0
        if state is not None:
            self._restore(state)
        try:
            self.start_residuals = (
                self._residual(self._train, self._zero),
                self._residual(self._held, self._zero),
            )
        except RuntimeError as error:
            raise ShapeError(f"the readings are not of this model: {error}") from error

    def __iter__(self) -> Iterator[FitStep]:
        """Fit until it settles; one record after each step."""
        while not self.finished:
            began = time.perf_counter()
            step = len(self.history)
            with one_thread():  # the pieces are small enough for a second one to do nothing but wait
                record = self._descend(step) if step < self.plan.steps else self._refine(step)
            self._spent_s += time.perf_counter() - began
            kind: Literal["descent", "refinement"] = "descent" if step < self.plan.steps else "refinement"
            self.history.append(FitStep(step, kind, *record, self._spent_s))
            yield self.history[-1]

    def run(self, watch: Callable[[FitStep], None] = lambda step: None) -> M:
        """Fit to the end, and hand back the result."""
        for step in self:
            watch(step)
        return self.result()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self._settled or len(self.history) >= self.plan.steps + self.plan.refinements

    @property
    def settled(self) -> bool:
        """Whether the last refinement gained next to nothing."""
        return self._settled

    @torch.no_grad()
    def result(self) -> M:
        """A copy of the model with the parameters found so far."""
        fitted = copy.deepcopy(self._start)
        values = Unknowns(self._start, self._spreads, torch.float64).values(self.z.double())
        for name, parameter in fitted.named_parameters():
            if name in values:
                parameter.copy_(values[name])
        return fitted

    def residuals(self) -> tuple[float, float]:
        """RMS residual over noise of the settings fitted to and of those held out; 1 is the noise floor."""
        return self._residual(self._train, self.z), self._residual(self._held, self.z)

    def state(self) -> FitState:
        """A copy of everything that the next step depends on."""
        return FitState(
            {"z": self.z.clone(), "moments": self._moments.clone()},
            {
                "format": FORMAT,
                "plan": asdict(self.plan),
                "unknowns": list(self.unknowns.names),
                "settings": len(self._train) + len(self._held),
                "history": [asdict(step) for step in self.history],
                "objective": self._objective if math.isfinite(self._objective) else None,
                "settled": self._settled,
            },
        )

    # -- steps

    def _descend(self, step: int) -> tuple[float, float]:
        plan, count = self.plan, len(self._train)
        batch = min(plan.batch, count)
        rounds = count // batch
        # The order is a function of seed and round, so that a resumed fit needs no generator's state.
        order = np.random.default_rng((plan.seed, 12, step // rounds)).permutation(count)
        chosen = self._train.only(torch.as_tensor(order[step % rounds * batch :][:batch]))
        weight = chosen.weight(plan.lenience(step) * self._train.mean)
        z = self.z.detach().requires_grad_()
        off = weight * (self._predict(z, chosen) - chosen.powers)
        share = count / batch
        (slope,) = torch.autograd.grad(0.5 * share * off.square().sum() + 0.5 * z.square().sum(), z)
        first, second = self._moments
        first.lerp_(slope, 0.1)
        second.lerp_(slope.square(), 0.02)
        size = plan.rate(step) / (1.0 - 0.9 ** (step + 1))
        self.z = self.z - size * first / (second.div(1.0 - 0.98 ** (step + 1)).sqrt() + 1e-12)
        with torch.no_grad():
            return float((off.square().sum() / chosen.good).sqrt()), math.nan

    def _refine(self, step: int) -> tuple[float, float]:
        """One Gauss-Newton step from the present point, as long as it lowers the objective."""
        objective, slope = self._objective_and_slope()
        change = self._solve(-slope, self._scale(step))
        for fraction in (1.0, 0.5, 0.25, 0.1, 0.03):
            moved = self.z + fraction * change
            reached = self._value(moved)
            if reached < objective:
                self.z = moved
                self._settled = objective - reached < self.plan.tolerance * objective
                break
        else:
            self._settled, reached = True, objective
        self._objective = reached
        return self.residuals()

    def _objective_and_slope(self) -> tuple[float, Tensor]:
        total, slope = 0.5 * float(self.z.square().sum()), self.z.clone()
        for block in self._train.blocks():
            z = self.z.detach().requires_grad_()
            value = 0.5 * (block.weight() * (self._predict(z, block) - block.powers)).square().sum()
            slope += torch.autograd.grad(value, z)[0]
            total += float(value.detach())
        return total, slope

    @torch.no_grad()
    def _value(self, z: Tensor) -> float:
        total = 0.5 * float(z.square().sum())
        for block in self._train.blocks():
            total += 0.5 * float((block.weight() * (self._predict(z, block) - block.powers)).square().sum())
        return total

    def _curvature(self, direction: Tensor) -> Tensor:
        """(JᵀJ + 1) · direction, for the Jacobian J of the weighted predictions at the present point."""
        total = direction.clone()
        for block in self._train.blocks():
            z = self.z.detach().requires_grad_()
            with forward_ad.dual_level():
                twin = forward_ad.make_dual(z, direction)  # type: ignore[no-untyped-call]
                predicted, moved = forward_ad.unpack_dual(self._predict(twin, block))  # type: ignore[no-untyped-call]
            pull = block.weight().square() * moved.detach()
            total += torch.autograd.grad(predicted, z, pull)[0]
        return total

    def _scale(self, step: int) -> Tensor:
        """The diagonal of JᵀJ + 1, estimated by random signs (Bekas et al., Appl. Numer. Math. 57, 1214 (2007))."""
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + step)
        total = torch.zeros_like(self.z)
        for block in self._train.blocks():
            z = self.z.detach().requires_grad_()
            predicted, weight = self._predict(z, block), block.weight()
            for probe in range(_PROBES):
                signs = torch.randint(0, 2, weight.shape, generator=generator).to(weight.dtype) * 2.0 - 1.0
                more = probe < _PROBES - 1
                total += torch.autograd.grad(predicted, z, weight * signs, retain_graph=more)[0].square()
        return 1.0 + total / _PROBES

    def _solve(self, target: Tensor, scale: Tensor) -> Tensor:
        """Where (JᵀJ + 1) · x = target, by conjugate gradients, each coordinate in units of its own curvature."""
        found, left = torch.zeros_like(target), target.clone()
        eased = left / scale
        direction, size = eased.clone(), float(left @ eased)
        goal = _ENOUGH**2 * size
        for _ in range(self.plan.products):
            pushed = self._curvature(direction)
            along = size / float(direction @ pushed)
            found += along * direction
            left -= along * pushed
            eased = left / scale
            before, size = size, float(left @ eased)
            if size < goal:
                break
            direction = eased + size / before * direction
        return found

    # -- readings

    def _tensors(self, readings: PowerReadings, noise: PowerNoise) -> "_Tensors":
        complexes = torch.complex64 if self._dtype == torch.float32 else torch.complex128
        inputs = torch.as_tensor(readings.inputs)
        good = torch.as_tensor(readings.usable)
        powers = torch.as_tensor(np.where(readings.usable, readings.powers, 0.0))
        std = torch.as_tensor(noise.std(np.where(readings.usable, readings.powers, 0.0)))
        return _Tensors(
            inputs.to(complexes if inputs.is_complex() else self._dtype),
            torch.as_tensor(readings.controls).to(self._dtype)[:, None],
            powers.to(self._dtype),
            std.to(self._dtype).masked_fill(~good, math.inf),
        )

    def _predict(self, z: Tensor, at: "_Tensors") -> Tensor:
        predicted: Tensor = functional_call(self._model, self.unknowns.values(z), (at.inputs, at.controls))
        return predicted

    @property
    def _zero(self) -> Tensor:
        return torch.zeros_like(self.z)

    @torch.no_grad()
    def _residual(self, of: "_Tensors", z: Tensor) -> float:
        total = 0.0
        for block in of.blocks():
            total += float((block.weight() * (self._predict(z, block) - block.powers)).square().sum())
        return math.sqrt(total / of.good)

    def _restore(self, state: FitState) -> None:
        mine = self.state().record
        for key in ("format", "plan", "unknowns", "settings"):
            if state.record.get(key) != mine[key]:
                raise ModelFileError(
                    f"the stored fit is another one: its {key} is {state.record.get(key)!r}, not {mine[key]!r}"
                )
        for name, mine_now in (("z", self.z), ("moments", self._moments)):
            stored = state.tensors.get(name)
            if stored is None or stored.shape != mine_now.shape or stored.dtype != mine_now.dtype:
                raise ModelFileError(
                    f"the stored fit is of other unknowns: {name} does not fit; start a new one"
                )
            mine_now.copy_(stored)
        self.history = [FitStep(**step) for step in state.record["history"]]
        objective = state.record["objective"]
        self._objective = math.inf if objective is None else float(objective)
        self._settled = bool(state.record["settled"])
        self._spent_s = self.history[-1].seconds if self.history else 0.0


_BLOCK_VALUES = 2**16  # powers that are worked on at a time: what the cache of a core holds


@dataclass(frozen=True, eq=False)
class _Tensors:
    """Readings as tensors: inputs (S, T, n), controls (S, 1, H), powers and their noise (S, T, N)."""

    inputs: Tensor
    controls: Tensor
    powers: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.powers)

    @property
    def good(self) -> int:
        """How many readings count."""
        return int(self.std.isfinite().sum())

    @property
    def mean(self) -> float:
        """Mean power of those."""
        return float(self.powers.clamp(min=0.0).sum()) / self.good

    def weight(self, floor: float = 0.0) -> Tensor:
        """1 over the noise, with an extra floor."""
        return (self.std.square() + floor**2).rsqrt() if floor else 1.0 / self.std

    def only(self, settings: Tensor) -> "_Tensors":
        return _Tensors(
            self.inputs[settings], self.controls[settings], self.powers[settings], self.std[settings]
        )

    def blocks(self) -> Iterator["_Tensors"]:
        each = max(1, _BLOCK_VALUES // self.powers[0].numel())
        for first in range(0, len(self), each):
            some = slice(first, first + each)
            yield _Tensors(self.inputs[some], self.controls[some], self.powers[some], self.std[some])
