"""An emulated photonic chip in process, without instruments: for studies and for the algorithms' tests."""

import numpy as np
import torch

from calibration.device import Array, ChannelGroup, Flag, Response
from calibration.mesh.probing import HEATER_CURRENTS
from hil.devices.partition import PartedDevice
from simulators.models.mesh import PhotonicSpecimen


class EmulatedMesh(PartedDevice):
    """A photonic specimen as a device: modulators are the inputs, heaters the controls, powers the outputs.

    Heaters are warm at once, and nothing limits slew. With `with_inputs` any voltage can be fast.

    Args:
        specimen: the chip in time, which runs on by one sample per reading.
        sample_rate_Hz: readings a second.
        noise_W, noise_relative: standard deviation of a power reading: a floor, and a share of the power.
        dark_W: what each detector reads in the dark.
        full_scale_W: where detectors saturate; such samples are flagged CLIPPED.
        low_V, high_V: range of the modulators.
        seed: of the noise.
    """

    def __init__(
        self,
        specimen: PhotonicSpecimen,
        *,
        sample_rate_Hz: float = 50.0,
        noise_W: float = 1e-10,
        noise_relative: float = 1e-3,
        dark_W: float = 2e-10,
        full_scale_W: float = 1e-3,
        low_V: float = -1.0,
        high_V: float = 5.0,
        seed: int = 0,
        name: str = "emulated",
    ) -> None:
        chip = specimen.chip
        ports, shifters = chip.n_inputs, chip.mesh.layout.shifters
        heaters = chip.heaters.high_V.numpy()
        n = ports + len(shifters)
        self._rng = np.random.default_rng((seed, 2))
        self._dark_W = dark_W * (1.0 + 0.3 * np.random.default_rng((seed, 3)).standard_normal(ports))
        channels = ChannelGroup(
            (*(f"m{port}" for port in range(ports)), *shifters),
            "V",
            np.concatenate((np.full(ports, low_V), np.zeros(len(shifters)))),
            np.concatenate((np.full(ports, high_V), heaters)),
            np.full(n, np.inf),
        )
        outputs = ChannelGroup(
            tuple(f"out{port}" for port in range(ports)),
            "W",
            np.full(ports, -np.inf),
            np.full(ports, full_scale_W),
            np.full(ports, np.inf),
            noise=float(np.hypot(noise_W, noise_relative * full_scale_W)),
        )
        layout = chip.mesh.layout
        identity = {"kind": "mesh", "name": name, "mesh": layout.kind, "ports": str(ports)}
        super().__init__(identity, channels, outputs, sample_rate_Hz)
        self._part(channels, channels.names[:ports], np.zeros(n))
        most = np.full(len(shifters), np.inf)
        self.taps = {HEATER_CURRENTS: ChannelGroup(shifters, "A", -most, most, most)}
        self._specimen = specimen
        self._noise = noise_W, noise_relative
        self._laser = {"lit": True}  # one laser, whatever the view

    def light(self, on: bool) -> None:
        """See `calibration.device.Shuttered`."""
        self._laser["lit"] = on

    def run(self, inputs: Array) -> Response:
        """See `calibration.device.Device`; readings are flagged CLIPPED where any detector saturates."""
        volts = self._partition.voltages(inputs)
        batch, time, n = volts.shape
        flat = volts.reshape(-1, n)
        chip, ports = self._specimen.chip, self._specimen.chip.n_inputs
        with torch.no_grad():
            driven = chip.heaters.quantised(torch.as_tensor(flat[:, ports:]))
            heater_W, heater_A = chip.heaters.powers(driven).numpy(), chip.heaters.currents(driven).numpy()
        laser_W = chip.laser_W if self._laser["lit"] else 0.0
        light = laser_W * self._specimen.shares(flat[:, :ports], heater_W, self._instants(len(flat)))
        floor, relative = self._noise
        light = (
            light + np.hypot(floor, relative * light) * self._rng.standard_normal(light.shape) + self._dark_W
        )
        clipped = (light >= self.outputs.high).any(axis=1)
        flags = np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(0)).reshape(batch, time)
        self._count["samples"] += len(flat)
        self._partition.remember(flat[-1])
        return Response(
            np.asarray(inputs, dtype=np.float64),
            np.minimum(light, self.outputs.high).reshape(batch, time, ports),
            flags,
            {HEATER_CURRENTS: heater_A.reshape(batch, time, -1)},
        )
