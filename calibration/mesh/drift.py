"""The stage that reads a calibrated mesh again later, and tells whether it is still the same."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from calibration.device import Device
from calibration.errors import NotEnoughData
from calibration.mesh.comparison import at_the_same_light, predicted_powers, residual
from calibration.mesh.readings import PowerNoise, PowerReadings
from calibration.mesh.record import MeshCalibration
from calibration.mesh.settings import check_fits, dead_shifters, lit_alone, random_controls, read, readings_of
from calibration.mesh.stage import Block, Blocks, StageBase, kept
from calibration.mesh.twin import FitPlan, TwinFit
from calibration.mesh.twin_stage import noise_in
from calibration.mesh.unknowns import Spread

_STEADY = 1.3  # noise may be more than it was by so much before something has changed
_ROUNDS = 3


class DriftStage(StageBase):
    """Reads settings again that were read earlier, and says whether the chip is still the one that was calibrated.

    A laser that gives more or less light than it did is no change of the chip: readings are compared at the same
    light. Where the chip has changed, the phase offsets alone are fitted anew to these readings: the refresh is taken
    over if that explains the change; otherwise the verdict is to calibrate again.

    Args:
        earlier: blocks of the twin's stage, whose first settings are read again; without them random settings are
            compared with the twin's predictions, so that a record alone is enough.
        settings: how many.
        drift_rad: how far phases may have drifted; the prior of the refresh.
    """

    name = "drift"

    def __init__(
        self,
        earlier: Blocks | None = None,
        settings: int = 16,
        *,
        drift_rad: float = 0.05,
        total_W: float | None = None,
        seed: int = 0,
    ) -> None:
        self._earlier = dict(earlier or {})
        have = sum(f"setting {number}" in self._earlier for number in range(settings))
        if settings < 4 or (earlier is not None and have < settings):
            raise NotEnoughData(
                f"a drift check over {settings} settings needs at least 4, and as many earlier ones, not {have}"
            )
        self.settings, self.drift_rad, self.total_W, self.seed = settings, drift_rad, total_W, seed
        self.blocks = settings

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage`; raises WrongChip or ShapeError for a record of another chip."""
        check_fits(device, start)
        noise_in(start)
        blocks = dict(known)
        for number in range(self.settings):
            name = f"setting {number}"
            if self._earlier:
                before = self._earlier[name]
                controls, inputs = before["controls_V"], before["inputs_V"][0]
            else:
                rng = np.random.default_rng((self.seed, 41, number))
                controls = random_controls(device, start.twin, rng, dead_shifters(start), self.total_W)
                inputs = lit_alone(device, start.twin)
            yield from kept(blocks, name, read, device, controls, inputs)
        self._result = self._judged(device, start, blocks)

    def _readings(self, blocks: Blocks, known: MeshCalibration, device: Device) -> PowerReadings:
        wanted = (blocks[f"setting {number}"] for number in range(self.settings))
        return readings_of(wanted, known, device, noise_in(known).floor_W)[0]

    def _judged(self, device: Device, start: MeshCalibration, blocks: Blocks) -> MeshCalibration:
        noise, twin = noise_in(start), start.twin
        after = self._readings(blocks, start, device)
        now = residual(after, twin, noise)
        figures: dict[str, Any] = {
            "settings": self.settings,
            "residual_over_noise_then": start.figures["twin"]["residual_over_noise"],
            "residual_over_noise": now,
        }
        change = 1.0
        if self._earlier:
            before = self._readings(self._earlier, start, device)
            change = figures["change_over_noise"] = _change(before, after, noise)
            figures["residual_over_noise_then"] = residual(before, twin, noise)
        limit = _STEADY * max(1.0, figures["residual_over_noise_then"] or 1.0)
        figures["refresh"] = False
        if change <= _STEADY and now <= limit:
            return start.noted(self.name, {**figures, "verdict": "steady"})
        refreshed = twin
        for _ in range(_ROUNDS):  # what the light is shows only once the phases are right
            readings, figures["light"] = at_the_same_light(
                after, predicted_powers(refreshed, after.inputs, after.controls), noise
            )
            fit = TwinFit(
                twin,
                {"mesh.phase_offset": Spread(self.drift_rad)},
                readings,
                noise,
                FitPlan(steps=0, refinements=8, held_out=0.25),
            )
            refreshed = fit.run()
        left = fit.residuals()[1]
        figures |= {
            "phase_change_rms_rad": float(
                (refreshed.mesh.phase_offset - twin.mesh.phase_offset).square().mean().sqrt()
            ),
            "refreshed_residual_over_noise": left,
            "refresh": left <= limit,
        }
        if left <= limit:
            verdict = "drifted: the phase offsets were fitted anew, which explains the change"
            return replace(start, twin=refreshed).noted(self.name, {**figures, "verdict": verdict})
        verdict = "changed by more than phase offsets: calibrate again"
        return start.noted(self.name, {**figures, "verdict": verdict})


def _change(before: PowerReadings, after: PowerReadings, noise: PowerNoise) -> float:
    """RMS of now less then at the same light, over the noise of a difference; 1 is no change."""
    after, _ = at_the_same_light(after, before.powers, noise)
    both = before.usable & after.usable
    apart = (after.powers - before.powers) / np.hypot(noise.std(before.powers), noise.std(after.powers))
    return float(np.sqrt(np.mean(apart[both] ** 2)))
