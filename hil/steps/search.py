"""Look for control voltages that do the tasks, on the surrogate."""

import numpy as np
import torch

from calibration.tasks.search import Search, SearchPlan, Solution
from calibration.tasks.task import Task, boolean_gate, labelled_points, truth_table
from hil.config import ExperimentFile
from hil.steps.fit import surrogate_of
from hil.steps.session import DnpuSession

SOLUTIONS = "solutions.json"


def search(session: DnpuSession) -> None:
    """Optimise a population of starts for every task at once, and keep the best few of each."""
    session.require("fit", "search")
    with session.store.step("search"):
        torch.set_num_threads(1)
        surrogate = surrogate_of(session.folder)
        settings, wanted = session.experiment.search, tasks(session.experiment)
        plan = SearchPlan(
            restarts=settings.restarts,
            steps=settings.steps,
            rate=settings.learning_rate,
            noise_A=_noise(session),
            clipping_A=_clipping(session),
            seed=session.experiment.seed,
        )
        population = Search(surrogate.with_inputs(settings.inputs), wanted, plan)
        session.progress.start("searching", plan.steps)
        for step in population:
            session.checkpoint()
            done = sum(share > 0 for share in step.success.values())
            session.progress.advance(f"{done} of {len(wanted)} tasks done by some start")
        session.progress.finish()
        found = {task.name: population.solutions(task.name, settings.keep) for task in wanted}
        session.store.write_json(
            SOLUTIONS, {name: [one.as_dict() for one in solutions] for name, solutions in found.items()}
        )
        session.note(
            "solutions",
            {
                name: {
                    "count": len(solutions),
                    "success": float(population.success(name).mean()),
                    "best": solutions[0].as_dict() if solutions else None,
                }
                for name, solutions in found.items()
            },
        )


def solutions_of(session: DnpuSession) -> dict[str, list[Solution]]:
    """What the search found, by task, the best first."""
    stored = session.store.read_json(SOLUTIONS)
    return {
        name: [
            Solution(
                task=one["task"],
                inputs=tuple(one["inputs"]),
                controls=tuple(one["controls_V"]),
                controls_V=np.array(list(one["controls_V"].values())),
                predicted_A=np.array(one["predicted_A"]),
                threshold_A=one["threshold_A"],
                high=one["high"],
                margin_A=one["margin_A"],
                accuracy=one["accuracy"],
                restart=k,
            )
            for k, one in enumerate(solutions)
        ]
        for name, solutions in stored.items()
    }


def _noise(session: DnpuSession) -> float:
    """What a reading is uncertain by when it is predicted: the chip's noise and the surrogate's error."""
    metrics = session.metrics()
    floor = metrics.get("repeatability", {}).get("repeatability_A") or 0.0
    return float(np.hypot(floor, metrics["surrogate"]["rmse_A"])) or 1e-12


def _clipping(session: DnpuSession) -> float:
    """The current at which the amplifier saturates, by its measured gain and offset."""
    amplifier = session.metrics()["amplifier"]
    return float((amplifier["saturation_V"] - abs(amplifier["offset_V"])) / abs(amplifier["gain_V_per_A"]))


def tasks(experiment: ExperimentFile) -> list[Task]:
    """The tasks of the experiment, in the order of the file; PlanError names one that makes no sense."""
    search = experiment.search
    low, high = search.levels
    gates = [boolean_gate(gate, low, high) for gate in search.gates]
    tables = [truth_table(table.name, table.table, low, high) for table in search.truth_tables]
    points = [labelled_points(item.name, item.points, item.labels) for item in search.points]
    return [*gates, *tables, *points]
