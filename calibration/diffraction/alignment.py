"""Where the planes of a diffractive network really stand, from a few hundred readings of its detectors.

A handful of numbers for the whole network: a shift of each plane and of the detectors, a turn of each plane, an error
of each distance, and how bright the light is. They are fitted by least squares through the model. Settings of coarse
blocks come first: their light changes slowly with a shift, so that the fit finds its way from a pixel or two away;
finer ones then tell the place exactly. Errors of single pixels stay, as a floor of the misfit.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import NotEnoughData, PlanError, ShapeError
from simulators.models.diffraction import DiffractiveNetwork

_TURN = 2.0 * math.pi
_STEP = 0.01
"""Of differences, in the units of the unknowns: far above single precision, far below where light changes its way."""
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class AlignmentPlan:
    """How to read a network for where its planes are.

    Attributes:
        blocks: sides of the blocks that share a random phase, in settings, coarse ones first.
        settings: random settings of all planes for each size of block.
        inputs: random patterns at each setting, amplitudes from 0 to 1.
        shift_m, rotation_rad, distance_m: how far off planes, turns and distances are likely to be, as standard
            deviations; what the readings tell badly stays near the design.
        expected_misfit: relative error of the amplitudes that errors of single pixels leave.
        iterations: of the fit, at most, for each size of block.
        seed: of everything random.
    """

    blocks: tuple[int, ...] = (8, 4, 2)
    settings: int = 32
    inputs: int = 2
    shift_m: float = 10e-6
    rotation_rad: float = 0.02
    distance_m: float = 100e-6
    expected_misfit: float = 0.1
    iterations: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("settings", "inputs", "iterations"):
            if getattr(self, name) < 1:
                raise PlanError(f"{name} {getattr(self, name)}: at least 1")
        for name in ("shift_m", "rotation_rad", "distance_m", "expected_misfit"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise PlanError(f"{name} {getattr(self, name)}: should be positive")
        if not self.blocks or min(self.blocks) < 1:
            raise PlanError(f"blocks {self.blocks}: sizes of at least 1, such as 8, 4, 2")

    @property
    def readings(self) -> int:
        """What it costs."""
        return len(self.blocks) * self.settings * self.inputs


@dataclass(frozen=True, eq=False)
class AlignmentReadings:
    """Powers in W of the detectors at the settings of one size of block after another.

    Attributes:
        controls: (blocks, settings, n_controls).
        inputs: (blocks, settings, inputs, n_inputs).
        powers: (blocks, settings, inputs, detectors).
    """

    controls: Tensor
    inputs: Tensor
    powers: Tensor


@dataclass(frozen=True, eq=False)
class Alignment:
    """How a network differs from its design.

    Attributes:
        shift_m: of each plane and of the detectors, (planes + 1, 2), down and across.
        rotation_rad: of each plane, (planes,).
        distance_error_m: of each distance, (planes + 1,).
        gain: how much more light there is.
        misfit: error of the amplitudes left, relative to their root mean square.
    """

    shift_m: Tensor
    rotation_rad: Tensor
    distance_error_m: Tensor
    gain: float
    misfit: float

    @torch.no_grad()
    def applied(self, network: DiffractiveNetwork) -> DiffractiveNetwork:
        """A copy of `network` that is put together so."""
        twin = copy.deepcopy(network)
        twin.shift_m.copy_(self.shift_m)
        twin.distance_error_m.copy_(self.distance_error_m)
        twin.planes.rotation_rad.copy_(self.rotation_rad)
        twin.pattern.illumination.mul_(math.sqrt(self.gain))
        return twin


def read_alignment(
    device: Device, network: DiffractiveNetwork, plan: AlignmentPlan | None = None
) -> AlignmentReadings:
    """Drive `device` as `plan` says; it costs `plan.readings`.

    Args:
        network: the design, for its shapes and its look-up table alone.

    Raises:
        ShapeError: the device is no such network.
        NotEnoughData: a reading is flagged.
    """
    plan = plan or AlignmentPlan()
    shape = len(device.inputs.names), len(device.controls.names), len(device.outputs.names)
    if shape != (network.n_inputs, network.n_controls, network.n_outputs):
        raise ShapeError(
            f"the device has {shape[0]} inputs, {shape[1]} controls and {shape[2]} outputs, the network "
            f"{network.n_inputs}, {network.n_controls} and {network.n_outputs}; name the design of this device"
        )
    generator = torch.Generator().manual_seed(plan.seed)
    controls = torch.stack([_settings(network, size, plan.settings, generator) for size in plan.blocks])
    lead = controls.shape[:2]
    inputs = torch.rand((*lead, plan.inputs, network.n_inputs), generator=generator, dtype=torch.float64)
    powers = torch.empty((*lead, plan.inputs, network.n_outputs), dtype=torch.float64)
    for k, row in np.ndindex(*lead):
        device.set_controls(controls[k, row].numpy())
        response = device.run(inputs[k, row].numpy()[None])
        if response.flags.any():
            raise NotEnoughData(
                f"{int((response.flags != 0).sum())} of {plan.inputs} readings are flagged, such as by a saturated "
                "detector; lower the light"
            )
        powers[k, row] = torch.as_tensor(response.outputs[0])
    return AlignmentReadings(controls, inputs, powers)


def _settings(network: DiffractiveNetwork, size: int, count: int, generator: torch.Generator) -> Tensor:
    """Controls (count, n_controls) of blocks of random phases."""
    rows, columns = network.design.pixels
    blocks = (count, network.design.planes, -(-rows // size), -(-columns // size))
    phases = _TURN * torch.rand(blocks, generator=generator, dtype=torch.float64)
    phases = phases.repeat_interleave(size, -2)[..., :rows, :]
    phases = phases.repeat_interleave(size, -1)[..., :columns].flatten(1)
    return phases if network.table is None else network.table.nearest(phases).double()


def fit_alignment(
    network: DiffractiveNetwork, readings: AlignmentReadings, plan: AlignmentPlan | None = None
) -> Alignment:
    """What explains the readings best, in the sense of least squares of amplitudes; starts at the design's places."""
    plan = plan or AlignmentPlan()
    fit = _Fit(network, plan)
    found = np.zeros(fit.count)
    wanted = readings.powers.clamp(min=0.0).sqrt()
    if not float(wanted.square().mean()) > 0.0:
        raise NotEnoughData("the detectors read no light at all; open the shutter, or look for the light")
    for k in range(len(readings.powers)):
        rows = slice(0, k + 1)
        misfit = partial(
            fit.misfit, controls=readings.controls[rows], inputs=readings.inputs[rows], wanted=wanted[rows]
        )
        jacobian = partial(_jacobian, misfit)
        found = least_squares(
            misfit, found, jac=jacobian, ftol=_TOLERANCE, xtol=_TOLERANCE, max_nfev=plan.iterations
        ).x
    left = misfit(found)[: wanted.numel()]
    return fit.alignment(found, float(np.sqrt(np.square(left).mean())))


