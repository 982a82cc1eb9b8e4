"""A mesh is found from powers at ideal phases alone; how well is judged at settings that the fit never saw."""

import numpy as np
import pytest
import torch

from calibration.device import Array
from calibration.errors import ModelFileError, NotEnoughData, ShapeError
from calibration.mesh.bare import mesh_fit
from calibration.mesh.readings import PowerNoise
from calibration.mesh.twin import FitPlan, FitState
from simulators.models.mesh import Fabrication, Mesh, MeshLayout, fabricate

LAYOUT = MeshLayout("rectangular", 8)
NOISE = PowerNoise(floor_W=1e-4, relative=0.01)
SHORT = FitPlan(steps=60, refinements=4)


def powers(mesh: Mesh, phases: Array) -> Array:
    with torch.no_grad():
        matrix = mesh.matrix(torch.as_tensor(phases))
    found: Array = matrix.mT.abs().square().numpy()
    return found


def read(seed: int, settings: int = 64) -> tuple[Mesh, Array, Array]:
    """A hidden mesh, random phases, and what detectors with the noise above read."""
    hidden = fabricate(LAYOUT, Fabrication.perfect(splitter_rad=0.05, phase_rad=0.1), seed).mesh
    rng = np.random.default_rng(seed)
    phases = 2.0 * np.pi * rng.random((settings, len(LAYOUT.shifters)))
    light = powers(hidden, phases)
    return hidden, phases, light + NOISE.std(light) * rng.standard_normal(light.shape)


def fidelity(hidden: Mesh, found: Mesh) -> float:
    unseen = 2.0 * np.pi * np.random.default_rng(99).random((20, len(LAYOUT.shifters)))
    return float(np.sqrt(powers(hidden, unseen) * powers(found, unseen)).sum((1, 2)).mean() / LAYOUT.ports)


def test_unseen_settings_are_predicted_and_the_noise_floor_is_reached() -> None:
    hidden, phases, light = read(1)
    fit = mesh_fit(Mesh(LAYOUT), phases, light, NOISE, plan=SHORT)
    assert fit.start_residuals[1] > 5.0
    found = fit.run().mesh
    assert fidelity(hidden, Mesh(LAYOUT)) < 0.995
    assert fidelity(hidden, found) > 0.99999
    assert fit.settled
    train, held_out = fit.residuals()
    assert 0.97 < train < 1.0  # what 112 unknowns take from 3,456 readings is 1.6 %
    assert 1.0 < held_out < 1.05


def test_a_resumed_fit_ends_as_if_it_had_not_stopped() -> None:
    _, phases, light = read(2)
    whole = mesh_fit(Mesh(LAYOUT), phases, light, NOISE, plan=SHORT)
    whole.run()
    for stop in (25, 61):
        first = mesh_fit(Mesh(LAYOUT), phases, light, NOISE, plan=SHORT)
        for step in first:
            if step.step == stop:
                break
        second = mesh_fit(Mesh(LAYOUT), phases, light, NOISE, plan=SHORT, state=first.state())
        second.run()
        assert torch.equal(second.z, whole.z)
        assert len(second.history) == len(whole.history)


def test_a_state_of_another_fit_is_refused() -> None:
    _, phases, light = read(3)
    state = mesh_fit(Mesh(LAYOUT), phases, light, NOISE, plan=SHORT).state()
    with pytest.raises(ModelFileError, match="plan"):
        mesh_fit(Mesh(LAYOUT), phases, light, NOISE, plan=FitPlan(steps=10), state=state)
    cut = FitState({"z": state.tensors["z"][:3], "moments": state.tensors["moments"]}, state.record)
    with pytest.raises(ModelFileError, match="z does not fit"):
        mesh_fit(Mesh(LAYOUT), phases, light, NOISE, plan=SHORT, state=cut)


def test_too_few_settings_are_refused() -> None:
    _, phases, light = read(4, settings=64)
    mesh_fit(Mesh(LAYOUT), phases[:6], light[:6], NOISE)
    with pytest.raises(NotEnoughData, match="2 settings"):
        mesh_fit(Mesh(LAYOUT), phases[:2], light[:2], NOISE)
    with pytest.raises(NotEnoughData, match="96 usable readings at 12 settings for 112 unknowns"):
        mesh_fit(Mesh(LAYOUT), phases[:14], light[:14, :1], NOISE, fields=np.eye(8, dtype=np.complex128)[:1])


def test_readings_that_are_not_finite_are_left_out_and_counted() -> None:
    hidden, phases, light = read(5)
    light[3], light[:, :, 2], light[7, 0, 0] = np.nan, np.inf, -np.inf
    fit = mesh_fit(Mesh(LAYOUT), phases, light, NOISE, plan=SHORT)
    assert fit.excluded == 64 + 63 * 8 + 1
    assert fidelity(hidden, fit.run().mesh) > 0.9999


def test_readings_of_another_mesh_are_refused() -> None:
    _, phases, light = read(6)
    with pytest.raises(ShapeError, match="not of this model"):
        mesh_fit(Mesh(MeshLayout("triangular", 6)), phases, light[:, :6, :6], NOISE)
    with pytest.raises(ShapeError, match="different numbers of settings"):
        mesh_fit(Mesh(LAYOUT), phases[:9], light, NOISE)
