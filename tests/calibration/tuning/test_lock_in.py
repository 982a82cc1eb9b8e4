"""Lock-in extraction against autograd of the true chip: hopping, static points, limits, slews, and a bench."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.device import ChannelGroup
from calibration.errors import PlanError
from calibration.tuning import (
    Examples,
    Limits,
    LockIn,
    Method,
    Problem,
    TuningTask,
    Update,
    squared_error,
)
from calibration.tuning.dither import Dither
from hil.devices import EmulatedDevice
from simulators.models.hopping import HoppingNetwork, default_network
from simulators.models.imperfections import ImperfectChip, Imperfections
from tests.calibration.tuning.gradients import asked, cosine, estimated, true_gradient
from tests.calibration.tuning.meshes import one_mesh
from tests.conformance.method import Lab, MethodConformance

PLAIN = Update("plain", 1.0)


class TestOnOneMesh(MethodConformance):
    readings = 4000

    def create_method(self) -> Method:
        return LockIn(Update("adam", 0.2), dither=0.1, window=80, lead=0, batch=4)

    def create_lab(self, seed: int = 0) -> Lab:
        return one_mesh(seed=seed)[0]


@cache
def hopping() -> HoppingNetwork:
    return default_network(3).with_readout_std()


def dopant_lab(imperfections: Imperfections, slew: float = 60.0) -> tuple[Lab, "Chip"]:
    """A hopping network whose output is to tell four inputs apart, and the model of it for autograd."""
    network = hopping()
    names = network.electrodes
    low, high = network.low.numpy(), network.high.numpy()
    electrodes = ChannelGroup(names, "V", low, high, np.full(len(names), slew))
    whole = EmulatedDevice(ImperfectChip(network, imperfections, 5), electrodes, "e8", 1000.0)
    device = whole.with_inputs(names[:2])
    points = np.array([[a, b] for a in (-0.4, 0.2) for b in (-0.4, 0.2)])
    targets = torch.tensor([[0.0], [1.0], [1.0], [0.0]], dtype=torch.float64)

    def error(outputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return squared_error(outputs / 20e-9, wanted)

    examples = Examples(points, targets)
    task = TuningTask(examples, examples, error, lambda outputs, wanted: -error(outputs, wanted))
    start = np.random.default_rng(2).uniform(0.3, 0.7, len(names) - 2)
    limits = Limits.of(device.controls)
    return Lab(device, Problem(task, limits), limits.controls(start)), Chip(network)


class Chip(torch.nn.Module):
    def __init__(self, network: HoppingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        every = torch.cat((inputs, controls.expand(len(inputs), -1)), dim=-1)
        return self.network.current(every)


def test_on_a_dopant_network_it_is_the_gradient() -> None:
    lab, true = dopant_lab(Imperfections.none())
    theta = lab.problem.limits.theta(lab.start)
    rows = np.arange(4)
    wanted = true_gradient(lab.problem, true, theta, rows)
    wrong = []
    for dither in (0.03, 0.01):
        method = LockIn(PLAIN, dither=dither, window=60, mains_Hz=0.0)
        method.check(lab.problem, lab.device)
        wrong.append(np.linalg.norm(estimated(method, lab, theta) - wanted) / np.linalg.norm(wanted))
    # what is left at the smaller one is what the emulated chip leaves between the points that it solves
    assert wrong[1] < 0.01 < wrong[0] < 0.03


def test_with_the_noise_of_a_dopant_network_it_is_the_gradient_within_it() -> None:
    lab, true = dopant_lab(Imperfections())
    theta = lab.problem.limits.theta(lab.start)
    wanted = true_gradient(lab.problem, true, theta, np.arange(4))
    method = LockIn(PLAIN)
    method.check(lab.problem, lab.device)
    estimates = np.array([estimated(method, lab, theta) for _ in range(4)])
    spread = estimates.std(axis=0, ddof=1) / np.sqrt(4.0)
    assert cosine(estimates.mean(axis=0), wanted) > 0.97
    allowed = 6.0 * spread + 0.03 * np.linalg.norm(wanted)
    assert (np.abs(estimates.mean(axis=0) - wanted) < allowed).all()


def slopes(lab: Lab, true: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
    inputs = torch.as_tensor(lab.problem.task.training.at(rows).inputs)
    return torch.func.jacrev(lambda phases: true(inputs, phases))(torch.as_tensor(lab.start))


def test_static_points_on_a_mesh_are_dithered_too() -> None:
    lab, true = one_mesh(noise=0.0)
    rows, some = np.arange(16), np.arange(12)
    jacobian = slopes(lab, true, rows)
    wrong = []
    for dither in (0.02, 0.01):
        query = LockIn(dither=dither, window=96, lead=0)._query(lab.start, rows, some)
        answer = query.take(lab.problem, lab.device)
        wrong.append(float((answer.slopes - jacobian).norm() / jacobian.norm()))
    assert wrong[1] < 2e-3
    # what is left is of the third order
    assert wrong[1] == pytest.approx(wrong[0] / 4.0, rel=0.05)


def test_samples_that_are_flagged_are_left_out() -> None:
    lab, true = one_mesh(noise=0.0)
    lab.device._full_scale = 6.0  # type: ignore[attr-defined]
    query = LockIn(dither=0.05, window=96, lead=0)._query(lab.start, np.arange(64), np.arange(12))
    answer = query.take(lab.problem, lab.device)
    some = answer.reading.usable
    assert 0 < int(some.sum()) < 64
    jacobian = slopes(lab, true, np.flatnonzero(some))
    torch.testing.assert_close(answer.slopes[some], jacobian, atol=0.05, rtol=0.05)


def test_near_its_limits_a_control_stays_inside() -> None:
    lab, _ = dopant_lab(Imperfections.none())
    group, seen = lab.device.controls, []  # type: ignore[var-annotated]
    run = EmulatedDevice.run

    class Watched(EmulatedDevice):
        def run(self, inputs):  # type: ignore[no-untyped-def]
            seen.append(inputs)
            return run(self, inputs)

    lab.device.__class__ = Watched  # type: ignore[assignment]
    method = LockIn(PLAIN, dither=0.05, window=60, mains_Hz=0.0)
    for theta in (np.zeros(len(group.names)), np.ones(len(group.names))):
        asked(method.step(lab.problem, method.begin(lab.problem, theta), 0), lab)
    for waveform in seen:
        tones = waveform[..., 2:]
        assert ((group.low <= tones) & (tones <= group.high)).all()
        # it swings by its whole amplitude all the same
        np.testing.assert_allclose(np.ptp(tones, axis=(0, 1)), 0.1 * (group.high - group.low), rtol=0.05)


GROUP = ChannelGroup(
    tuple("abcde"), "V", np.full(5, -1.0), np.full(5, 1.0), np.array([60.0, 25.0, 60.0, 9.0, 60.0])
)


@settings(max_examples=50, deadline=None)
@given(st.integers(4, 400), st.floats(0.001, 0.2), st.sampled_from([0.0, 50.0, 60.0]))
def test_tones_have_room_and_never_meet(half: int, amplitude: float, mains: float) -> None:
    try:
        dither = Dither.within(GROUP, 1000.0, np.full(5, amplitude), 2 * half, mains_Hz=mains)
    except PlanError as refused:
        assert "window" in str(refused)  # noqa: PT017
        return
    cycles = dither.cycles
    assert len(set(cycles)) == 5
    # no harmonic, sum or difference of two at a tone, aliases included
    window = 2 * half
    made = {(a + sign * b) % window for a in cycles for b in cycles for sign in (1, -1)}
    assert not made & ({*cycles} | {window - m for m in cycles})
    trace = dither.trace(np.zeros(5), lead=3)
    assert (np.abs(np.diff(trace, axis=0)) * 1000.0 <= GROUP.max_slew * (1.0 + 1e-9)).all()
    if mains:
        hum = mains / 1000.0 * window * np.arange(1, int(500.0 // mains) + 1)
        assert (np.abs(cycles[:, None] - hum) >= 1.0 - 1e-9).all()


def test_a_window_without_room_names_one_that_has_it() -> None:
    with pytest.raises(PlanError, match=r"a window of 20 samples has no room for 5 tones.*; (\d+) have"):
        Dither.within(GROUP, 1000.0, np.full(5, 0.05), 20)
    lab, _ = dopant_lab(Imperfections.none(), slew=0.5)
    with pytest.raises(PlanError, match="has no room"):
        LockIn(dither=0.1).check(lab.problem, lab.device)


def test_a_tone_and_a_drift_are_told_apart_exactly() -> None:
    dither = Dither(np.array([3, 7]), np.array([0.1, 0.2]), 40)
    moved = torch.as_tensor(dither.trace(np.zeros(2)))
    time = torch.arange(40, dtype=torch.float64)
    read = 5.0 + 0.3 * time + 2.0 * moved[:, 0] - 4.0 * moved[:, 1]
    usable = torch.ones(2, 40, dtype=torch.bool)
    usable[1, 5:7] = False
    broken = read.clone()
    broken[5:7] = 99.0
    found = dither.demodulated(torch.stack((read, broken))[..., None], usable)
    for point in range(2):
        torch.testing.assert_close(
            found.slopes[point, 0], torch.tensor([2.0, -4.0], dtype=torch.float64), rtol=1e-9, atol=1e-9
        )
        assert float(found.lagging[point].abs().max()) < 1e-9


def test_limits_narrower_than_the_devices_hold_for_the_tones() -> None:
    lab, _ = dopant_lab(Imperfections.none())
    group = lab.device.controls
    low = group.low + 0.4 * (group.high - group.low)
    narrow = replace(lab.problem, limits=Limits.of(group, low=low))
    method = LockIn(PLAIN, dither=0.05, window=60, mains_Hz=0.0)
    query = method._query(np.zeros(len(low)), np.arange(4), np.arange(len(low)))
    dither = query.plan(narrow, lab.device)
    assert (dither.amplitudes == 0.05 * (group.high - low)).all()


@pytest.mark.parametrize(
    "settings",
    [{"batch": 0}, {"window": 7}, {"window": 4}, {"lead": -1}, {"dither": 0.0}, {"mains_Hz": -1.0}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        LockIn(**settings)  # type: ignore[arg-type]


def test_through_the_benchs_instruments(tmp_path: Path) -> None:
    from tests.drivers.emulated import current, laboratory

    with laboratory(tmp_path) as bench:
        bench.chip.calibrate_amplifier()
        device = bench.chip.with_inputs(["e2"])
        limits = Limits.of(device.controls)
        targets = torch.tensor([[0.0], [1.0], [0.5]], dtype=torch.float64)
        examples = Examples(np.array([[-0.9], [0.0], [0.4]]), targets)
        task = TuningTask(
            examples,
            examples,
            lambda outputs, wanted: squared_error(outputs / 20e-9, wanted),
            lambda outputs, wanted: -squared_error(outputs / 20e-9, wanted),
        )
        controls = np.array([-0.2, 0.29])  # the second is nearer to its end than a dither
        lab = Lab(device, Problem(task, limits), controls)
        method = LockIn(PLAIN, dither=0.03)
        method.check(lab.problem, device)
        stepped = asked(method.step(lab.problem, method.begin(lab.problem, limits.theta(controls)), 0), lab)
        found = limits.theta(controls) - stepped.state.theta
        assert stepped.figures["lag"] < 0.02
        assert device.cost.readings == method.cost(lab.problem) == 3 * 201
        bench.assert_inside_the_envelope()
    # of the formula, at the place that the tones were moved to
    at = torch.tensor([-0.2, 0.3 - 0.03], dtype=torch.float64)

    def loss(volts: torch.Tensor) -> float:
        every = np.column_stack([np.full(3, volts[0]), examples.inputs[:, 0], np.full(3, volts[1])])
        outputs = torch.as_tensor(current(every))[:, None]
        return float(task.loss(outputs, targets).mean())

    step = 1e-5
    wanted = np.array(
        [
            (loss(at + step * direction) - loss(at - step * direction)) / (2.0 * step) * scale
            for direction, scale in zip(torch.eye(2, dtype=torch.float64), limits.scale, strict=True)
        ]
    )
    np.testing.assert_allclose(found, wanted, atol=0.03 * np.linalg.norm(wanted))
