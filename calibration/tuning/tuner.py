"""Running a method on a chip: its budget, what is accepted, and what is left on the chip at the end."""

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import (
    BudgetTooSmall,
    CalibrationError,
    NotFinite,
    NotRepeatable,
    PlanError,
    ReadingFailed,
)
from calibration.tuning.method import Method, ProbeQuery, Problem, State, Stepped, under
from calibration.tuning.paired import Paired, compared
from calibration.tuning.probed import Probed


@dataclass(frozen=True)
class TuningPlan:
    """How to run a method.

    Attributes:
        readings: of the device, at most; those of the checks included.
        checks: how often new parameters are tried against the best ones, spread evenly over the budget.
        significance: probability at most with which a run accepts parameters that are no better, all its checks
            together.
        repeats: passes over the probe set in one check.
        sought: smallest fall of the loss that is worth it; a device that cannot show so little is refused.
        failures: how many steps on end may fail before the run is given up.
    """

    readings: int
    checks: int = 10
    significance: float = 0.05
    repeats: int = 1
    sought: float | None = None
    failures: int = 3

    def __post_init__(self) -> None:
        for key in ("readings", "checks", "repeats", "failures"):
            if getattr(self, key) < 1:
                raise PlanError(f"{key} {getattr(self, key)}: at least 1")
        if not 0.0 < self.significance < 0.5:
            raise PlanError(f"significance {self.significance}: above 0 and below 0.5, such as 0.05")
        if self.sought is not None and not self.sought > 0.0:
            raise PlanError(f"sought {self.sought}: a fall of the loss is positive")


@dataclass(frozen=True)
class Check:
    """New parameters against the best ones, on the probe set.

    Attributes:
        readings: spent so far, the check's included.
        loss, score: of the best parameters after it, on the probe set.
        score_error: standard error of that score, by its spread over the samples.
        verdict: accepted, kept (too close to tell: the method goes on), rolled back, or drifted (the device itself
            has changed, so the method begins anew from the best).
        difference, error: of the paired losses, candidate minus incumbent.
    """

    readings: int
    loss: float
    score: float
    score_error: float
    verdict: str
    difference: float
    error: float


