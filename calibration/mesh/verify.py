"""The stages that try a calibrated mesh: on random unitaries, on unseen settings, and again later."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import unitary_group
from torch import Tensor

from calibration.device import Array, Device
from calibration.errors import NotEnoughData
from calibration.mesh.deploy import deploy
from calibration.mesh.drive import NO_LIMITS, HeaterLimits
from calibration.mesh.fidelity import amplitude_fidelity, output_shares, total_variation
from calibration.mesh.readings import PowerNoise, PowerReadings
from calibration.mesh.record import MeshCalibration
from calibration.mesh.settings import check_fits, dead_shifters, lit_alone, random_controls, read, readings_of
from calibration.mesh.stage import Block, Blocks
from calibration.mesh.twin import FitPlan, TwinFit
from calibration.mesh.twin_stage import noise_in
from calibration.mesh.unknowns import Spread
from simulators.models.mesh import PhotonicChip

_STEADY = 1.3  # noise may be more than it was by so much before something has changed
_ROUNDS = 3
WAYS = ("corrected", "uncorrected")


class VerifyStage:
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
        self._result: MeshCalibration | None = None

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage`; raises WrongChip or ShapeError for a record of another chip."""
        check_fits(device, start)
        noise_in(start)
        blocks = dict(known)
        alone = lit_alone(device, start.twin)
        for name, controls in self._wanted(device, start, blocks):
            block = read(device, name, controls, alone)
            blocks[name] = block.arrays
            yield block
        self._result = start.noted(self.name, self._figures(device, start, blocks))

    def result(self) -> MeshCalibration:
        """See `Stage`."""
        if self._result is None:
            raise NotEnoughData("nothing has been verified: run the stage to its end first")
        return self._result

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
        twin, ports = start.twin, start.twin.n_inputs
        targets = np.stack([self.target(number, ports) for number in range(self.unitaries)])
        wanted = output_shares(torch.as_tensor(targets))
        figures: dict[str, Any] = {"unitaries": self.unitaries, "settings": self.settings}
        for way in WAYS:
            names = [f"unitary {number} {way}" for number in range(self.unitaries)]
            found = _compared(names, blocks, start, device)
            seen = wanted * found.counts
            figures[way] = {
                **_statistics(amplitude_fidelity(seen, found.measured)),
                "total_variation": float(total_variation(seen, found.measured).mean()),
                "against_twin": float(amplitude_fidelity(found.predicted, found.measured).mean()),
                "expected": float(amplitude_fidelity(seen, found.predicted).mean()),
            }
            figures["dead_detectors"] = list(found.dead)
        names = [f"setting {number}" for number in range(self.settings)]
        found = _compared(names, blocks, start, device)
        figures["unseen"] = {
            **_statistics(amplitude_fidelity(found.predicted, found.measured)),
            "residual_over_noise": residual(names, blocks, start, device, twin),
        }
        figures["mean_fidelity"] = figures[WAYS[0]]["mean_fidelity"]
        return figures


