"""An emulated diffractive network in process, without instruments."""

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, ChannelGroup, Flag, Flags
from calibration.errors import PlanError
from hil.devices.emulated_network import EmulatedNetwork, group
from simulators.models.diffraction import DiffractiveNetwork

_TURN = 2.0 * np.pi


class EmulatedDiffractive(EmulatedNetwork[DiffractiveNetwork]):
    """A diffractive network as a device: amplitudes of the input pattern in, powers of the detectors in W out.

    Channels are named as on the bench: inputs x{row}_{column}, from 0 to 1; controls p{plane}_{row}_{column}, phases
    from 0 to 2 π rad, or levels where the network has a look-up table. Taps plane0, … are what a camera in front of
    the next plane sees, r{row}_{column} in W. Planes have no inputs of their own, so there are no layers.

    A reading is the power with Gaussian noise of variance floor² + electron · power + (relative · power)².

    Args:
        network: the true one, as it was put together.
        taps: whether cameras between the planes are read too.
        noise_relative: of the light source.
        electron_W: power that makes one electron in an exposure, hν / (quantum efficiency · exposure); shot noise.
        noise_floor_W: of each reading.
        full_scale_W: where detectors saturate; such samples are flagged CLIPPED.

    Raises:
        PlanError: noise that is negative or not finite.
    """

    def __init__(
        self,
        network: DiffractiveNetwork,
        *,
        taps: bool = False,
        noise_relative: float = 1e-3,
        electron_W: float = 6e-16,
        noise_floor_W: float = 1e-15,
        full_scale_W: float = np.inf,
        sample_rate_Hz: float = 25.0,
        seed: int = 0,
        name: str = "emulated",
    ) -> None:
        given = {"noise_relative": noise_relative, "electron_W": electron_W, "noise_floor_W": noise_floor_W}
        for what, value in given.items():
            if not (np.isfinite(value) and value >= 0.0):
                raise PlanError(f"{what} {value}: a number, not negative")
        design = network.design
        most_W = min(full_scale_W, design.power_W)
        noise = float(np.sqrt(noise_floor_W**2 + electron_W * most_W + (noise_relative * most_W) ** 2))
        last = _TURN if network.table is None else float(network.table.levels - 1)
        controls = tuple(name for k in range(design.planes) for name in _grid(f"p{k}_", design.pixels))
        super().__init__(
            network,
            group(_grid("x", design.input_pixels), 0.0, 1.0),
            group(controls, 0.0, last),
            _powers(network.detectors.names, full_scale_W, noise),
            {"kind": "diffractive", "name": name, "planes": str(design.planes)},
            sample_rate_Hz,
            seed,
        )
        self._noise, self._full_scale_W = (noise_floor_W, electron_W, noise_relative), full_scale_W
        if taps:
            pixels = _grid("r", design.grid.shape)
            self.taps = {tap: _powers(pixels, full_scale_W, noise) for tap in network.tap_names}

    def _answer(self, inputs: Tensor, controls: Tensor) -> tuple[Array, Flags, dict[str, Array]]:
        network = self._model
        amplitudes, settings = (values.to(network.shift_m.dtype) for values in (inputs, controls))
        if self.taps:
            *inner, outputs = network.chained(amplitudes, settings)
        else:
            inner, outputs = [], network(amplitudes, settings)
        clipped = torch.zeros(len(inputs), dtype=torch.bool)
        floor, electron, relative = self._noise
        read = []
        for power in (*inner, outputs):
            spread = (floor**2 + electron * power + (relative * power).square()).sqrt()
            noisy = (power + spread * self._normal(power)).double()
            clipped |= (noisy >= self._full_scale_W).any(dim=-1)
            read.append(noisy.clamp(max=self._full_scale_W).numpy())
        flags = np.where(clipped.numpy(), np.uint8(Flag.CLIPPED), np.uint8(0))
        return read[-1], flags, dict(zip(self.taps, read, strict=False))


def _grid(prefix: str, shape: tuple[int, int]) -> tuple[str, ...]:
    return tuple(f"{prefix}{row}_{column}" for row in range(shape[0]) for column in range(shape[1]))


def _powers(names: tuple[str, ...], high_W: float, noise: float) -> ChannelGroup:
    n = len(names)
    free = np.full(n, np.inf)
    return ChannelGroup(names, "W", -free, np.full(n, high_W), free, noise=noise)
