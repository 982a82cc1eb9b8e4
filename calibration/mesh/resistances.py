"""Second stage: the resistance of every heater, cold and as it warms; the open and the shorted are found first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from calibration.device import Array, Device
from calibration.mesh.probing import HEATER_CURRENTS, Probe, own_copy
from calibration.mesh.record import MeshCalibration, Shifter
from calibration.mesh.stage import Block, Blocks, StageBase, kept, readings_in
from simulators.models.mesh import MeshLayout, PhotonicChip

_FIRST_LOOK = 0.1  # of the voltage limit: a hundredth of the power
_OPEN, _SHORT = 5.0, 0.2  # resistance over the design's
_STRAIGHT = 0.99  # R² below which current against voltage is not that of a heater


@dataclass(frozen=True)
class HeatersPlan:
    """At how many voltages each heater's current is read, up to its limit."""

    points: int = 6


class HeatersStage(StageBase):
    """Current against voltage of each heater: V = R₀ (1 + ρ V I) I.

    A first look at a tenth of the voltage finds heaters that are open or shorted, or whose current does not follow;
    those stay at 0 V from then on and have an infinite resistance in the twin, so that nothing is ever asked of them.
    A device without the tap `heater_currents` keeps the design's values. Everything is read in the dark of shut
    modulators.
    """

    name = "heaters"

    def __init__(self, plan: HeatersPlan | None = None, layout: MeshLayout | None = None) -> None:
        self.plan = plan or HeatersPlan()
        if layout is not None:
            self.blocks = 1 + len(layout.shifters)

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """See `Stage.run`."""
        twin, data = own_copy(start.twin), dict(known)
        probe = Probe(device, twin)
        count = len(probe.shifters)
        design_ohm = start.twin.heaters.resistance_ohm.numpy()
        found, lines = _without_wire(start.shifters, design_ohm), dict[str, Any]()
        if HEATER_CURRENTS in device.taps:
            self.blocks = 1 + count
            shut, cold, dark = probe.lit([]), np.zeros(count), probe.lit([])[None]
            volts = np.where([one.ok for one in found], _FIRST_LOOK * probe.high_V, 0.0)
            yield from kept(data, "first look", probe.read, dark, volts, currents=True)
            amperes = data["first look"]["currents"][0]
            for k, shifter in enumerate(found):
                found[k] = _looked_at(shifter, float(volts[k]), float(amperes[k]), float(design_ohm[k]))
            for k, shifter in enumerate(found):
                if shifter.ok:
                    steps = probe.high_V[k] * np.sqrt(np.arange(1, self.plan.points + 1) / self.plan.points)
                    yield from kept(
                        data, shifter.name, probe.sweep, [k], steps[:, None], shut, cold, currents=True
                    )
                    curve = data[shifter.name]["volts"][:, 0], data[shifter.name]["currents"][:, 0]
                    found[k], lines[shifter.name] = _fitted(twin, k, shifter, *curve)
        for k, shifter in enumerate(found):
            if not shifter.ok:
                with torch.no_grad():
                    twin.heaters.resistance_ohm[k] = torch.inf
        figures = {
            "lines": lines,
            "failed": {shifter.name: shifter.reason for shifter in found if not shifter.ok},
            "readings": readings_in(data),
        }
        self._result = replace(start, twin=twin, shifters=tuple(found)).noted(self.name, figures)


def _without_wire(shifters: tuple[Shifter, ...], design_ohm: Array) -> list[Shifter]:
    return [
        shifter if np.isfinite(ohm) else shifter.failed(f"heater {shifter.name} has no wire")
        for shifter, ohm in zip(shifters, design_ohm.tolist(), strict=True)
    ]


def _looked_at(shifter: Shifter, volts: float, amperes: float, design_ohm: float) -> Shifter:
    if not shifter.ok or np.isnan(amperes):
        return shifter
    name, ohm = shifter.name, volts / amperes if amperes > 0.0 else np.inf
    if ohm > _OPEN * design_ohm:
        return shifter.failed(
            f"heater {name} is open: it draws {1e6 * amperes:.3g} µA at {volts:.2g} V; its shifter stays as it is"
        )
    if ohm < _SHORT * design_ohm:
        return shifter.failed(
            f"heater {name} is shorted: {ohm:.3g} Ω where {design_ohm:.3g} Ω were designed; it stays at 0 V"
        )
    return shifter


def _fitted(
    twin: PhotonicChip, k: int, shifter: Shifter, volts: Array, amperes: Array
) -> tuple[Shifter, dict[str, Any]]:
    """Resistance and its rise into the twin; the shifter with its figures, and those of its curve."""
    shown = [float(ampere) if np.isfinite(ampere) else None for ampere in amperes]
    curve: dict[str, Any] = {"volts": volts.tolist(), "amperes": shown}
    if None in shown:
        return shifter.failed(f"heater {shifter.name}: its current could not be read"), curve
    if not (amperes > 0.0).all() or np.ptp(amperes) == 0.0:
        return shifter.failed(f"heater {shifter.name}: its current does not follow its voltage"), curve
    ohm, watts = volts / amperes, volts * amperes
    # a current is off by about as much at every voltage, so that R = V / I is by less where I is large
    slope, cold = np.polyfit(watts, ohm, 1, w=amperes / amperes.max())
    residual = amperes - volts / (cold + slope * watts)
    straight = 1.0 - float(np.sum(residual**2) / np.sum((amperes - amperes.mean()) ** 2))
    curve |= {"resistance_ohm": float(cold), "rise_per_W": float(slope / cold), "r_squared": straight}
    if not (cold > 0.0 and cold + slope * watts.max() > 0.0 and straight > _STRAIGHT):
        return shifter.failed(
            f"heater {shifter.name}: its current is not that of a resistor, R² = {straight:.4f}; see its curve"
        ), curve
    with torch.no_grad():
        twin.heaters.resistance_ohm[k], twin.heaters.rise_per_W[k] = cold, slope / cold
    return replace(shifter, figures={**shifter.figures, "resistance_ohm": float(cold)}), curve
