"""The phases between the meshes of a network, found from powers behind the meshes.

Powers from inputs at single ports tell a mesh up to phases at its inputs and its outputs. In a network these add up,
between each mesh and the next, to a phase screen that is felt: an activation that sees the power alone lets the phases
behind a mesh pass, and they meet those in front of the next. So when each mesh has been calibrated on its own, the
screens are what is left, and they are found from the network driven with light at all ports at once.

Powers behind a mesh are |Σ_j M_ij f_j u_j|² with known matrix M and fields f, and the screen u = e^{jδ} unknown: phase
retrieval. The leading eigenvector of the weighted sum of the rows' projectors starts it (Candès, Li,
Soltanolkotabi, IEEE Trans. Inf. Theory 61, 1985 (2015)); Adam on the phases of all screens together ends it.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import NotEnoughData, PlanError, ShapeError
from simulators.models.optical import MeshNetwork


@dataclass(frozen=True)
class ScreenPlan:
    """How to read a network for its screens, and how to fit them.

    Attributes:
        settings: random settings of all phases.
        inputs: random fields at each of them, light of random amplitude and phase at every port.
        mean_power: of the fields, at each port: as high as in use, so that the activation works where it will.
        largest_theta_rad: internal phases are drawn up to this. Low ones cross, so that light from every port
            reaches the few that are read behind the last mesh; with phases from anywhere it spreads like heat.
        steps, rate: of Adam.
        seed: of everything random.
    """

    settings: int = 16
    inputs: int = 32
    mean_power: float = 5.0
    largest_theta_rad: float = 0.6
    steps: int = 100
    rate: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.settings, self.inputs, self.steps) < 1:
            raise PlanError(
                f"settings {self.settings}, inputs {self.inputs}, steps {self.steps}: at least 1 each"
            )
        for name in ("mean_power", "largest_theta_rad", "rate"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise PlanError(f"{name} {getattr(self, name)}: should be positive")


@dataclass(frozen=True, eq=False)
class ScreenReadings:
    """Powers of a network at S settings with T inputs each.

    Attributes:
        phases: (S, n_controls) in rad.
        inputs: in-phase and quadrature amplitudes (S, T, 2 N).
        powers: behind each mesh, (S, T, N); behind the last, of the ports that are read. None where there is no tap.
    """

    phases: Tensor
    inputs: Tensor
    powers: Sequence[Tensor | None]


def read_screens(device: Device, network: MeshNetwork, plan: ScreenPlan) -> ScreenReadings:
    """Drive `device` as `plan` says; costs settings × inputs readings.

    Args:
        network: the design, for its shapes alone.

    Raises:
        ShapeError: the device is no such network.
        NotEnoughData: a reading is flagged.
    """
    if (len(device.inputs.names), len(device.controls.names)) != (network.n_inputs, network.n_controls):
        raise ShapeError(
            f"the device has {len(device.inputs.names)} inputs and {len(device.controls.names)} controls, the "
            f"network {network.n_inputs} and {network.n_controls}; name the design of this device"
        )
    generator = torch.Generator().manual_seed(plan.seed)
    share = torch.rand(plan.settings, network.n_controls, generator=generator, dtype=torch.float64)
    phases = 2.0 * math.pi * share
    for part in torch.split(phases, network.sizes, dim=-1):
        part[:, : part.shape[1] // 2] *= plan.largest_theta_rad / (2.0 * math.pi)
    amplitude = math.sqrt(plan.mean_power / 2.0)
    inputs = amplitude * torch.randn(
        plan.settings, plan.inputs, network.n_inputs, generator=generator, dtype=torch.float64
    )
    inputs = inputs.clamp(-3.0 * amplitude, 3.0 * amplitude)
    taps = [f"mesh{k}" for k in range(len(network.sizes) - 1)]
    read: dict[str, list[Array]] = {name: [] for name in (*(tap for tap in taps if tap in device.taps), "")}
    for setting, fields in zip(phases, inputs, strict=True):
        device.set_controls(setting.numpy())
        response = device.run(fields.numpy()[None])
        if response.flags.any():
            raise NotEnoughData(
                f"{int((response.flags != 0).sum())} of {plan.inputs} readings are flagged, such as by a saturated "
                f"detector; lower the mean_power of {plan.mean_power:g}"
            )
        for name, rows in read.items():
            rows.append(response.taps[name][0] if name else response.outputs[0])
    powers = {name: torch.stack([torch.as_tensor(row) for row in rows]) for name, rows in read.items()}
    return ScreenReadings(phases, inputs, [powers.get(name) for name in (*taps, "")])


def fit_screens(twin: MeshNetwork, readings: ScreenReadings, plan: ScreenPlan) -> tuple[MeshNetwork, float]:
    """A copy of `twin` with the screens that explain the readings, and the relative error of the amplitudes left.

    The twin's meshes stay as they are. With a tap behind every inner mesh the screens may be anything. From the
    first mesh without one on, the fit starts at the twin's present screens and finds none that is far away: then the
    error left is far above that of a reading.
    """
    fitted = copy.deepcopy(twin)
    with torch.no_grad():
        for mesh in fitted.chain[:-1]:
            mesh.output_offset.zero_()
        matrices = [
            mesh.matrix(part)
            for mesh, part in zip(fitted.chain, torch.split(readings.phases, twin.sizes, dim=-1), strict=True)
        ]
        light = twin.fields(readings.inputs)
        present = [twin.input_offset, *(mesh.output_offset for mesh in twin.chain[:-1])]
        screens = _start(matrices, light, readings.powers, [screen.clone() for screen in present], twin)
    for screen in screens:
        screen.requires_grad_()
    wanted = [None if power is None else power.clamp(min=0.0).sqrt() for power in readings.powers]
    optimizer = torch.optim.Adam(screens, lr=plan.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.steps)
    for _ in range(plan.steps):
        optimizer.zero_grad()
        loss = _misfit(matrices, light, wanted, screens, twin)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        left = math.sqrt(float(_misfit(matrices, light, wanted, screens, twin)))
        fitted.input_offset.copy_(screens[0])
        for mesh, screen in zip(fitted.chain, screens[1:], strict=False):
            mesh.output_offset.copy_(screen)
    return fitted, left


def _start(
    matrices: Sequence[Tensor],
    light: Tensor,
    powers: Sequence[Tensor | None],
    screens: list[Tensor],
    network: MeshNetwork,
) -> list[Tensor]:
    """Screens mesh by mesh from the powers behind it, given those before, as long as powers are known."""
    fields = light
    for k, (matrix, power) in enumerate(zip(matrices, powers, strict=True)):
        if power is None:
            break
        if k:
            fields = network.activation(fields)
        rows = matrix[:, None, : power.shape[-1]] * fields[:, :, None, :]
        size = rows.abs().square().sum(dim=-1).clamp(min=1e-300)
        # a few rows of a strong field would outvote the rest: the powers are taken per row, and bounded
        share = (power.clamp(min=0.0) / size).clamp(max=4.0)
        voices = (rows * (share / size).sqrt()[..., None]).flatten(0, -2)
        screens[k] = torch.linalg.eigh(voices.mH @ voices).eigenvectors[:, -1].angle()
        fields = _turned(fields, screens[k]) @ matrix.mT
    return screens


def _misfit(
    matrices: Sequence[Tensor],
    light: Tensor,
    wanted: Sequence[Tensor | None],
    screens: Sequence[Tensor],
    network: MeshNetwork,
) -> Tensor:
    """Mean square error of the amplitudes, relative, averaged over the meshes that are read."""
    fields, losses = light, []
    for k, (matrix, amplitude, screen) in enumerate(zip(matrices, wanted, screens, strict=True)):
        if k:
            fields = network.activation(fields)
        fields = _turned(fields, screen) @ matrix.mT
        if amplitude is not None:
            seen = fields[..., : amplitude.shape[-1]]
            # the root has no derivative in the dark
            found = (seen.real.square() + seen.imag.square() + 1e-12).sqrt()
            losses.append((found - amplitude).square().mean() / amplitude.square().mean())
    return torch.stack(losses).mean()


def _turned(fields: Tensor, screen: Tensor) -> Tensor:
    return fields * torch.polar(torch.ones_like(screen), screen)
