"""A chip whose best gates are known by arithmetic, as a model in torch and as a device in numpy.

With logic levels of ±0.2 V on a and b, D = ((a-b)/0.4)² is 0, 1, 1, 0 and S = (a+b)/0.4 is -1, 0, 0, 1
over the inputs 00, 01, 10, 11. The current is 10 nA · (A·D + B·S), where A is a bump of the controls c and d
with its top of 1 at (0.31, -0.2) V, and B is the control e, which goes from -0.5 to 0.5 V. Hence the widest
margins, in units of 10 nA: XOR A - |B|, at most 1; AND and NOR |B| - A, at most 0.5; OR and NAND
min(A, |B|) + |B|, at most 1; XNOR never, unless a 1 may be the lower output.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from calibration.device import Array, ChannelGroup, Cost, Response
from simulators.models.model import ElectrodeModel

NAMES = ("a", "b", "c", "d", "e")
LOW = np.array([-0.6, -0.6, -0.6, -0.6, -0.5])
HIGH = np.array([0.6, 0.6, 0.6, 0.6, 0.5])
LEVELS = (-0.2, 0.2)
UNIT_A = 10e-9
BEST_XOR = {"c": 0.31, "d": -0.2, "e": 0.0}


class BumpModel(ElectrodeModel):
    def __init__(self) -> None:
        super().__init__(NAMES, torch.from_numpy(LOW), torch.from_numpy(HIGH))

    def current(self, voltages: torch.Tensor) -> torch.Tensor:
        a, b, c, d, e = voltages.unbind(-1)
        bump = torch.exp(-((c - 0.31).square() + (d + 0.2).square()) / (2 * 0.15**2))
        answer = bump * ((a - b) / 0.4).square() + e * (a + b) / 0.4
        return UNIT_A * answer.unsqueeze(-1)


@dataclass
class BumpDevice:
    """The same chip on a bench: noise, a readout that lags, clipping, and limits that are enforced."""

    noise_A: float = 0.0
    lag_s: float = 0.0
    clip_A: float = np.inf
    seed: int = 0
    names: tuple[str, ...] = ("a", "b")
    sample_rate_Hz: float = 1000.0
    held: dict[str, float] = field(default_factory=lambda: dict.fromkeys(NAMES, 0.0))
    waveforms: list[Array] = field(default_factory=list)
    layers: Sequence["BumpDevice"] = ()

    def __post_init__(self) -> None:
        everything = ChannelGroup(NAMES, "V", LOW, HIGH, np.full(5, 20.0))
        self.inputs = everything.select(self.names)
        self.controls = everything.select([name for name in NAMES if name not in self.names])
        whole = np.array([np.inf])
        self.outputs = ChannelGroup(("out",), "A", -whole, whole, whole, 6 * self.lag_s, self.noise_A)
        self.taps: dict[str, ChannelGroup] = {}
        self.identity = {"kind": "synthetic", "name": "bump"}
        self.cost = Cost()

    def with_inputs(self, names: Sequence[str]) -> "BumpDevice":
        return BumpDevice(
            self.noise_A,
            self.lag_s,
            self.clip_A,
            self.seed,
            tuple(names),
            self.sample_rate_Hz,
            self.held,
            self.waveforms,
        )

    def set_controls(self, values: Array) -> None:
        if values.shape != (3,) or (values < self.controls.low).any() or (values > self.controls.high).any():
            raise ValueError(f"controls {values}")
        self.held.update(zip(self.controls.names, values.tolist(), strict=True))

    def run(self, inputs: Array) -> Response:
        if (inputs < self.inputs.low).any() or (inputs > self.inputs.high).any():
            raise ValueError("outside the range")
        if (np.abs(np.diff(inputs, axis=1)) * self.sample_rate_Hz > self.inputs.max_slew * (1 + 1e-9)).any():
            raise ValueError("faster than the slew limit")
        self.waveforms.append(inputs)
        now = {name: np.full(inputs.shape[:2], value) for name, value in self.held.items()}
        now |= {name: inputs[..., k] for k, name in enumerate(self.names)}
        bump = np.exp(-((now["c"] - 0.31) ** 2 + (now["d"] + 0.2) ** 2) / (2 * 0.15**2))
        ideal = UNIT_A * (bump * ((now["a"] - now["b"]) / 0.4) ** 2 + now["e"] * (now["a"] + now["b"]) / 0.4)
        seen = ideal.copy()
        if self.lag_s:
            share = 1 - np.exp(-1 / (self.sample_rate_Hz * self.lag_s))
            for k in range(1, inputs.shape[1]):
                seen[:, k] = seen[:, k - 1] + share * (ideal[:, k] - seen[:, k - 1])
        seen = seen + self.noise_A * np.random.default_rng(self.seed).standard_normal(seen.shape)
        flags = (np.abs(seen) > self.clip_A).astype(np.uint8)
        return Response(inputs, np.clip(seen, -self.clip_A, self.clip_A)[..., None], flags)

    def rest(self) -> None:
        self.held.update(dict.fromkeys(NAMES, 0.0))
