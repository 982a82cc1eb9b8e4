"""Any matrix as two meshes with a column of attenuators between them."""

from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from simulators.errors import ModelError
from simulators.models.mesh.decomposition import decompose
from simulators.models.mesh.layout import Kind, MeshLayout
from simulators.models.mesh.mesh import Mesh
from simulators.models.mesh.mzi import mzi_elements


class SingularValueForm(nn.Module):
    """A matrix (outputs, inputs) = scale · U Σ V†: light passes the mesh of V†, attenuators, the mesh of U.

    An attenuator is an MZI of which the upper input and output are used: its amplitude is sin(θ/2). `scale` is the
    largest singular value, so that none of them has to amplify: it is owed by a gain outside the chip. A side
    with a single port has a mesh of two, the second one dark.

    The phases are parameters without gradient: whoever trains them turns it on. They may have leading axes, for
    many matrices at once. The meshes and attenuators are perfect until their errors are set.

    Attributes:
        shape: (outputs, inputs).
        before, after: the meshes of V† and U.
        before_phases, after_phases: of their shifters, (..., 2 M).
        attenuator_theta, attenuator_phi: phases of the attenuators, (..., K), K = min(outputs, inputs).
        splitter_in, splitter_out, transmission: errors of the attenuators as in `Mesh`, (K,).
        output: phases after the outputs, (..., outputs).
        scale: (...).
    """

    def __init__(
        self, outputs: int, inputs: int, kind: Kind = "rectangular", lead: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.shape = outputs, inputs
        self.before = Mesh(MeshLayout(kind, max(inputs, 2)))
        self.after = Mesh(MeshLayout(kind, max(outputs, 2)))
        k = min(self.shape)

        def fixed(value: float, *shape: int) -> nn.Parameter:
            return nn.Parameter(torch.full(shape, value, dtype=torch.float64), requires_grad=False)

        self.before_phases = fixed(0.0, *lead, len(self.before.layout.shifters))
        self.after_phases = fixed(0.0, *lead, len(self.after.layout.shifters))
        self.attenuator_theta, self.attenuator_phi = fixed(0.0, *lead, k), fixed(0.0, *lead, k)
        self.splitter_in, self.splitter_out, self.transmission = fixed(0.0, k), fixed(0.0, k), fixed(1.0, k)
        self.output, self.scale = fixed(0.0, *lead, outputs), fixed(1.0, *lead)

    @classmethod
    def of(cls, target: ArrayLike | Tensor, kind: Kind = "rectangular") -> Self:
        """The form of `target` (..., outputs, inputs), real or complex.

        Raises ModelError for a matrix that is not finite, or larger than a mesh can be (128).
        """
        matrices = np.asarray(
            target.detach().cpu().numpy() if isinstance(target, Tensor) else target, dtype=np.complex128
        )
        if matrices.ndim < 2 or 0 in matrices.shape:
            raise ModelError(
                f"a singular-value form needs matrices (..., outputs, inputs), not {matrices.shape}"
            )
        if not np.isfinite(matrices).all():
            at = tuple(int(k) for k in np.argwhere(~np.isfinite(matrices))[0])
            raise ModelError(f"the matrix is not finite: element {at} is {matrices[at]}")
        lead, (outputs, inputs) = matrices.shape[:-2], matrices.shape[-2:]
        form = cls(outputs, inputs, kind, lead)
        for index in np.ndindex(*lead):
            form._set(index, matrices[index])
        return form

    def _set(self, index: tuple[int, ...], target: np.ndarray) -> None:
        after, values, before = np.linalg.svd(target)
        scale = float(values[0]) or 1.0  # a matrix of zeros is what shut attenuators make
        first = decompose(_at_least_two(before), self.before.layout)
        last = decompose(_at_least_two(after), self.after.layout)
        k = min(self.shape)
        theta = 2.0 * torch.as_tensor(np.arcsin(np.minimum(values / scale, 1.0)))
        self.before_phases[index], self.after_phases[index] = first.phases, last.phases
        self.attenuator_theta[index] = theta
        # What an attenuator's own phase is, and what the mesh before it leaves, is undone here.
        self.attenuator_phi[index] = first.output[:k] - theta / 2.0 - torch.pi / 2.0
        self.output[index], self.scale[index] = last.output[: self.shape[0]], scale

    def amplitudes(self) -> Tensor:
        """Complex amplitudes (..., K) of the attenuators."""
        errors = self.splitter_in, self.splitter_out, self.transmission
        return mzi_elements(self.attenuator_theta, self.attenuator_phi, *errors)[..., 0, 0]

    def forward(self, fields: Tensor) -> Tensor:
        """Fields (..., batch, outputs) for fields (..., batch, inputs), `scale` included."""
        return fields.to(torch.complex128) @ self.matrix().mT

    def matrix(self) -> Tensor:
        """What the chip does times `scale`, (..., outputs, inputs)."""
        (outputs, inputs), k = self.shape, min(self.shape)
        before = self.before.matrix(self.before_phases)[..., :k, :inputs]
        after = self.after.matrix(self.after_phases)[..., :outputs, :k]
        turned = torch.polar(self.scale[..., None].expand(self.output.shape), self.output)
        return turned[..., :, None] * (after @ (self.amplitudes()[..., :, None] * before))


def _at_least_two(unitary: np.ndarray) -> np.ndarray:
    if len(unitary) > 1:
        return unitary
    return np.diag(np.append(unitary.ravel(), 1.0))
