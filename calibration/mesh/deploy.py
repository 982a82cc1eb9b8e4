"""A target matrix on a calibrated chip: from the unitary to the heaters' voltages, and how good it will be."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, minimize
from torch import Tensor

from calibration.device import Array
from calibration.mesh.correction import Clipping, corrected, uncorrected
from calibration.mesh.drive import (
    NO_LIMITS,
    Drive,
    HeaterLimits,
    dead_heaters,
    drive,
    of_powers,
    power_ceiling,
)
from calibration.mesh.fidelity import (
    amplitude_fidelity,
    hilbert_schmidt_fidelity,
    output_overlaps,
    output_shares,
    total_variation,
)
from simulators.models.mesh import PhotonicChip
from simulators.models.threads import one_thread


@dataclass(frozen=True, eq=False)
class Deployment:
    """A matrix as it will be on the chip, if the twin is right.

    Attributes:
        target: what was asked, (N, N), complex.
        drive: the heaters' voltages, powers, currents, phases, and the shifters that cannot reach theirs.
        matrix: what the twin's mesh does with them, losses included, (N, N), complex.
        output: phases after the outputs that bring it nearest to the target, (N,) in rad; no power meter sees them.
        clipped: MZIs that cannot split as asked.
    """

    target: Tensor
    drive: Drive
    matrix: Tensor
    output: Tensor
    clipped: tuple[Clipping, ...]

    @property
    def amplitude_fidelity(self) -> float:
        """See `calibration.mesh.fidelity.amplitude_fidelity`."""
        return float(amplitude_fidelity(output_shares(self.target), output_shares(self.matrix)))

    @property
    def fidelity(self) -> float:
        """Hilbert-Schmidt fidelity up to output phases; see `calibration.mesh.fidelity`."""
        return float(hilbert_schmidt_fidelity(self.target, self.matrix))

    @property
    def total_variation(self) -> float:
        """Total variation distance of the output powers; see `calibration.mesh.fidelity`."""
        return float(total_variation(output_shares(self.target), output_shares(self.matrix)))


def deploy(
    target: ArrayLike | Tensor,
    twin: PhotonicChip,
    *,
    correct: bool = True,
    dead: Collection[str] = (),
    limits: HeaterLimits = NO_LIMITS,
    refinement: int = 0,
) -> Deployment:
    """Find the voltages with which `twin` comes nearest to the unitary `target` (N, N).

    Args:
        correct: whether to correct for the splitters; without it phase offsets and crosstalk alone are.
        dead: shifters whose heaters are not to be used, such as those whose calibration failed.
        refinement: steps by which the live heaters' powers are then improved on the twin, by gradients of the
            Hilbert-Schmidt fidelity: makes up for dead heaters, clipped MZIs and unequal losses as far as the
            others can.

    Raises:
        ModelError: no mesh of this size can have the target.
        ShapeError: a dead heater that there is not.
        PowerLimit: the heaters would draw too much together.
    """
    mesh, names = twin.mesh, twin.mesh.layout.shifters
    setting = (corrected if correct else uncorrected)(target, mesh)
    wanted = setting.phases.numpy()
    matrix = torch.as_tensor(target).detach().to(torch.complex128)
    driven = drive(wanted, twin.heaters, names, dead, limits)
    if refinement:
        with one_thread():  # a mesh of 64 ports is small enough that more of them only wait for one another
            powers = _refined(matrix, twin, driven.powers_W, dead, limits, refinement)
        reasons = {names.index(one.name): one.reason for one in driven.unreached}
        driven = of_powers(powers, wanted, twin.heaters, names, reasons, limits)
    with torch.no_grad():
        realised = mesh.matrix(torch.as_tensor(driven.phases))
    output = output_overlaps(matrix, realised).angle()
    return Deployment(matrix, driven, realised, output, setting.clipped)


def _refined(
    target: Tensor,
    twin: PhotonicChip,
    start_W: Array,
    dead: Collection[str],
    limits: HeaterLimits,
    steps: int,
) -> Array:
    most = power_ceiling(twin.heaters, limits)
    most[dead_heaters(twin.heaters, twin.mesh.layout.shifters, dead)] = 0.0
    scale = np.where(most > 0.0, most, 1.0)

    def loss(settings: Array) -> tuple[float, Array]:
        powers = torch.tensor(settings * scale, requires_grad=True)
        matrix = twin.mesh.matrix(twin.heaters.phases(powers))
        value = 1.0 - hilbert_schmidt_fidelity(target, matrix)
        (slope,) = torch.autograd.grad(value, powers)
        return float(value.detach()), slope.numpy() * scale

    found = minimize(
        loss,
        np.minimum(start_W, most) / scale,
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(np.zeros_like(most), most / scale),
        options={"maxiter": steps, "ftol": 1e-15, "gtol": 1e-10},
    )
    return found.x * scale
