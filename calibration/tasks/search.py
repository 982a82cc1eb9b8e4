"""Control voltages for tasks: many starts at once, by gradient descent through a model of the chip."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from calibration.device import Array
from calibration.errors import PlanError, ShapeError
from calibration.surrogate.network import SurrogateNetwork
from calibration.tasks.task import Task
from calibration.tasks.threshold import Polarity, Thresholds, best_threshold, best_thresholds
from simulators.models.model import ElectrodeModel


@dataclass(frozen=True)
class SearchPlan:
    """How to search.

    Attributes:
        restarts: random starts for each task, all optimised in one batch.
        steps: steps of Adam.
        rate: its learning rate, in the logits of the voltages; it falls to a tenth along a cosine.
        guard: share of each control's range left free at either end.
        polarity: which label lies above the threshold; with "either" half the starts try each.
        noise_A: standard deviation of one reading. The search maximises the margin as a multiple of the
            readings' noise; a model that predicts its own noise is asked for that instead.
        clipping_A: controls for which a point's current exceeds this are no solutions.
        distance: solutions nearer to one another than this, as the root mean square difference of the
            controls in shares of their ranges, count as one.
        seed: of the starts.
    """

    restarts: int = 256
    steps: int = 300
    rate: float = 0.2
    guard: float = 0.02
    polarity: Polarity = "high"
    noise_A: float = 1e-10
    clipping_A: float = math.inf
    distance: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ("restarts", "steps"):
            if getattr(self, key) < 1:
                raise PlanError(f"{key} {getattr(self, key)}: at least 1")
        for key in ("rate", "noise_A", "clipping_A"):
            if not getattr(self, key) > 0.0:
                raise PlanError(f"{key} {getattr(self, key)}: must be positive")
        if not 0.0 <= self.guard < 0.5:
            raise PlanError(f"guard {self.guard}: a share of the range at either end, from 0 to below 0.5")
        if self.polarity not in ("high", "low", "either"):
            raise PlanError(f"polarity {self.polarity!r}: choose high, low or either")


@dataclass(frozen=True, eq=False)
class Solution:
    """Control voltages that do a task on the model.

    Attributes:
        task: its name.
        inputs, controls: names of the electrodes that carry the task's points and the controls.
        controls_V: the controls' voltages, (n_controls,).
        predicted_A: the model's output for each point of the task, (n,).
        threshold_A, high: outputs above the threshold read as the label `high`.
        margin_A: gap between the classes' nearest outputs; negative where they overlap.
        accuracy: share of points on the right side.
        restart: which start led here.
    """

    task: str
    inputs: tuple[str, ...]
    controls: tuple[str, ...]
    controls_V: Array
    predicted_A: Array
    threshold_A: float
    high: int
    margin_A: float
    accuracy: float
    restart: int

    def voltages(self, controls: Sequence[str]) -> Array:
        """The controls' voltages in the order of `controls`; ShapeError where these are others."""
        if set(controls) != set(self.controls):
            raise ShapeError(f"the solution sets {sorted(self.controls)}, the device has {sorted(controls)}")
        return self.controls_V[[self.controls.index(name) for name in controls]]

    def as_dict(self) -> dict[str, Any]:
        """The solution as plain numbers, for JSON."""
        return {
            "task": self.task,
            "inputs": list(self.inputs),
            "controls_V": dict(zip(self.controls, self.controls_V.tolist(), strict=True)),
            "predicted_A": self.predicted_A.tolist(),
            "threshold_A": self.threshold_A,
            "high": self.high,
            "margin_A": self.margin_A,
            "accuracy": self.accuracy,
        }


@dataclass(frozen=True)
class SearchStep:
    """Where the search is: per task, the best margin of a start that does it, and the share that do."""

    step: int
    steps: int
    margin_A: Mapping[str, float | None]
    success: Mapping[str, float]


