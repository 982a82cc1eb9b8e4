"""The calibration of a network of meshes: each mesh on its own, then the screens between them; powers alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from calibration.device import Array, Device
from calibration.errors import PlanError, ShapeError
from calibration.mesh.bare import mesh_fit
from calibration.mesh.readings import PowerNoise
from calibration.mesh.twin import FitPlan
from calibration.networks.screens import ScreenPlan, fit_screens, read_screens
from simulators.models.mesh import Mesh
from simulators.models.optical import MeshNetwork


@dataclass(frozen=True)
class NetworkPlan:
    """How a network is calibrated.

    Attributes:
        settings: random settings of each mesh, at each of which light enters every port in turn.
        amplitude: of that light, in √(unit power).
        noise: of a reading, as shares of the power that goes in; its floor also stands for what the twin cannot tell.
        splitter_rad, phase_rad: how far the chip may be from the design, standard deviations.
        fit: of each mesh.
        screens: between them.
        seed: of the settings.
    """

    settings: int = 72
    amplitude: float = 8.0
    noise: PowerNoise = field(default_factory=lambda: PowerNoise(floor_W=1e-3, relative=0.01))
    splitter_rad: float = 0.05
    phase_rad: float = 0.1
    fit: FitPlan = field(default_factory=lambda: FitPlan(steps=300, refinements=0))
    screens: ScreenPlan = field(default_factory=ScreenPlan)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.settings < 1:
            raise PlanError(f"settings {self.settings}: at least 1")
        if not 0.0 < self.amplitude < math.inf:
            raise PlanError(f"amplitude {self.amplitude}: should be positive")


@dataclass(frozen=True, eq=False)
class NetworkCalibration:
    """What is known of a network of meshes.

    Attributes:
        twin: the network with its errors and screens.
        mesh_residuals: of each mesh, root mean square of misfit over noise: settings fitted to, and held out.
        screen_residual: relative error of the amplitudes behind the meshes with light at all ports.
    """

    twin: MeshNetwork
    mesh_residuals: tuple[tuple[float, float], ...]
    screen_residual: float


def calibrate_network(
    device: Device,
    design: MeshNetwork,
    plan: NetworkPlan | None = None,
    watch: Callable[[str], None] = lambda what: None,
) -> NetworkCalibration:
    """Calibrate `device` from powers: of each of its layers, and of the whole with light at all ports.

    Args:
        device: a network of meshes whose controls are phases in rad and whose layers are the meshes.
        design: as it should be.
        watch: is told what has been done.

    Raises:
        ShapeError: the device is not of this design.
        NotEnoughData: fewer readings than a mesh has unknowns.
    """
    plan = plan or NetworkPlan()
    if len(device.layers) != len(design.sizes):
        raise ShapeError(f"the device has {len(device.layers)} layers, its design {len(design.sizes)} meshes")
    meshes, residuals = [], []
    for k, (layer, mesh) in enumerate(zip(device.layers, design.chain, strict=True)):
        phases, shares = read_mesh(layer, mesh, plan, seed=k)
        fit = mesh_fit(
            mesh,
            phases,
            shares,
            plan.noise,
            splitter_rad=plan.splitter_rad,
            phase_rad=plan.phase_rad,
            plan=plan.fit,
        )
        meshes.append(fit.run().mesh)
        residuals.append(fit.residuals())
        watch(f"mesh {k}: misfit over noise {residuals[-1][0]:.2f}, held out {residuals[-1][1]:.2f}")
    apart = MeshNetwork(meshes, design.activation, design.n_outputs)
    twin, left = fit_screens(apart, read_screens(device, design, plan.screens), plan.screens)
    watch(f"screens: {left:.2%} of the amplitudes unexplained")
    return NetworkCalibration(twin, tuple(residuals), left)


def read_mesh(layer: Device, mesh: Mesh, plan: NetworkPlan, seed: int) -> tuple[Array, Array]:
    """Phases (S, 2 M) of random settings, and shares (S, N, N) of the light of each port, at each port behind.

    Flagged readings are nan. Raises ShapeError for a device that is no such mesh.
    """
    ports, shifters = mesh.layout.ports, len(mesh.layout.shifters)
    if (len(layer.inputs.names), len(layer.controls.names), len(layer.outputs.names)) != (
        2 * ports,
        shifters,
        ports,
    ):
        raise ShapeError(
            f"a layer has {len(layer.controls.names)} controls; its mesh has {shifters} shifters"
        )
    phases = np.random.default_rng((plan.seed, seed)).uniform(0.0, 2.0 * np.pi, (plan.settings, shifters))
    in_turn = plan.amplitude * np.eye(ports, 2 * ports)[None]
    shares = []
    for setting in phases:
        layer.set_controls(setting)
        read = layer.run(in_turn)
        # the fit leaves out what is not finite
        shares.append(np.where(read.flags[0, :, None] == 0, read.outputs[0] / plan.amplitude**2, np.nan))
    return phases, np.stack(shares)
