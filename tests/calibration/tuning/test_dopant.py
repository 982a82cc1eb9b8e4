"""A dopant network's task as a problem: the model is parted as the device is, and tuning wins a gate back."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.device import Array, ChannelGroup, Response
from calibration.errors import OutsideLimits, PlanError, ShapeError
from calibration.surrogate import SurrogateNetwork
from calibration.tasks import boolean_gate, verify
from calibration.tasks.search import Solution
from calibration.tuning import Method, Plateaus, Spsa, Tuner, TuningPlan, Update, dopant_problem, model_of
from hil.devices import EmulatedDevice
from tests.calibration.tasks.synthetic import HIGH, LEVELS, LOW, NAMES, UNIT_A, BumpModel
from tests.conformance.method import Lab, MethodConformance

XOR = boolean_gate("XOR", *LEVELS)
ORDER = ("e", "b", "c", "a", "d")
NOISE_A = 0.3e-9


class Bump:
    """The synthetic chip in time: noise, and what its model does not know: its bump has moved since."""

    def __init__(self, moved_V: Array, seed: int) -> None:
        self.moved_V, self.rng = moved_V, np.random.default_rng(seed)

    def observe(self, voltages: Array, times_s: Array) -> Array:
        ordered = voltages[:, [ORDER.index(name) for name in NAMES]] + self.moved_V
        current = BumpModel().current(torch.as_tensor(ordered))[:, 0].numpy()
        return np.asarray(current + NOISE_A * self.rng.standard_normal(len(times_s)))


def device(seed: int = 0, moved: Sequence[float] = (0.0, 0.0, -0.35, 0.3, 0.2)) -> EmulatedDevice:
    place = [NAMES.index(name) for name in ORDER]
    electrodes = ChannelGroup(ORDER, "V", LOW[place], HIGH[place], np.full(5, 60.0))
    return EmulatedDevice(Bump(np.array(moved), seed), electrodes, "out", 1000.0).with_inputs(["a", "b"])


def start(chip: EmulatedDevice) -> Array:
    """The best controls of the chip as it was when its model was made."""
    best = {"c": 0.31, "d": -0.2, "e": 0.0}
    return np.array([best[name] for name in chip.controls.names])


def lab(seed: int = 0) -> Lab:
    chip = device(seed)
    problem = dopant_problem(
        chip, XOR, model=BumpModel(), noise_A=NOISE_A, plateau_s=8e-3, settling_s=1e-3, seed=seed
    )
    return Lab(chip, problem, start(chip))


class TestSpsaOnPlateaus(MethodConformance):
    readings = 30_000

    def create_method(self) -> Method:
        return Spsa(Update("adam", 0.03), perturbation=0.05)

    def create_lab(self, seed: int = 0) -> Lab:
        return lab(seed)


def test_a_gate_that_fails_is_won_back() -> None:
    there = lab()
    known = Solution(
        "XOR", ("a", "b"), ("e", "c", "d"), there.start, np.array([0.0, 1.0, 1.0, 0.0]) * UNIT_A, 0.5 * UNIT_A, 1,
        UNIT_A, 1.0, 0,
    )  # fmt: skip
    how = {"plateau_s": 0.02, "repeats": 6}
    assert not verify(there.device, known, XOR, rng=np.random.default_rng(0), **how).passed  # type: ignore[arg-type]
    tuner = Tuner(
        there.device,
        there.problem,
        Spsa(Update("adam", 0.03), perturbation=0.05),
        TuningPlan(40_000),
        there.start,
    )
    for _ in tuner:
        pass
    assert tuner.readings <= 40_000
    tuned = replace(known, controls_V=tuner.best)
    after = verify(there.device, tuned, XOR, rng=np.random.default_rng(0), **how)  # type: ignore[arg-type]
    assert after.passed
    assert after.margin_A > 0.5 * UNIT_A  # of 1 at the top of the bump


def test_the_model_is_parted_and_ordered_as_the_device_is() -> None:
    chip = device(moved=(0.0,) * 5)
    assert chip.controls.names == ("e", "c", "d")
    model = dopant_problem(chip, XOR, model=BumpModel(), noise_A=NOISE_A, plateau_s=0.05).known_model
    controls = np.array([0.1, 0.25, -0.15])
    chip.set_controls(controls)
    read = Plateaus.of(chip, plateau_s=0.05)(chip, XOR.points).outputs
    with torch.no_grad():
        said = model(torch.as_tensor(XOR.points), torch.as_tensor(controls))
    np.testing.assert_allclose(read, said, atol=5 * NOISE_A / np.sqrt(50))


def test_a_surrogate_stays_a_surrogate_and_another_chips_is_refused() -> None:
    chip = device()
    parted = model_of(chip, SurrogateNetwork(NAMES, LOW.tolist(), HIGH.tolist(), hidden=(4,)))
    assert isinstance(parted, SurrogateNetwork)
    assert [parted.electrodes[k] for k in parted.control_index] == ["e", "c", "d"]
    other = SurrogateNetwork(("a", "b", "c"), [-1.0] * 3, [1.0] * 3, hidden=(4,))
    with pytest.raises(ShapeError, match="not of this device"):
        model_of(chip, other)


def test_what_does_not_fit_is_named_before_a_reading() -> None:
    chip = device()
    with pytest.raises(PlanError, match="outside its range"):
        dopant_problem(chip, boolean_gate("XOR", -0.9, 0.2), model=None, noise_A=NOISE_A, plateau_s=0.01)
    problem = lab().problem
    with pytest.raises(OutsideLimits, match="the start"):
        Tuner(chip, problem, Spsa(), TuningPlan(40_000), np.array([0.0, 0.9, 0.0]))
    assert chip.cost.readings == 0


def test_a_chip_that_clips_at_every_point_of_a_class_is_told() -> None:
    class Clipping(EmulatedDevice):
        def run(self, inputs: Array) -> Response:
            answer = super().run(inputs)
            ones = np.abs(inputs[0, :, 0] - inputs[0, :, 1]) > 0.3
            return Response(inputs, answer.outputs, ones[None].astype(np.uint8))

    chip = device()
    chip.__class__ = Clipping
    tuner = Tuner(chip, lab().problem, Spsa(), TuningPlan(40_000), start(chip))
    with pytest.raises(Exception, match="of one class"):
        list(tuner)