class Search:
    """Searches controls for all `tasks` at once on `model`; iterate for steps, then ask for `solutions`.

    `model`, parted by `with_inputs`, says which electrodes carry the tasks' points; all others are
    controls. Their voltages are sigmoids of free numbers, so they cannot leave their ranges. Every start
    keeps its best, and `solutions` may be asked for at any time. The model is not changed. Raises PlanError
    for tasks that do not fit the model's inputs or their ranges.
    """

    def __init__(self, model: ElectrodeModel, tasks: Sequence[Task], plan: SearchPlan | None = None) -> None:
        self.model, self.tasks, self.plan = model, tuple(tasks), plan or SearchPlan()
        names = [task.name for task in tasks]
        if not names or len(set(names)) != len(names):
            raise PlanError(f"tasks {names}: give at least one, each with a name of its own")
        if model.n_controls < 1:
            raise PlanError("every electrode is an input; a search needs at least one control")
        self.inputs = tuple(model.electrodes[k] for k in model.input_index)
        self.controls = tuple(model.electrodes[k] for k in model.control_index)
        low, high = (limit.double().numpy() for limit in (model.low, model.high))
        for task in tasks:
            task.check_range(self.inputs, low[model.input_index], high[model.input_index])
        span = (high - low)[model.control_index]
        self._low = low[model.control_index] + self.plan.guard * span
        self._high = high[model.control_index] - self.plan.guard * span
        self._span = span
        self._column = np.argsort(model.input_index + model.control_index).tolist()
        self._start()

    def __iter__(self) -> Iterator[SearchStep]:
        """Search to the end of the plan; a record after each step."""
        optimizer = torch.optim.Adam([self._free], lr=self.plan.rate)
        for step in range(self.plan.steps):
            fall = 0.5 * (1.0 + math.cos(math.pi * step / self.plan.steps))
            optimizer.param_groups[0]["lr"] = self.plan.rate * (0.1 + 0.9 * fall)
            controls = self._voltages()
            outputs, noise = self._answer(controls)
            self._keep_best(controls.detach(), outputs.detach())
            loss = self._loss(outputs, noise)
            # Only the controls' gradient is asked for, so none is computed for the model's weights.
            (self._free.grad,) = torch.autograd.grad(loss, [self._free])
            optimizer.step()
            if step == self.plan.steps - 1:
                with torch.no_grad():
                    controls = self._voltages()
                    self._keep_best(controls, self._answer(controls)[0])
            yield self._record(step + 1)

    def success(self, task: str) -> npt.NDArray[np.bool_]:
        """Which starts have come to do `task` without an error and without clipping, (restarts,)."""
        k = self._index(task)
        return np.asarray((self._accuracy[k] == 1.0) & (self._margin[k] > 0.0))

    def solutions(self, task: str, keep: int = 5) -> list[Solution]:
        """The best `keep` distinct solutions of `task`, most accurate and then widest margin first.

        Starts whose every step clipped are left out, so the list may be short or empty.
        """
        k = self._index(task)
        chosen: list[int] = []
        for row in np.lexsort((-self._margin[k], -self._accuracy[k])).tolist():
            apart = (self._controls[k, chosen] - self._controls[k, row]) / self._span
            if self._accuracy[k, row] < 0.0 or len(chosen) == keep:
                break
            if all(np.sqrt(np.mean(np.square(apart), axis=-1)) >= self.plan.distance):
                chosen.append(row)
        return [self._solution(k, row) for row in chosen]

    def _start(self) -> None:
        plan, count = self.plan, len(self.tasks)
        generator = torch.Generator().manual_seed(plan.seed)
        size = (count, plan.restarts, len(self.controls))
        unit = 0.02 + 0.96 * torch.rand(size, generator=generator, dtype=torch.float64)
        self._free = torch.logit(unit).requires_grad_()
        self._points = torch.from_numpy(np.concatenate([task.points for task in self.tasks]))[:, None]
        self._owner = torch.tensor([k for k, task in enumerate(self.tasks) for _ in range(len(task))])
        ends = np.cumsum([len(task) for task in self.tasks]).tolist()
        self._rows = [slice(end - len(task), end) for end, task in zip(ends, self.tasks, strict=True)]
        sign = torch.full((plan.restarts,), -1.0 if plan.polarity == "low" else 1.0, dtype=torch.float64)
        if plan.polarity == "either":
            sign[1::2] = -1.0
        self._sign = sign
        self._controls = np.zeros(size)
        self._margin = np.full(size[:2], -np.inf)
        self._accuracy = np.full(size[:2], -1.0)

    def _voltages(self) -> Tensor:
        low, high = torch.from_numpy(self._low), torch.from_numpy(self._high)
        return torch.minimum(low + (high - low) * torch.sigmoid(self._free), high)

    def _answer(self, controls: Tensor) -> tuple[Tensor, Tensor | None]:
        """Outputs of all tasks' points, (points, restarts) in A, and their noise where the model knows it."""
        points = self._points.expand(-1, self.plan.restarts, -1)
        voltages = torch.cat((points, controls[self._owner]), dim=-1)[..., self._column]
        if isinstance(self.model, SurrogateNetwork) and self.model.likelihood:
            current, noise = self.model.current_and_noise(voltages)
            return current[..., 0], noise[..., 0]
        return self.model.current(voltages)[..., 0], None

    def _loss(self, outputs: Tensor, noise: Tensor | None) -> Tensor:
        total = outputs.new_zeros(())
        for task, rows in zip(self.tasks, self._rows, strict=True):
            ones = torch.from_numpy(task.labels == 1)
            signed = outputs[rows] * self._sign
            # The nearest members of the classes, softened by a tenth of the spread, so that all points pull.
            soft = 0.1 * signed.detach().std(dim=0) + 1e-3 * self.plan.noise_A
            nearest_one = -soft * torch.logsumexp(-signed[ones] / soft, dim=0)
            nearest_zero = soft * torch.logsumexp(signed[~ones] / soft, dim=0)
            level = self.plan.noise_A if noise is None else noise[rows].square().mean(dim=0).sqrt()
            margin = (nearest_one - nearest_zero) / level
            total = total - margin.sum()
            if math.isfinite(self.plan.clipping_A):
                excess = torch.relu(outputs[rows].abs() - 0.95 * self.plan.clipping_A)
                total = total + 10.0 * (excess / level).sum()
        return total

    def _keep_best(self, controls: Tensor, outputs: Tensor) -> None:
        voltages, answers = controls.numpy(), outputs.T.numpy()
        for k, (task, rows) in enumerate(zip(self.tasks, self._rows, strict=True)):
            found = self._judge(task, answers[:, rows])
            usable = (np.abs(answers[:, rows]) <= self.plan.clipping_A).all(axis=-1)
            gain = (found.accuracy > self._accuracy[k]) | (
                (found.accuracy == self._accuracy[k]) & (found.margin > self._margin[k])
            )
            better = usable & gain
            self._accuracy[k, better] = found.accuracy[better]
            self._margin[k, better] = found.margin[better]
            self._controls[k, better] = voltages[k, better]

    def _judge(self, task: Task, outputs: Array) -> Thresholds:
        return best_thresholds(outputs, task.labels, self.plan.polarity)

    def _record(self, step: int) -> SearchStep:
        success = {task.name: self.success(task.name) for task in self.tasks}
        margin = {
            task.name: float(self._margin[k][success[task.name]].max()) if success[task.name].any() else None
            for k, task in enumerate(self.tasks)
        }
        return SearchStep(
            step, self.plan.steps, margin, {name: float(s.mean()) for name, s in success.items()}
        )

    @torch.no_grad()
    def _solution(self, k: int, row: int) -> Solution:
        task = self.tasks[k]
        controls = self._controls[k, row].clip(self._low, self._high)
        points, one = torch.from_numpy(task.points), torch.from_numpy(controls)
        predicted = self.model(points, one)[:, 0].numpy()
        found = best_threshold(predicted, task.labels, self.plan.polarity)
        return Solution(
            task=task.name,
            inputs=self.inputs,
            controls=self.controls,
            controls_V=controls,
            predicted_A=predicted,
            threshold_A=found.threshold,
            high=found.high,
            margin_A=found.margin,
            accuracy=found.accuracy,
            restart=row,
        )

    def _index(self, task: str) -> int:
        for k, candidate in enumerate(self.tasks):
            if candidate.name == task:
                return k
        raise PlanError(f"no task {task!r} in this search; there are {', '.join(t.name for t in self.tasks)}")