@dataclass(frozen=True, eq=False)
class TuningStep:
    """One step of a run.

    Attributes:
        number: from 0; the check of the start has number -1.
        readings: spent so far.
        loss: what the method read.
        figures: what else it tells.
        check: the check that followed, if any.
        failed: why the step came to nothing; empty if it did not.
        theta: the parameters after it.
    """

    number: int
    readings: int
    loss: float
    theta: Array
    figures: Mapping[str, float] = field(default_factory=dict)
    check: Check | None = None
    failed: str = ""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that a run needs to go on: arrays by name, and plain values for JSON."""

    arrays: Mapping[str, Array]
    facts: Mapping[str, Any]


class Tuner:
    """A method at work on a device; iterate for steps.

    The best parameters so far are in `best`; they are on the device when the iteration ends, by itself, by an error
    of a reading, or because whoever iterates closes it.

    Args:
        device: the chip.
        problem: what is known.
        method: does the steps.
        plan: budget and acceptance.
        start: controls to start from, in their unit.
        resume: what `snapshot` gave after some step; then `start` is not looked at.

    Raises:
        ShapeError, PlanError: the device, the problem and the method do not fit one another.
        BudgetTooSmall: not even one step and its check can be paid.
        OutsideLimits: the start is outside the limits.
    """

    def __init__(
        self,
        device: Device,
        problem: Problem,
        method: Method,
        plan: TuningPlan,
        start: Array,
        resume: Snapshot | None = None,
    ) -> None:
        problem.check(device)
        method.check(problem, device)
        self.device, self.problem, self.method, self.plan = device, problem, method, plan
        self.curve: list[Check] = []
        self._spent, self._number, self._failed, self._checked = 0, 0, 0, -1
        self._best_losses: Tensor | None = None
        least = 2 * self.check_cost + method.cost(problem)
        if plan.readings < least:
            raise BudgetTooSmall(
                f"{plan.readings} readings; {method.name} needs {least} at least: {method.cost(problem)} for a step, "
                f"{self.check_cost} each for the check of the start and of the end; raise the budget, or ask for "
                "fewer samples or probes"
            )
        if resume is None:
            theta = problem.limits.theta(start)
            self._state, self._best = method.begin(problem, theta), theta
        else:
            self._restore(resume)

    @property
    def check_cost(self) -> int:
        """Readings of one check."""
        one = sum(self.problem.asking.cost(len(rows)) for rows in self._halves())
        return 2 * self.plan.repeats * one

    @property
    def best(self) -> Array:
        """The best accepted controls, (n,), in their unit."""
        return self.problem.limits.controls(self._best)

    @property
    def readings(self) -> int:
        """Spent so far, before an interruption included."""
        return self._spent

    def __iter__(self) -> Generator[TuningStep, None, None]:
        """Run to the end of the budget or of the method; a record after each step.

        Raises NotRepeatable, NotFinite, ReadingFailed; the best parameters are on the device then too. Other errors
        are the device's own, and it is not touched again.
        """
        try:
            yield from self._steps()
        except (CalibrationError, GeneratorExit):
            self.device.set_controls(self.best)
            raise
        self.device.set_controls(self.best)

    def _steps(self) -> Iterator[TuningStep]:
        if self._best_losses is None:
            yield self._first()
        done = False
        while not done and self._affordable():
            step, done = self._step()
            yield step
        if self._checked != self._spent and self._spent + self.check_cost <= self.plan.readings:
            check = self._check(self._state.theta)
            yield TuningStep(self._number, self._spent, math.nan, self._state.theta, check=check)

    def snapshot(self) -> Snapshot:
        """What a run that goes on from here needs."""
        arrays = {f"memory.{name}": values for name, values in self._state.memory.items()}
        arrays |= {"theta": self._state.theta, "best": self._best}
        if self._best_losses is not None:
            arrays["best_losses"] = self._best_losses.numpy()
        facts = {
            "method": self.method.name,
            "number": self._number,
            "spent": self._spent,
            "failed": self._failed,
            "checked": self._checked,
            "curve": [asdict(check) for check in self.curve],
        }
        return Snapshot(arrays, facts)

    def _restore(self, saved: Snapshot) -> None:
        facts, arrays = saved.facts, saved.arrays
        if facts["method"] != self.method.name or arrays["theta"].shape != self.problem.limits.low.shape:
            raise PlanError(
                f"a run of {facts['method']} with {len(arrays['theta'])} parameters cannot go on as "
                f"{self.method.name} with {len(self.problem.limits.names)}"
            )
        self._number, self._spent = facts["number"], facts["spent"]
        self._failed, self._checked = facts["failed"], facts["checked"]
        self.curve = [Check(**check) for check in facts["curve"]]
        self._state, self._best = State(arrays["theta"], under("memory.", arrays)), arrays["best"]
        losses = arrays.get("best_losses")
        self._best_losses = None if losses is None else torch.as_tensor(losses)

    def _affordable(self) -> bool:
        cost = self.method.cost(self.problem) + self.check_cost
        return self._spent + cost <= self.plan.readings

    def _first(self) -> TuningStep:
        """Read the start against itself: the loss to beat, and what the device can tell apart."""
        again, first = self._pair(self._best, self._best)
        repeated = compared(again.losses, first.losses, self.plan.significance)
        self._best_losses, self._checked = first.losses, self._spent
        check = self._record(first, repeated, "start")
        sought = self.plan.sought
        if sought is not None and repeated.threshold > sought:
            raise NotRepeatable(
                f"two readings of the same setting differ so much that a fall of the loss below "
                f"{repeated.threshold:.3g} could not be told, and {sought:.3g} is sought; {self._spent} readings were "
                "spent: take a larger probe set or more repeats, or make the device quieter"
            )
        return TuningStep(-1, self._spent, check.loss, self._best, check=check)

    def _step(self) -> tuple[TuningStep, bool]:
        number, self._number = self._number, self._number + 1
        try:
            stepped = self._run(number)
            theta = self.problem.limits.project(stepped.state.theta)
            self._state = replace(stepped.state, theta=theta)
            check = self._check(theta) if stepped.check or self._due() else None
        except (ReadingFailed, NotFinite) as error:
            self._failed += 1
            if self._failed >= self.plan.failures:
                raise
            self._state = self.method.moved(self.problem, self._state, self._best)
            return TuningStep(
                number, self._spent, math.nan, self._state.theta, failed=f"{type(error).__name__}: {error}"
            ), False
        self._failed = 0
        return TuningStep(
            number, self._spent, stepped.loss, self._state.theta, stepped.figures, check
        ), stepped.done

    def _run(self, number: int) -> Stepped:
        steps = self.method.step(self.problem, self._state, number)
        try:
            query = next(steps)
            while True:
                before = self.device.cost.readings
                try:
                    answer = query.take(self.problem, self.device)
                finally:
                    self._spent += self.device.cost.readings - before
                query = steps.send(answer)
        except StopIteration as end:
            stepped: Stepped = end.value
            return stepped
        finally:
            steps.close()

    def _due(self) -> bool:
        """Whether the next of the evenly spread checks has come, and can be paid with the last one still to come."""
        apart = max(self.plan.readings / self.plan.checks, self.check_cost)
        paid = self._spent + 2 * self.check_cost <= self.plan.readings
        return paid and self._spent - self._checked >= apart

    def _check(self, theta: Array) -> Check:
        """Try `theta` against the best; accept it, go on with it, or go back."""
        if self._best_losses is None:
            raise PlanError("the start has not been read yet")
        level = self.plan.significance / self.plan.checks
        candidate, incumbent = self._pair(theta, self._best)
        verdict = compared(candidate.losses, incumbent.losses, level)
        drift = compared(incumbent.losses, self._best_losses, level)
        known, word = incumbent, "kept"
        self._best_losses = incumbent.losses
        if verdict.better:
            self._best, self._best_losses, known, word = theta, candidate.losses, candidate, "accepted"
        elif verdict.worse:
            self._state, word = self.method.moved(self.problem, self._state, self._best), "rolled back"
        elif drift.worse:
            self._state, word = self.method.begin(self.problem, self._best), "drifted"
        self._checked = self._spent
        return self._record(known, verdict, word)

    def _record(self, known: Probed, verdict: Paired, word: str) -> Check:
        check = Check(
            self._spent, known.loss, known.score, known.score_error, word, verdict.difference, verdict.error
        )
        self.curve.append(check)
        return check

    def _halves(self) -> list[np.ndarray[Any, np.dtype[np.intp]]]:
        return [rows for rows in np.array_split(np.arange(len(self.problem.task.probe)), 2) if len(rows)]

    def _pair(self, candidate: Array, incumbent: Array) -> tuple[Probed, Probed]:
        """Both read on the probe set, in turns and the turns reversed: a steady drift cancels."""
        read: dict[bool, list[tuple[Tensor, Tensor]]] = {True: [], False: []}
        turn = True
        for _ in range(self.plan.repeats):
            for rows in self._halves():
                for which in (turn, not turn):
                    theta = candidate if which else incumbent
                    read[which].append(self._probe(theta, rows))
                turn = not turn
        return Probed.of(read[True]), Probed.of(read[False])

    def _probe(self, theta: Array, rows: np.ndarray[Any, np.dtype[np.intp]]) -> tuple[Tensor, Tensor]:
        before = self.device.cost.readings
        try:
            answer = ProbeQuery(theta, rows).take(self.problem, self.device)
        finally:
            self._spent += self.device.cost.readings - before
        return answer.placed(answer.losses), answer.placed(answer.scores)
