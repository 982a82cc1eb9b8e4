"""The conformance suite of the `Method` seam, for any way to tune a chip in situ.

Subclass `MethodConformance`, give it `create_method`, and let pytest collect the subclass:

    class TestMyMethod(MethodConformance):
        def create_method(self) -> Method:
            return MyMethod(...)

It is tried on a small network of meshes with errors that it is not told, with the design as its model, and, where
`create_lab` is overridden, on a device and a problem of one's own.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from calibration.device import Array, Device
from calibration.errors import BudgetTooSmall, NotFinite, ReadingFailed
from calibration.tuning import (
    Correct,
    CrossEntropy,
    Examples,
    Limits,
    Method,
    Problem,
    Snapshot,
    Tuner,
    TuningPlan,
    TuningStep,
    TuningTask,
)
from hil.devices import EmulatedMeshNetwork
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.optical import ElectroOptic, fabricate_network

TURN = 2.0 * math.pi


@dataclass(frozen=True, eq=False)
class Lab:
    """A device with hidden errors, what is known of it, and where tuning starts."""

    device: Device
    problem: Problem
    start: Array


def small_lab(seed: int = 0) -> Lab:
    """Two meshes of four ports that are to tell apart two clusters of fields, by the light at two of their ports."""
    layout = MeshLayout("rectangular", 4)
    common = {"meshes": 2, "activation": ElectroOptic(), "readout": 2}
    true = fabricate_network(
        layout, Fabrication.perfect(splitter_rad=0.1, phase_rad=0.3), seed=seed + 7, **common
    )
    ideal = fabricate_network(layout, Fabrication.perfect(), seed=0, **common)
    rng = np.random.default_rng(seed)
    labels = np.arange(120) % 2
    centres = rng.normal(size=(2, 8))
    fields = centres[labels] + 0.6 * rng.normal(size=(120, 8))
    targets = torch.as_tensor(labels)

    def logits(powers: torch.Tensor) -> torch.Tensor:
        return 4.0 * torch.nn.functional.normalize(powers, dim=-1, eps=1e-30)

    task = TuningTask(
        Examples(fields[:64], targets[:64]),
        Examples(fields[64:], targets[64:]),
        CrossEntropy(logits),
        Correct(logits),
    )
    device = EmulatedMeshNetwork(true, seed=seed)
    problem = Problem(task, Limits.of(device.controls, turn=TURN), model=ideal, seed=seed)
    return Lab(device, problem, rng.uniform(0.0, TURN, len(device.controls.names)))


class MethodConformance:
    """What every method does, whatever it is."""

    readings = 6000
    """A budget with which it should find something better than a random start."""

    def create_method(self) -> Method:
        """The method, with settings that suit `create_lab`."""
        raise NotImplementedError

    def create_lab(self, seed: int = 0) -> Lab:
        """A device, a problem and a start that leaves room for improvement; the same for the same seed."""
        return small_lab(seed)

    def run(
        self, lab: Lab, readings: int | None = None, resume: Snapshot | None = None, most: int | None = None
    ) -> tuple[Tuner, list[TuningStep]]:
        plan = TuningPlan(readings or self.readings, checks=4)
        tuner = Tuner(lab.device, lab.problem, self.create_method(), plan, lab.start, resume)
        steps = []
        running = iter(tuner)
        for step in running:
            steps.append(step)
            if most is not None and len(steps) == most:
                break
        running.close()
        return tuner, steps

    def test_it_gets_better_within_its_budget_and_leaves_the_best_on_the_chip(self) -> None:
        lab = self.create_lab()
        tuner, steps = self.run(lab)
        assert lab.device.cost.readings == tuner.readings == steps[-1].readings <= self.readings
        assert any(step.check and step.check.verdict == "accepted" for step in steps)
        assert tuner.curve[-1].loss < tuner.curve[0].loss
        group = lab.device.controls
        assert ((group.low <= tuner.best) & (tuner.best <= group.high)).all()
        # what is on the chip answers as the best did, and not as the start
        rows = lab.problem.task.probe
        outputs = torch.as_tensor(lab.problem.asking(lab.device, rows.inputs).outputs)
        loss = float(lab.problem.task.loss(outputs, rows.targets).mean())
        assert abs(loss - tuner.curve[-1].loss) < abs(loss - tuner.curve[0].loss)

    def test_the_same_seed_gives_the_same_steps(self) -> None:
        _, one = self.run(self.create_lab(3), most=4)
        _, other = self.run(self.create_lab(3), most=4)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.theta, b.theta)
            assert a.readings == b.readings

    def test_a_run_that_was_stopped_goes_on_where_it_was(self) -> None:
        whole_lab, parted_lab = self.create_lab(5), self.create_lab(5)
        _, whole = self.run(whole_lab, most=5)
        first, before = self.run(parted_lab, most=3)
        saved = first.snapshot()
        again = Snapshot({name: values.copy() for name, values in saved.arrays.items()}, dict(saved.facts))
        _, after = self.run(parted_lab, resume=again, most=2)
        assert [step.number for step in (*before, *after)] == [step.number for step in whole]
        for a, b in zip(whole, (*before, *after), strict=True):
            np.testing.assert_allclose(a.theta, b.theta, atol=1e-9)

    def test_a_budget_too_small_for_one_step_is_refused_before_a_reading(self) -> None:
        lab = self.create_lab()
        with pytest.raises(BudgetTooSmall, match="raise the budget"):
            self.run(lab, readings=3)
        assert lab.device.cost.readings == 0

    def test_a_loss_that_is_not_finite_is_named_at_the_first_reading(self) -> None:
        lab = self.create_lab()
        task = replace(lab.problem.task, loss=lambda outputs, targets: outputs[..., 0] * math.nan)
        with pytest.raises(NotFinite, match="not finite"):
            self.run(Lab(lab.device, replace(lab.problem, task=task), lab.start))
        assert lab.device.cost.readings <= lab.problem.asking.cost(len(task.probe))

    def test_readings_of_which_none_is_usable_keep_the_best(self) -> None:
        lab = self.create_lab()
        plan = TuningPlan(self.readings, checks=4)
        blind = _Blind(lab.problem)
        tuner = Tuner(lab.device, replace(lab.problem, asking=blind), self.create_method(), plan, lab.start)
        running = iter(tuner)
        next(running)
        blind.out = True
        with pytest.raises(ReadingFailed, match="flagged"):
            list(running)
        np.testing.assert_allclose(
            tuner.best, lab.problem.limits.controls(lab.problem.limits.theta(lab.start))
        )


class _Blind:
    """An `Asking` whose every sample is flagged once `out` is set."""

    def __init__(self, problem: Problem) -> None:
        self._asking, self.out = problem.asking, False

    def cost(self, samples: int) -> int:
        return self._asking.cost(samples)

    def __call__(self, device: Device, inputs: Array):  # type: ignore[no-untyped-def]
        reading = self._asking(device, inputs)
        return replace(reading, usable=torch.zeros_like(reading.usable)) if self.out else reading
