"""First stage: the detectors' darks and noise, the modulators' curves, and what each port loses."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from calibration.device import Array, Device, Shuttered
from calibration.errors import NotEnoughData
from calibration.mesh.modulation import fit_modulator
from calibration.mesh.probing import Probe, Readings, own_copy
from calibration.mesh.record import MeshCalibration
from calibration.mesh.stage import Block, Blocks, StageBase, kept, readings_in
from simulators.models.mesh import MeshLayout, PhotonicChip

_BALANCES = 200  # rounds
_REACTS = 6.0  # standard deviations by which a port that is not dead stands out
_BRIGHT = 100.0  # times its floor, for a detector to tell the noise of light
_SWING = 0.5  # of its brightest, by which the light of an input that is not dead changes with its voltage
_DARK_INPUT = 1e-3  # of the brightest input's light: less is what shut modulators let through
_LEAST_NOISE = 1e-4  # relative: nothing is trusted more than that


@dataclass(frozen=True)
class PortsPlan:
    """How much is read: repeats in the dark and in the light, points of each modulator's curve, mixed settings."""

    repeats: int = 16
    points: int = 16
    mixes: int = 4
    seed: int = 0


class PortsStage(StageBase):
    """Darks, noise, modulators and port losses; tells dead and saturated ports apart.

    With one input lit at a time, P_ij = a_i |U_ij|² t_j. Rows and columns of |U|² sum to one where the mesh loses
    alike, and so does their mean over mixed settings, so that balancing the measured powers (Sinkhorn) gives the
    inputs a_i and the outputs t_j without knowing the mesh. What is common to all of them, the loss of the mesh
    included, stays with the outputs; the laser's power and the mean of the inputs are taken as designed.

    Darks are read with the light off where the device has a light (`Shuttered`), with the modulators shut otherwise.
    """

    name = "ports"

    def __init__(self, plan: PortsPlan | None = None, layout: MeshLayout | None = None) -> None:
        self.plan = plan or PortsPlan()
        if layout is not None:
            self.blocks = self._expected(layout.ports)

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage.run`."""
        plan, twin, data = self.plan, own_copy(start.twin), dict(known)
        probe = Probe(device, twin)
        n = len(probe.modulators)
        self.blocks = self._expected(n)
        cold = np.zeros(len(probe.shifters))
        yield from kept(data, "dark", _dark, probe, plan.repeats, cold)
        dark = data["dark"]["powers"]
        dark_W, floor_W = dark.mean(axis=0), np.maximum(dark.std(axis=0, ddof=1), 1e-15)
        bright = np.tile(probe.lit(range(n)), (plan.repeats, 1))
        yield from kept(data, "steady", probe.read, bright, cold)
        curves: dict[str, Any] = {}
        for port, volts in enumerate(_curve_settings(probe, plan.points)):
            name = probe.modulators[port]
            yield from kept(data, name, probe.read, volts, cold)
            light = np.nansum(probe.light(data[name], dark_W), axis=1)
            curves[name] = _modulator(twin, port, data[name]["inputs_V"][:, port], light, floor_W)
        rng = np.random.default_rng((plan.seed, 21))
        half = len(cold) // 2
        for mix in range(plan.mixes):
            heater_W = np.zeros_like(cold)
            heater_W[:half] = rng.random(half) * probe.half_turn_W()[:half]
            one_by_one = np.stack([probe.lit([port]) for port in range(n)])
            yield from kept(data, f"mix {mix}", probe.read, one_by_one, probe.volts(heater_W))
        ports = _found(probe, data, dark_W, floor_W, plan.mixes)
        _balance(twin, ports)
        figures = {
            "dark_W": dark_W.tolist(),
            "dark_by": "laser" if isinstance(device, Shuttered) else "modulators",
            "floor_W": floor_W.tolist(),
            "relative_noise": ports.relative_noise,
            "lost_inputs": ports.dead_in,
            "lost_outputs": ports.lost_out,
            "dead_inputs": [probe.modulators[i] for i in ports.dead_in],
            "dead_outputs": [device.outputs.names[j] for j in ports.dead_out],
            "saturated_outputs": [device.outputs.names[j] for j in ports.saturated],
            "port_transmission": twin.port_transmission.tolist(),
            "input_transmission": (twin.modulators.peak.square() * n).tolist(),
            "modulators": curves,
            "notes": _notes(probe, ports),
            "readings": readings_in(data),
        }
        self._result = replace(start, twin=twin, dark_W=dark_W).noted(self.name, figures)

    def _expected(self, ports: int) -> int:
        return 2 + ports + self.plan.mixes


def live_ports(calibration: MeshCalibration) -> tuple[list[int], list[int]]:
    """Inputs and outputs that can be used, by what the stage found; all of them before it ran."""
    found, n = calibration.figures.get(PortsStage.name, {}), calibration.twin.n_inputs
    lost_in, lost_out = found.get("lost_inputs", ()), found.get("lost_outputs", ())
    return [i for i in range(n) if i not in lost_in], [j for j in range(n) if j not in lost_out]


def reading_noise(calibration: MeshCalibration, powers: Array) -> Array:
    """Standard deviation of readings `powers` (..., N) in W, by what the stage found.

    Raises NotEnoughData for a calibration that has not come to its ports yet.
    """
    if PortsStage.name not in calibration.figures:
        raise NotEnoughData(
            f"what a reading is worth is not known yet: run the stage {PortsStage.name!r} first"
        )
    found = calibration.figures[PortsStage.name]
    relative = max(float(found["relative_noise"]), _LEAST_NOISE)
    return np.asarray(np.hypot(np.asarray(found["floor_W"]), relative * np.nan_to_num(np.abs(powers))))


@dataclass(frozen=True, eq=False)
class _Ports:
    """Powers by input and output (N, N) in W, means over the mixed settings, and which ports are lost."""

    powers: Array
    dead_in: list[int]
    dead_out: list[int]
    saturated: list[int]
    relative_noise: float

    @property
    def lost_out(self) -> list[int]:
        """The detectors that cannot be used."""
        return sorted({*self.dead_out, *self.saturated})


def _dark(probe: Probe, repeats: int, cold: Array) -> Readings:
    shut, device = np.tile(probe.lit([]), (repeats, 1)), probe.device
    if not isinstance(device, Shuttered):
        return probe.read(shut, cold)
    device.light(False)
    try:
        return probe.read(shut, cold)
    finally:
        device.light(True)


def _curve_settings(probe: Probe, points: int) -> Iterator[Array]:
    """For each port, voltages (points, N) over its range, the others shut as far as is known by then."""
    low, high = probe.device.inputs.low, probe.device.inputs.high
    for port in range(len(probe.modulators)):
        volts = np.tile(probe.lit([]), (points, 1))
        volts[:, port] = np.linspace(low[port], high[port], points)
        yield volts


def _modulator(twin: PhotonicChip, port: int, volts: Array, light_W: Array, floor_W: Array) -> dict[str, Any]:
    """Fit one modulator's curve into the twin; figures for the report."""
    curve: dict[str, Any] = {"volts": volts.tolist(), "powers_W": light_W.tolist()}
    swing = float(np.ptp(light_W))
    if not swing > max(_REACTS * float(np.sqrt(np.sum(floor_W**2))), _SWING * float(light_W.max())):
        return {**curve, "ok": False, "reason": "no light comes through; look at its fibre and its bias"}
    parts = twin.modulators
    found = fit_modulator(volts, light_W, float(parts.closed_V[port]), float(parts.half_wave_V[port]))
    if found.ok:
        with torch.no_grad():
            parts.closed_V[port], parts.half_wave_V[port] = found.closed_V, found.half_wave_V
            parts.floor[port] = found.floor
    reason = "" if found.ok else f"the fit leaves {found.residual:.1%} of the peak; design values are kept"
    return {**curve, **asdict(found), "reason": reason}


def _found(probe: Probe, data: Blocks, dark_W: Array, floor_W: Array, mixes: int) -> _Ports:
    light = np.stack([probe.light(data[f"mix {mix}"], dark_W) for mix in range(mixes)])
    n, at_end = light.shape[-1], np.isnan(light).mean(axis=(0, 1))
    steady = probe.light(data["steady"], dark_W)
    lit = np.where(np.isnan(light), 0.0, light)
    # in a sweep the light of many outputs comes to one: what is at its end now would be then too
    saturated = np.flatnonzero(at_end > 0.0).tolist()
    dead_out = [j for j in range(n) if j not in saturated and not lit[..., j].max() > _REACTS * floor_W[j]]
    through = lit.sum(axis=(0, 2))
    least = max(_REACTS * float(np.sqrt(mixes * np.sum(floor_W**2))), _DARK_INPUT * float(through.max()))
    mean, spread = steady.mean(axis=0), steady.std(axis=0, ddof=1)
    clear = mean > _BRIGHT * floor_W  # false where a reading was at its end
    return _Ports(
        powers=lit.sum(axis=0) / np.maximum((~np.isnan(light)).sum(axis=0), 1),
        dead_in=[i for i in range(n) if not through[i] > least],
        dead_out=dead_out,
        saturated=saturated,
        relative_noise=float(np.median(spread[clear] / mean[clear])) if clear.any() else 0.0,
    )


def _balance(twin: PhotonicChip, ports: _Ports) -> None:
    """Put what the ports lose into the twin: no light from a dead input, and what is usual to a lost detector."""
    n = len(ports.powers)
    ins = [i for i in range(n) if i not in ports.dead_in]
    outs = [j for j in range(n) if j not in ports.lost_out]
    if not ins or not outs:
        what = "detector can be used" if ports.saturated else "input lets light through"
        raise NotEnoughData(
            f"no {what}: {len(ports.dead_in)} inputs are dark, {len(ports.dead_out)} detectors never react, "
            f"{len(ports.saturated)} are at their end; look at the laser, its power and the fibres"
        )
    part = np.maximum(ports.powers[np.ix_(ins, outs)], np.finfo(np.float64).tiny)
    inputs, outputs = part.sum(axis=1), part.sum(axis=0)  # as good as can be said where ports are lost
    if len(ins) == len(outs) == n:
        outputs = np.ones(n)
        for _ in range(_BALANCES):
            inputs = part @ (1.0 / outputs)
            outputs = part.T @ (1.0 / inputs)
    inputs, outputs = inputs / inputs.mean(), outputs / outputs.mean()
    with torch.no_grad():
        mean_peak = twin.modulators.peak[ins].square().mean()
        twin.modulators.peak[ins] = torch.as_tensor(np.sqrt(inputs)) * mean_peak.sqrt()
        # all light that is read over all that is sent in; a port that is lost takes its share along
        scale = part.sum() * (n / len(outs)) / (twin.laser_W * len(ins) * float(mean_peak))
        twin.port_transmission[outs] = torch.as_tensor(outputs * scale)
        twin.port_transmission[ports.lost_out] = float(outputs.mean() * scale)
        twin.modulators.peak[ports.dead_in] = 0.0


def _notes(probe: Probe, ports: _Ports) -> list[str]:
    ins, outs = probe.modulators, probe.device.outputs.names
    return [
        *(
            f"input {ins[i]} lets no light through: ways from the other inputs are used"
            for i in ports.dead_in
        ),
        *(f"detector {outs[j]} never reacts: ways to the other outputs are used" for j in ports.dead_out),
        *(
            f"detector {outs[j]} is at its end: ways to the other outputs are used; lower the laser's power, or "
            "raise its range"
            for j in ports.saturated
        ),
    ]
