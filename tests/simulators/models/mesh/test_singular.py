"""Any matrix through two meshes and attenuators."""

import numpy as np
import pytest
import torch

from simulators.errors import ModelError
from simulators.models.mesh.singular import SingularValueForm


@pytest.mark.parametrize("kind", ["rectangular", "triangular"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (4, 7), (7, 4), (16, 16)], ids=str)
@pytest.mark.parametrize("real", [True, False])
def test_any_shape(kind, shape, real):
    rng = np.random.default_rng(0)
    target = 3.0 * rng.standard_normal(shape) + (0 if real else 1j * rng.standard_normal(shape))
    form = SingularValueForm.of(target, kind)
    np.testing.assert_allclose(form.matrix().numpy(), target, atol=1e-10)
    assert form.scale == pytest.approx(np.linalg.norm(target, 2))
    np.testing.assert_allclose(
        form.amplitudes().abs().numpy(),
        np.linalg.svd(target, compute_uv=False) / float(form.scale),
        atol=1e-12,
    )


@pytest.mark.parametrize(
    "target",
    [np.zeros((3, 4)), np.ones((4, 3)), np.eye(3), np.diag([1.0, 1.0, 0.0, 1e-14]), 1e-200 * np.ones((2, 2))],
)
def test_matrices_without_full_rank(target):
    np.testing.assert_allclose(SingularValueForm.of(target).matrix().numpy(), target, atol=1e-10)


def test_many_at_once_and_fields_through_them():
    rng = np.random.default_rng(1)
    targets = rng.standard_normal((2, 3, 4, 5))
    form = SingularValueForm.of(torch.as_tensor(targets))
    np.testing.assert_allclose(form.matrix().numpy(), targets, atol=1e-10)
    fields = torch.as_tensor(rng.standard_normal((2, 3, 10, 5)))
    np.testing.assert_allclose(
        form(fields).numpy(), np.einsum("abij,abkj->abki", targets, fields), atol=1e-10
    )


def test_it_can_be_trained():
    form = SingularValueForm.of(np.random.default_rng(2).standard_normal((3, 4)))
    for parameter in (form.before_phases, form.after_phases, form.attenuator_theta, form.output):
        parameter.requires_grad_()
    form.matrix().abs().square().sum().backward()
    # The sum of squares is that of the singular values, which the attenuators alone decide.
    singular = form.scale * (form.attenuator_theta / 2).sin()
    slope = 2 * singular * form.scale * (form.attenuator_theta / 2).cos() / 2
    np.testing.assert_allclose(form.attenuator_theta.grad.numpy(), slope.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(form.before_phases.grad.numpy(), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (np.array([[1.0, np.inf]]), r"not finite: element \(0, 1\)"),
        (np.ones(3), r"not \(3,\)"),
        (np.ones((2, 0)), r"not \(2, 0\)"),
        (np.ones((2, 129)), "a mesh of 129 ports"),
    ],
)
def test_what_has_no_such_form(target, says):
    with pytest.raises(ModelError, match=says):
        SingularValueForm.of(target)
