"""The stage that reads random settings and fits the twin to them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from calibration.device import Device
from calibration.errors import NotEnoughData
from calibration.mesh.prior import ChipPrior
from calibration.mesh.readings import PowerNoise
from calibration.mesh.record import MeshCalibration
from calibration.mesh.settings import (
    all_shut,
    check_fits,
    dead_shifters,
    lit_alone,
    lit_together,
    noise_of,
    random_controls,
    read,
    readings_of,
)
from calibration.mesh.stage import Block, Blocks, StageBase, kept
from calibration.mesh.twin import FitPlan, TwinFit
from simulators.models.mesh import PhotonicChip, heater_places

NOISE = "noise"
"""The block whose setting is read several times, with every port lit alone and all shut: what a reading is worth."""

_AT_FLOOR = 1.15  # residual over noise, corrected for the unknowns, that is still taken for noise


class TwinStage(StageBase):
    """Reads random settings, each port lit alone and some patterns of all, and fits everything the twin has.

    The fit is taken over if it predicts the settings held out better than the start does; the figures say how far
    it is from the noise floor, which a chip that has more than the model to it does not reach.

    Args:
        settings: random ones.
        together: patterns of several lit ports read at each.
        repeats: readings of one setting that tell the noise.
        total_W: what all heaters may draw together.
        prior: how far the chip may be from what is known.
        plan: of the fit; by default what the number of ports needs.
    """

    name = "twin"

    def __init__(
        self,
        settings: int = 64,
        *,
        together: int = 1,
        repeats: int = 16,
        total_W: float | None = None,
        prior: ChipPrior | None = None,
        plan: FitPlan | None = None,
        seed: int = 0,
    ) -> None:
        if settings < 4 or repeats < 2 or together < 0:
            raise NotEnoughData(
                f"{settings} settings and {repeats} repeats: a twin needs at least 4 settings, and 2 repeats to "
                "know the noise"
            )
        self.settings, self.together, self.repeats, self.total_W = settings, together, repeats, total_W
        self.prior, self.plan, self.seed = prior or ChipPrior(), plan, seed
        self.blocks = settings + 1

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage`; raises WrongChip or ShapeError for a record of another chip."""
        check_fits(device, start)
        blocks = dict(known)
        dead = dead_shifters(start)
        alone = lit_alone(device, start.twin)
        for number in range(self.settings + 1):
            rng = np.random.default_rng((self.seed, 21, number))
            controls = random_controls(device, start.twin, rng, dead, self.total_W)
            if number:
                name, repeats = f"setting {number - 1}", 1
                others = lit_together(device, start.twin, self.together, rng)
            else:
                name, repeats, others = NOISE, self.repeats, all_shut(device, start.twin)
            yield from kept(blocks, name, read, device, controls, np.concatenate((alone, others)), repeats)
        self._result = self._fitted(device, start, blocks)

    def _fitted(self, device: Device, start: MeshCalibration, blocks: Blocks) -> MeshCalibration:
        noise = noise_of(blocks[NOISE], start, device)
        wanted = (blocks[f"setting {number}"] for number in range(self.settings))
        readings, dark = readings_of(wanted, start, device, noise.floor_W)
        spreads = self.prior.spreads(start.twin, dead=dead_shifters(start), together=self.together > 0)
        plan = self.plan or FitPlan.for_ports(start.twin.n_inputs, self.seed)
        fit = TwinFit(start.twin, spreads, readings, noise, plan)
        for _ in fit:
            pass
        train, held_out = fit.residuals()
        better = bool(np.isfinite(held_out)) and held_out < fit.start_residuals[1]
        twin = fit.result() if better else start.twin
        figures: dict[str, Any] = {
            "settings": self.settings,
            "inputs": readings.powers.shape[1],
            "used_readings": int(readings.usable.sum()),
            "left_out_readings": fit.excluded,
            "unknowns": fit.unknowns.count,
            "noise_floor_W": noise.floor_W,
            "noise_relative": noise.relative,
            "start_residual_over_noise": _finite(fit.start_residuals[1]),
            "fitted_residual_over_noise": _finite(train),
            "corrected_residual_over_noise": _finite(fit.corrected_residual()),
            "residual_over_noise": _finite(held_out if better else fit.start_residuals[1]),
            "converged": better and fit.settled,
            "verdict": _verdict(better, fit.settled, fit.corrected_residual(), held_out),
            "steps": len(fit.history),
            "seconds": fit.history[-1].seconds,
            "loss": [_finite(step.residual) for step in fit.history],
            "failed_shifters": [shifter.name for shifter in start.shifters if not shifter.ok],
            "dead_detectors": list(dark),
            **_spreads(twin, start.twin),
        }
        return replace(start, twin=twin).noted(self.name, figures)


def noise_in(known: MeshCalibration) -> PowerNoise:
    """The noise of one reading as the twin's stage has measured it; raises NotEnoughData before it has."""
    try:
        figures = known.figures[TwinStage.name]
        return PowerNoise(figures["noise_floor_W"], figures["noise_relative"])
    except KeyError as error:
        raise NotEnoughData("the record has no fitted twin yet: fit the twin first") from error


def _verdict(better: bool, settled: bool, floor: float, held_out: float) -> str:
    if not better:
        return "not converged: the start predicts unseen settings better and is kept"
    if floor < _AT_FLOOR and held_out < 2.0:
        return "at the noise floor"
    if settled:
        return "above the noise floor: the chip does something that the model does not know"
    return "above the noise floor: give the fit more steps, or look for what the model does not know"


@torch.no_grad()
def _spreads(twin: PhotonicChip, start: PhotonicChip) -> dict[str, float]:
    mesh, heaters = twin.mesh, twin.heaters
    gamma = heaters.gamma_rad_per_W
    places = heater_places(mesh.layout)
    apart = np.linalg.norm(places[heaters.neighbours.numpy()] - places[:, None], axis=-1)
    share = (heaters.crosstalk_rad_per_W / gamma[heaters.neighbours]).numpy()
    near = share[np.isclose(apart, 1.0)]
    return {
        "splitter_rms_rad": float(torch.cat((mesh.splitter_in, mesh.splitter_out)).square().mean().sqrt()),
        "phase_change_rms_rad": float((mesh.phase_offset - start.mesh.phase_offset).square().mean().sqrt()),
        "mzi_loss_dB": float((-20.0 * mesh.transmission.log10()).mean()),
        "mzi_loss_spread_dB": float((-20.0 * mesh.transmission.log10()).std(correction=0)),
        "gamma_spread": float((gamma / gamma.mean()).std(correction=0)),
        "crosstalk_nearest": float(near.mean()) if near.size else 0.0,
        "crosstalk_nearest_spread": float(near.std()) if near.size else 0.0,
        "port_transmission_mean": float(twin.port_transmission.mean()),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
