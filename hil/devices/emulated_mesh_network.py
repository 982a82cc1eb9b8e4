"""An emulated network of meshes in process, without instruments."""

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Flag, Flags
from calibration.errors import PlanError
from hil.devices.emulated_network import EmulatedNetwork, group
from simulators.models.optical import MeshNetwork

_TURN = 2.0 * np.pi


class EmulatedMeshNetwork(EmulatedNetwork[MeshNetwork]):
    """A network of meshes as a device; its light arrives with its phase, its detectors see powers.

    Inputs are in-phase amplitudes i0, … and quadrature ones q0, … in √(unit power), as IQ modulators make them;
    controls are the phases that the shifters add, from 0 to 2 π rad, named by mesh and shifter: 0.t0_0, …; outputs
    are the powers at the ports that are read. Each layer is one mesh with inputs of its own, every port read.

    Args:
        network: the true one, errors included.
        taps: whether the powers behind the inner meshes are read too, as taps mesh0, mesh1, …
        noise_relative, noise_floor: standard deviation of a reading: a share of the power, and a floor.
        field_limit: largest amplitude.
        full_scale: where detectors saturate; such samples are flagged CLIPPED.

    Raises:
        PlanError: noise that is negative or not finite.
    """

    def __init__(
        self,
        network: MeshNetwork,
        *,
        taps: bool = True,
        noise_relative: float = 1e-3,
        noise_floor: float = 1e-7,
        field_limit: float = 50.0,
        full_scale: float = 1e4,
        sample_rate_Hz: float = 50.0,
        seed: int = 0,
        name: str = "emulated",
    ) -> None:
        for what, value in (("noise_relative", noise_relative), ("noise_floor", noise_floor)):
            if not (np.isfinite(value) and value >= 0.0):
                raise PlanError(f"{what} {value}: a number, not negative")
        ports, meshes = network.ports, network.chain
        shifters = tuple(f"{k}.{shifter}" for k, one in enumerate(meshes) for shifter in one.layout.shifters)
        noise = float(np.hypot(noise_floor, noise_relative * full_scale))
        super().__init__(
            network,
            group(
                (*(f"i{k}" for k in range(ports)), *(f"q{k}" for k in range(ports))),
                -field_limit,
                field_limit,
            ),
            group(shifters, 0.0, _TURN),
            group(tuple(f"out{k}" for k in range(network.n_outputs)), -np.inf, full_scale, noise),
            {"kind": "mesh network", "name": name, "meshes": str(len(meshes)), "ports": str(ports)},
            sample_rate_Hz,
            seed,
        )
        self._noise, self._full_scale = (noise_relative, noise_floor), full_scale
        if len(meshes) > 1:
            if taps:
                each = tuple(f"port{k}" for k in range(ports))
                self.taps = {
                    f"mesh{k}": group(each, -np.inf, full_scale, noise) for k in range(len(meshes) - 1)
                }
            self._adopt(
                [
                    EmulatedMeshNetwork(
                        network.layer(k),
                        noise_relative=noise_relative,
                        noise_floor=noise_floor,
                        field_limit=field_limit,
                        full_scale=full_scale,
                        sample_rate_Hz=sample_rate_Hz,
                        name=f"{name}, mesh {k}",
                    )
                    for k in range(len(meshes))
                ]
            )

    def _answer(self, inputs: Tensor, controls: Tensor) -> tuple[Array, Flags, dict[str, Array]]:
        powers = self._model.powers(inputs, controls)
        powers[-1] = powers[-1][..., : self._model.n_outputs]
        *inner, outputs = powers if self.taps else powers[-1:]
        clipped = torch.zeros(len(inputs), dtype=torch.bool)
        read = []
        for power in (*inner, outputs):
            noisy = self._noisy(power)
            clipped |= (noisy >= self._full_scale).any(dim=-1)
            read.append(noisy.clamp(max=self._full_scale).numpy())
        flags = np.where(clipped.numpy(), np.uint8(Flag.CLIPPED), np.uint8(0))
        return read[-1], flags, {f"mesh{k}": values for k, values in enumerate(read[:-1])}

    def _noisy(self, powers: Tensor) -> Tensor:
        """Powers as they are read, but for saturation."""
        relative, floor = self._noise
        return powers + torch.hypot(torch.as_tensor(floor), relative * powers) * self._normal(powers)
