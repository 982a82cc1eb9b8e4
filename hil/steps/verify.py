"""Try the best solutions on the chip itself."""

from typing import Any

import numpy as np

from calibration.tasks.task import Task
from calibration.tasks.verification import Acceptance, PlateauPlan, Verification, plan_plateaus
from calibration.tasks.verification import verify as verify_on
from hil.chips.dnpu import connect
from hil.config import ExperimentFile
from hil.config.dnpu_chip import DnpuSection
from hil.plans import sampled_channels
from hil.steps.search import solutions_of, tasks
from hil.steps.session import DnpuSession

TRACES = "traces.json"


def verify(session: DnpuSession) -> None:
    """Drive the plateaus of every task under its best few solutions, and judge what the chip answers.

    Of a task's solutions the one with the widest margin over the noise speaks for it; every one is recorded.
    """
    session.require("search", "verify")
    solutions = solutions_of(session)
    wanted = tasks(session.experiment)
    settings, asked = session.experiment.verify, session.experiment.acceptance
    acceptance = Acceptance(asked.min_accuracy, asked.min_margin or 0.0, asked.min_margin_over_noise or 0.0)
    results: dict[str, Any] = {}
    traces: dict[str, Any] = {}
    with session.store.step("verify"):
        with connect(session) as chip:
            session.progress.start("verifying", sum(len(found) for found in solutions.values()))
            for number, task in enumerate(wanted):
                tried = []
                for place, solution in enumerate(solutions[task.name]):
                    session.checkpoint()
                    rng = np.random.default_rng([session.experiment.seed, number, place])
                    tried.append(
                        verify_on(
                            chip,
                            solution,
                            task,
                            plateau_s=settings.plateau,
                            repeats=settings.repeats,
                            rng=rng,
                            acceptance=acceptance,
                        )
                    )
                    verdict = "pass" if tried[-1].passed else tried[-1].reason
                    session.store.metric("verify", solution=place, **tried[-1].as_dict())
                    session.progress.advance(f"{task.name} {place + 1}: {verdict}")
                results[task.name], traces[task.name] = _summary(tried, solutions[task.name])
            session.progress.finish()
        session.store.write_json(TRACES, traces)
        session.note("tasks", results)


def plateaus(experiment: ExperimentFile, chip: DnpuSection, task: Task) -> PlateauPlan:
    """The plateaus that a task will be verified with; PlanError where they cannot be driven or read."""
    settings = experiment.verify
    return plan_plateaus(
        task,
        sampled_channels(chip).select(experiment.search.inputs),
        chip.sample_rate,
        plateau_s=settings.plateau,
        settling_s=chip.readout.settling,
        repeats=settings.repeats,
        rng=np.random.default_rng(experiment.seed),
    )


def _summary(tried: list[Verification], solutions: list[Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    if not tried:
        reason = "the search found no control voltages that stay clear of the amplifier's saturation"
        nothing = {"passed": False, "reason": reason, "accuracy": None, "margin_A": None, "noise_A": None}
        return {**nothing, "margin_over_noise": None, "tried": []}, None
    best = max(range(len(tried)), key=lambda place: _rank(tried[place]))
    chosen, solution = tried[best], solutions[best]
    figures = {
        **chosen.as_dict(),
        "accuracy": chosen.plateau_accuracy,
        "solution": solution.as_dict(),
        "tried": [
            {**one.as_dict(), "controls_V": s.as_dict()["controls_V"]}
            for one, s in zip(tried, solutions, strict=True)
        ],
    }
    trace = {
        "inputs": list(solution.inputs),
        "inputs_V": chosen.inputs_V.tolist(),
        "trace_A": chosen.trace_A.tolist(),
        "used": chosen.used.tolist(),
    }
    return figures, trace


def _rank(one: Verification) -> tuple[bool, float, float]:
    ratio = one.margin_over_noise
    return one.passed, one.plateau_accuracy, ratio if ratio is not None else one.margin_A * 1e15
