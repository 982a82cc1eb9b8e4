"""The stage that tries a calibrated mesh: on random unitaries and on unseen settings."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.stats import unitary_group
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import NotEnoughData
from calibration.mesh.comparison import compared, residual
from calibration.mesh.deploy import deploy
from calibration.mesh.drive import NO_LIMITS, HeaterLimits
from calibration.mesh.fidelity import amplitude_fidelity, output_shares, total_variation
from calibration.mesh.record import MeshCalibration
from calibration.mesh.settings import check_fits, dead_shifters, lit_alone, random_controls, read, readings_of
from calibration.mesh.stage import Block, Blocks, StageBase, kept
from calibration.mesh.twin_stage import noise_in

WAYS = ("corrected", "uncorrected")


class VerifyStage(StageBase):
    """Sets Haar-random unitaries through the twin, corrected and not, and reads them from every input.

    What is read counts as it is: shares of each input's light at the outputs, once the detectors' transmissions are
    taken off. Fidelity against the target tells what the chip can be used for, against the twin's prediction what
    the twin is worth.

    Args:
        unitaries: how many.
        settings: random settings that are compared with the twin's predictions besides.
        limits: of the heaters together.
    """

    name = "verify"

    def __init__(
        self, unitaries: int = 20, settings: int = 10, *, limits: HeaterLimits = NO_LIMITS, seed: int = 0
    ) -> None:
        if unitaries < 1 or settings < 1:
            raise NotEnoughData("verification needs at least one unitary and one setting")
        self.unitaries, self.settings, self.limits, self.seed = unitaries, settings, limits, seed
        self.blocks = len(WAYS) * unitaries + settings

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage`; raises WrongChip or ShapeError for a record of another chip."""
        check_fits(device, start)
        noise_in(start)
        blocks = dict(known)
        alone = lit_alone(device, start.twin)
        for name, controls in self._wanted(device, start, blocks):
            yield from kept(blocks, name, read, device, controls, alone)
        self._result = start.noted(self.name, self._figures(device, start, blocks))

    def target(self, number: int, ports: int) -> Array:
        """One of the random unitaries, (N, N), complex."""
        found: Array = unitary_group.rvs(ports, random_state=np.random.default_rng((self.seed, 31, number)))
        return found

    def _wanted(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[tuple[str, Array]]:
        dead = [shifter.name for shifter in start.shifters if not shifter.ok]
        for number in range(self.unitaries):
            target = self.target(number, start.twin.n_inputs)
            for way in WAYS:
                name = f"unitary {number} {way}"
                if name not in known:
                    found = deploy(target, start.twin, correct=way == WAYS[0], dead=dead, limits=self.limits)
                    yield name, np.minimum(found.drive.volts, device.controls.high)
        for number in range(self.settings):
            name = f"setting {number}"
            if name not in known:
                rng = np.random.default_rng((self.seed, 32, number))
                yield (
                    name,
                    random_controls(device, start.twin, rng, dead_shifters(start), self.limits.total_W),
                )

    def _figures(self, device: Device, start: MeshCalibration, blocks: Blocks) -> dict[str, Any]:
        ports = start.twin.n_inputs
        targets = np.stack([self.target(number, ports) for number in range(self.unitaries)])
        wanted = output_shares(torch.as_tensor(targets))
        figures: dict[str, Any] = {"unitaries": self.unitaries, "settings": self.settings}
        for way in WAYS:
            names = [f"unitary {number} {way}" for number in range(self.unitaries)]
            found = compared((blocks[name] for name in names), start, device)
            seen = wanted * found.counts
            figures[way] = {
                **_statistics(amplitude_fidelity(seen, found.measured)),
                "total_variation": float(total_variation(seen, found.measured).mean()),
                "against_twin": float(amplitude_fidelity(found.predicted, found.measured).mean()),
                "expected": float(amplitude_fidelity(seen, found.predicted).mean()),
            }
            figures["dead_detectors"] = list(found.dead)
        unseen = [blocks[f"setting {number}"] for number in range(self.settings)]
        found, noise = compared(unseen, start, device), noise_in(start)
        readings, _ = readings_of(unseen, start, device, noise.floor_W)
        figures["unseen"] = {
            **_statistics(amplitude_fidelity(found.predicted, found.measured)),
            "residual_over_noise": residual(readings, start.twin, noise),
        }
        figures["mean_fidelity"] = figures[WAYS[0]]["mean_fidelity"]
        return figures


def _statistics(fidelity: Tensor) -> dict[str, Any]:
    return {
        "mean_fidelity": float(fidelity.mean()),
        "least_fidelity": float(fidelity.min()),
        "fidelities": fidelity.tolist(),
    }
