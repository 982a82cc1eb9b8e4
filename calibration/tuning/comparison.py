"""Running several methods with the same budget on the same chip, made anew for each of them."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from calibration.device import Array, Device
from calibration.errors import BudgetTooSmall, CalibrationError, PlanError
from calibration.tuning.method import Method, Problem, answered
from calibration.tuning.study import Run
from calibration.tuning.tuner import Tuner, TuningPlan, TuningStep


@dataclass(frozen=True, eq=False)
class Trial:
    """A chip at its start, and what is known of it: where one run begins.

    Attributes:
        device: nobody has tuned it.
        problem: with test examples in its task.
        start: controls, in their unit.
    """

    device: Device
    problem: Problem
    start: Array


@dataclass(frozen=True, eq=False)
class Contender:
    """A method with its settings, and what comes before it.

    Attributes:
        name: as the table shows it; each has its own.
        method: does the steps.
        prepare: what is done first, such as fitting a twin that becomes the model; it may read the device, and what
            it reads is part of the budget.
    """

    name: str
    method: Method
    prepare: Callable[[Trial], Trial] | None = None


def compare(
    contenders: Sequence[Contender],
    make: Callable[[int], Trial],
    plan: TuningPlan,
    seeds: Iterable[int],
    *,
    passes: int = 1,
    known: Iterable[Run] = (),
    watch: Callable[[Contender, int, TuningStep], None] | None = None,
) -> Iterator[Run]:
    """Yield one finished run after another, all contenders on one seed's chip before the next seed.

    A contender that does not apply, or that ends by an error of its readings, has a run that says so; the others
    go on. Test examples are read at the start and after each check, under the best accepted parameters; these readings
    are outside the budget, though a chip that drifts ages by them.

    Args:
        make: the chip of a seed: alike at every call, so that all contenders meet the same.
        plan: of each run; what `prepare` reads is taken off its readings.
        passes: over the test examples for each score; more of them average a noisy chip.
        known: runs that there are already: they are not repeated.
        watch: is told every step.

    Raises:
        PlanError: two contenders of one name, a task without test examples, less than one pass.
    """
    names = [contender.name for contender in contenders]
    if len(set(names)) != len(names):
        raise PlanError(f"contenders {', '.join(names)}: each needs a name of its own")
    if passes < 1:
        raise PlanError(f"{passes} passes over the test examples: at least 1")
    done = {(run.method, run.seed) for run in known}
    for seed in seeds:
        for contender in contenders:
            if (contender.name, seed) not in done:
                yield _run(contender, make(seed), plan, seed, passes, watch)


def _run(
    contender: Contender,
    trial: Trial,
    plan: TuningPlan,
    seed: int,
    passes: int,
    watch: Callable[[Contender, int, TuningStep], None] | None,
) -> Run:
    if trial.problem.task.test is None:
        raise PlanError(
            "the task has no test examples; name some, for what is accepted must not judge itself"
        )
    began_s, points, failed = time.perf_counter(), list[tuple[int, float, float]](), ""
    try:
        trial.problem.check(trial.device)
        points.append((0, *_tested(trial, trial.start, passes)))
        before = trial.device.cost.readings
        if contender.prepare is not None:
            trial = contender.prepare(trial)
        spent = trial.device.cost.readings - before
        if spent >= plan.readings:
            raise BudgetTooSmall(
                f"{spent} readings came before the first step and {plan.readings} are allowed; raise the budget"
            )
        left = replace(plan, readings=plan.readings - spent)
        tuner = Tuner(trial.device, trial.problem, contender.method, left, trial.start)
        for step in tuner:
            if step.check is not None:
                points.append((spent + step.readings, *_tested(trial, tuner.best, passes)))
            if watch is not None:
                watch(contender, seed, step)
    except CalibrationError as error:
        failed = f"{type(error).__name__}: {error}"
    if len(points) == 1 and failed:  # the start alone says nothing of the method
        points = []
    readings, scores, errors = zip(*points, strict=True) if points else ((), (), ())
    return Run(contender.name, seed, readings, scores, errors, time.perf_counter() - began_s, failed)


def _tested(trial: Trial, controls: Array, passes: int) -> tuple[float, float]:
    """Mean score of the test examples and its standard error."""
    problem, test = trial.problem, trial.problem.task.test
    if test is None:
        raise PlanError("what comes before a method took the test examples away; keep them in the task")
    trial.device.set_controls(controls)
    readings = [problem.asking(trial.device, test.inputs) for _ in range(passes)]
    scores = torch.cat([answered(problem, test, reading).scores for reading in readings])
    return float(scores.mean()), float(scores.std(correction=0)) / math.sqrt(len(scores))
