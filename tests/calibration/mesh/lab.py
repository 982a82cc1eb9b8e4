"""A fabricated chip whose truth is hidden from the calibration, and what tests ask about it afterwards."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch

from calibration.device import Array
from calibration.mesh import Blocks, MeshCalibration, Stage
from calibration.mesh.fidelity import amplitude_fidelity
from calibration.mesh.plan import StagesPlan, sweep_stages
from calibration.mesh.ports import live_ports
from calibration.mesh.probing import Probe
from hil.devices import EmulatedMesh
from simulators.models.mesh import (
    Fabrication,
    Kind,
    MeshLayout,
    PhotonicChip,
    PhotonicSpecimen,
    fabricate,
)


@dataclass
class Lab:
    """A chip on its bench: `chip` is the truth, `design` what a lab knows of it."""

    kind: Kind = "rectangular"
    ports: int = 4
    seed: int = 1
    splitter_rad: float = 0.04
    hurt: Callable[[PhotonicChip, Callable[[str], int]], object] | None = None
    noise: bool = True
    full_scale_W: float = 1e-3
    high_V: float = 9.0
    seen: dict[str, dict[str, dict[str, Array]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layout = MeshLayout(self.kind, self.ports)
        drift = 0.01 if self.noise else 0.0
        made = Fabrication(splitter_rad=self.splitter_rad, high_V=self.high_V, drift_rad=drift)
        self.chip = fabricate(self.layout, made, self.seed)
        if self.hurt is not None:
            with torch.no_grad():
                self.hurt(self.chip, self.layout.shifters.index)
        self.design = fabricate(self.layout, Fabrication.perfect(high_V=self.high_V), 0)
        noise = {} if self.noise else {"noise_W": 0.0, "noise_relative": 0.0}
        self.device = EmulatedMesh(
            PhotonicSpecimen(self.chip, drift, self.seed),
            full_scale_W=self.full_scale_W,
            seed=self.seed,
            **noise,
        )

    def blank(self) -> MeshCalibration:
        return MeshCalibration.blank(self.device.identity, self.design)

    def calibrated(self, plan: StagesPlan | None = None) -> list[MeshCalibration]:
        """What is known at the beginning and after each stage."""
        known = [self.blank()]
        for stage in sweep_stages(plan):
            known.append(self.run(stage, known[-1], {}))
        return known

    def run(self, stage: Stage, start: MeshCalibration, blocks: Blocks) -> MeshCalibration:
        """One stage; its new blocks are in `seen` then."""
        new = {block.name: dict(block.arrays) for block in stage.run(self.device, start, blocks)}
        self.seen[stage.name] = new
        return stage.result()

    def phase_errors(self, known: MeshCalibration) -> Array:
        """Errors of the internal phase offsets, (M,) in rad, never negative."""
        half = len(self.layout.mzis)
        apart = (known.twin.mesh.phase_offset - self.chip.mesh.phase_offset).numpy()[:half]
        return np.asarray(np.abs(np.angle(np.exp(1j * apart))))

    def fidelity(self, known: MeshCalibration, settings: int = 6, dead: Iterable[str] = ()) -> float:
        """Mean amplitude fidelity of predicted and measured powers at random settings, one port lit at a time."""
        rng = np.random.default_rng(99)
        probe, off = Probe(self.device, known.twin), [self.layout.shifters.index(name) for name in dead]
        lit, outs = live_ports(known)
        found = []
        for _ in range(settings):
            volts = probe.high_V * np.sqrt(0.5 * rng.random(len(probe.shifters)))
            volts[off] = 0.0
            read = probe.read(np.stack([probe.lit([i]) for i in lit]), volts)
            measured = np.maximum(probe.light(read, known.dark_W), 0.0)[:, outs]
            pair = torch.as_tensor(measured.T), torch.as_tensor(probe.expected(read)[:, outs].T)
            found.append(float(amplitude_fidelity(*pair)))
        return float(np.mean(found))