class DriftStage:
    """Reads settings again that were read earlier, and says whether the chip is still the one that was calibrated.

    A laser that gives more or less light than it did is no change of the chip: readings are compared at the same light.

    Where it is not, the phase offsets alone are fitted anew to these readings: the refresh is taken over if that
    explains what has changed; otherwise the verdict is to calibrate again.

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
        self._result: MeshCalibration | None = None

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage`; raises WrongChip or ShapeError for a record of another chip."""
        check_fits(device, start)
        noise_in(start)
        blocks = dict(known)
        for number in range(self.settings):
            name = f"setting {number}"
            if name in blocks:
                continue
            if self._earlier:
                before = self._earlier[name]
                controls, inputs = before["controls_V"], before["inputs_V"][0]
            else:
                rng = np.random.default_rng((self.seed, 41, number))
                controls = random_controls(device, start.twin, rng, dead_shifters(start), self.total_W)
                inputs = lit_alone(device, start.twin)
            blocks[name] = (block := read(device, name, controls, inputs)).arrays
            yield block
        self._result = self._judged(device, start, blocks)

    def result(self) -> MeshCalibration:
        """See `Stage`."""
        if self._result is None:
            raise NotEnoughData("drift has not been checked: run the stage to its end first")
        return self._result

    def _judged(self, device: Device, start: MeshCalibration, blocks: Blocks) -> MeshCalibration:
        noise, twin = noise_in(start), start.twin
        names = [f"setting {number}" for number in range(self.settings)]
        now = residual(names, blocks, start, device, twin)
        figures: dict[str, Any] = {
            "settings": self.settings,
            "residual_over_noise_then": start.figures["twin"]["residual_over_noise"],
            "residual_over_noise": now,
        }
        change = 1.0
        if self._earlier:
            change = figures["change_over_noise"] = self._change(names, device, start, blocks)
            then = residual(names, self._earlier, start, device, twin)
            figures["residual_over_noise_then"] = then
        limit = _STEADY * max(1.0, figures["residual_over_noise_then"] or 1.0)
        figures["refresh"] = False
        if change <= _STEADY and now <= limit:
            return start.noted(self.name, {**figures, "verdict": "steady"})
        found, _ = readings_of((blocks[name] for name in names), start, device, noise)
        refreshed = twin
        for _ in range(_ROUNDS):  # what the light is shows only once the phases are right
            readings, figures["light"] = _at_the_same_light(
                found, predicted_powers(refreshed, found.inputs, found.controls), noise
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

    def _change(self, names: list[str], device: Device, start: MeshCalibration, blocks: Blocks) -> float:
        """RMS of now less then, over the noise of a difference; 1 is no change."""
        noise = noise_in(start)
        before, _ = readings_of((self._earlier[name] for name in names), start, device, noise)
        after, _ = readings_of((blocks[name] for name in names), start, device, noise)
        after, _ = _at_the_same_light(after, before.powers, noise)
        both = before.usable & after.usable
        apart = (after.powers - before.powers) / np.hypot(noise.std(before.powers), noise.std(after.powers))
        return float(np.sqrt(np.mean(apart[both] ** 2)))


@dataclass(frozen=True, eq=False)
class _Compared:
    """Of each setting, (S, N outputs, N inputs): light read and predicted, and 1 where a reading counts, else 0."""

    measured: Tensor
    predicted: Tensor
    counts: Tensor
    dead: tuple[str, ...]


@torch.no_grad()
def predicted_powers(twin: PhotonicChip, inputs_V: Array, controls_V: Array) -> Array:
    """What a twin says (S, T, N) in W for modulator voltages (S, T, N) and heater voltages (S, H)."""
    found: Array = twin(torch.as_tensor(inputs_V), torch.as_tensor(controls_V)[:, None]).numpy()
    return found


def residual(
    names: list[str],
    blocks: Mapping[str, Mapping[str, Array]],
    known: MeshCalibration,
    device: Device,
    twin: PhotonicChip,
) -> float:
    """RMS of what `twin` leaves of blocks' readings at its own light, over the noise of a reading."""
    noise = noise_in(known)
    readings, _ = readings_of((blocks[name] for name in names), known, device, noise)
    expected = predicted_powers(twin, readings.inputs, readings.controls)
    readings, _ = _at_the_same_light(readings, expected, noise)
    off = (readings.powers - expected) / noise.std(expected)
    return float(np.sqrt(np.mean(off[readings.usable] ** 2)))


def _at_the_same_light(
    readings: PowerReadings, reference: Array, noise: PowerNoise
) -> tuple[PowerReadings, float]:
    """The readings as they would be at the light of the reference (S, T, N) in W, and how much more theirs is."""
    weight = np.where(readings.usable, noise.std(reference) ** -2.0, 0.0)
    powers = np.where(readings.usable, readings.powers, 0.0)
    light = float(np.sum(weight * powers * reference) / np.sum(weight * reference**2))
    return replace(readings, powers=readings.powers / light), light


def _compared(names: list[str], blocks: Blocks, known: MeshCalibration, device: Device) -> "_Compared":
    """Powers measured and predicted, (S, N outputs, N inputs), transmissions taken off, and which of them count.

    Those that do not are nothing in all three: where a detector is dead, the others are what is compared.
    """
    readings, dead = readings_of((blocks[name] for name in names), known, device, noise_in(known))
    expected = predicted_powers(known.twin, readings.inputs, readings.controls)
    ports = known.twin.port_transmission.detach().numpy()

    def counted(light: Array) -> Tensor:
        return torch.as_tensor(np.where(readings.usable, np.maximum(light, 0.0) / ports, 0.0)).mT

    counts = torch.as_tensor(readings.usable).double().mT
    return _Compared(counted(readings.powers), counted(expected), counts, dead)


def _statistics(fidelity: Tensor) -> dict[str, Any]:
    return {
        "mean_fidelity": float(fidelity.mean()),
        "least_fidelity": float(fidelity.min()),
        "fidelities": fidelity.tolist(),
    }