def _jacobian(misfit: Callable[[Array], Array], values: Array) -> Array:
    before = misfit(values)
    return np.stack(
        [(misfit(values + step) - before) / _STEP for step in _STEP * np.eye(len(values))], axis=1
    )


class _Fit:
    """The unknowns in units in which each matters by about as much, and what they explain."""

    def __init__(self, network: DiffractiveNetwork, plan: AlignmentPlan) -> None:
        design = network.design
        self._network = DiffractiveNetwork(design, network.table, torch.complex64)
        self._planes = design.planes
        self._pitch_m = design.grid.pitch_m
        self._turn_rad = 2.0 / max(design.grid.shape)
        self._depth_m = design.grid.pitch_m**2 / design.wavelength_m
        self.count = 4 * design.planes + 4
        n = design.planes + 1
        self._rarity = plan.expected_misfit * np.concatenate(
            (
                np.full(2 * n, self._pitch_m / plan.shift_m),
                np.full(n - 1, self._turn_rad / plan.rotation_rad),
                np.full(n, self._depth_m / plan.distance_m),
                np.zeros(1),
            )
        )

    def alignment(self, values: Array, misfit: float = math.nan) -> Alignment:
        """Of the unknowns (count,): shifts in pitches, turns by a sample at the rim, distances, gain."""
        n = self._planes + 1
        shifts, turns, further, gain = np.split(values, [2 * n, 3 * n - 1, 4 * n - 1])
        return Alignment(
            torch.as_tensor(self._pitch_m * shifts).view(n, 2),
            torch.as_tensor(self._turn_rad * turns),
            torch.as_tensor(self._depth_m * further),
            float(np.exp(gain[0])),
            misfit,
        )

    def misfit(self, values: Array, controls: Tensor, inputs: Tensor, wanted: Tensor) -> Array:
        """Errors of the amplitudes, relative to their root mean square, and what the unknowns ask of the assembly."""
        errors = (self.amplitudes(values, controls, inputs) - wanted) / wanted.square().mean().sqrt()
        return np.concatenate((errors.flatten().numpy(), values * self._rarity))

    @torch.no_grad()
    def amplitudes(self, values: Array, controls: Tensor, inputs: Tensor) -> Tensor:
        """Roots of the modelled powers, of the shape of those read."""
        model = self.alignment(values).applied(self._network)
        powers: Tensor = model(inputs.float(), controls[..., None, :].float())
        return powers.double().sqrt()
