"""A dopant network processing unit: `HoppingNetwork`, whose current is carried by hopping holes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from simulators.errors import ModelError
from simulators.models.hopping_equations import HoppingEquations
from simulators.models.hopping_layout import N_ELECTRODES, DopantLayout, HoppingParameters
from simulators.models.hopping_solver import CHUNK, steady_state
from simulators.models.model import ElectrodeModel

ELEMENTARY_CHARGE_C = 1.602176634e-19
READOUT_STD_A = 30e-9  # published devices: 19 to 61 nA
LEAST_STD_A = 2e-9  # at the default attempt frequency
_MOST_LAYOUTS = 100
_COARSEST = 16  # samples between the points of a trace that are solved from scratch
_BLOCK = 16384  # samples of a trace worked on at once
_SHORT = 128  # samples; below, one solution of all is quicker than coarse to fine


class HoppingNetwork(ElectrodeModel):
    """One device: seven driven electrodes e1 … e7 and the readout e8, held at 0 V by its amplifier.

    Answers are in double precision whatever the dtype of the voltages, and have no state: a point's answer
    does not depend on the points around it, to within the solver's tolerance (see `hopping_solver`).

    Args:
        parameters: of the device's material and geometry.
        layout: where the dopants lie; or
        seed: the seed of a random layout.
    """

    def __init__(
        self,
        parameters: HoppingParameters | None = None,
        layout: DopantLayout | None = None,
        *,
        seed: int | tuple[int, ...] = 0,
        electrodes: Sequence[str] = ("e1", "e2", "e3", "e4", "e5", "e6", "e7"),
    ) -> None:
        physics = HoppingParameters() if parameters is None else parameters
        super().__init__(
            electrodes,
            torch.tensor(physics.low_V, dtype=torch.float64),
            torch.tensor(physics.high_V, dtype=torch.float64),
        )
        if len(electrodes) != N_ELECTRODES - 1:
            raise ModelError(
                f"a hopping network has {N_ELECTRODES - 1} driven electrodes, not {len(electrodes)}"
            )
        self.physics = physics
        self.layout = DopantLayout.random(physics, seed) if layout is None else layout
        self.equations = HoppingEquations(physics, self.layout)

    @property
    def unit_A(self) -> float:
        """The current of one hole per attempt."""
        return ELEMENTARY_CHARGE_C * self.physics.attempt_frequency_Hz

    def current(self, voltages: Tensor) -> Tensor:
        """Current out of the readout (..., 1) in A at `voltages` (..., 7) in V; once differentiable.

        Raises:
            ConvergenceError: a point whose steady state is not found; it names its voltages.
            ModelError: voltages that are not finite, or not seven per point.
        """
        return self.currents_all(voltages)[..., -1:]

    def currents_all(self, voltages: Tensor) -> Tensor:
        """Currents out of all electrodes (..., 8) in A, the readout's last; they add to zero."""
        points = self._points(voltages)
        occupation: Tensor = _Occupation.apply(points, self.equations)  # type: ignore[no-untyped-call]
        return self._out(points, occupation).T.reshape(*voltages.shape[:-1], N_ELECTRODES)

    def drawn(self, voltages: Tensor) -> Tensor:
        """See `ElectrodeModel.drawn`."""
        return -self.currents_all(voltages)[..., :-1]

    def trace(self, voltages: Tensor) -> Tensor:
        """Readout current (time,) in A along a waveform `voltages` (time, 7); not differentiable.

        The same numbers as `current`, to 1e-9 of the largest, several times faster where neighbouring
        samples are near: every 16th sample is solved from scratch, and the samples between from cubic
        interpolation of their neighbours' occupations; of a short one every sample is solved from scratch. Raises as
        `current` does.
        """
        points = self._points(voltages.detach())
        current = points.new_empty(points.shape[1])
        for first in range(0, len(current), _BLOCK):
            block = points[:, first : first + _BLOCK]
            current[first : first + _BLOCK] = self._out(block, self._along(block))[-1]
        return current

    def readout_std_A(self) -> float:
        """Standard deviation of the readout over 512 points drawn evenly from the allowed voltages."""
        generator = torch.Generator().manual_seed(0)
        share = torch.rand(512, N_ELECTRODES - 1, generator=generator, dtype=torch.float64).to(
            self.low.device
        )
        with torch.no_grad():
            return float(self.current(self.low + share * (self.high - self.low)).std())

    def with_readout_std(self, std_A: float = READOUT_STD_A) -> Self:
        """The same layout, its attempt frequency scaled for a `readout_std_A` of `std_A`."""
        scale = std_A / max(self.readout_std_A(), 1e-300)
        physics = replace(self.physics, attempt_frequency_Hz=self.physics.attempt_frequency_Hz * scale)
        return type(self)(physics, self.layout, electrodes=self.electrodes).to(self.low.device)

    def _points(self, voltages: Tensor) -> Tensor:
        if voltages.shape[-1:] != (N_ELECTRODES - 1,):
            raise ModelError(
                f"voltages of shape {tuple(voltages.shape)}: the last axis should be the 7 electrodes"
            )
        if not bool(torch.isfinite(voltages).all()):
            raise ModelError("a voltage is not finite")
        driven = voltages.reshape(-1, N_ELECTRODES - 1).to(torch.float64).T
        return torch.cat((driven, torch.zeros_like(driven[:1])))

    def _out(self, points: Tensor, occupation: Tensor) -> Tensor:
        return self.unit_A * self.equations.electrode_flows(self.equations.bias(points), occupation)

    def _along(self, points: Tensor) -> Tensor:
        """Occupations along a waveform, coarse to fine."""
        time = points.shape[1]
        if time < _SHORT:
            return steady_state(self.equations, points)
        occupation = points.new_empty(self.equations.n_sites, time)
        stride = _COARSEST
        known = torch.arange(0, time, stride, device=points.device)
        occupation[:, known] = steady_state(self.equations, points[:, known])
        while stride > 1:
            last, stride = int(known[-1]), stride // 2
            if stride < time:
                fresh = torch.arange(stride, time, 2 * stride, device=points.device)
                guess = _between(occupation, fresh, stride, last)
                occupation[:, fresh] = steady_state(self.equations, points[:, fresh], guess)
            known = torch.arange(0, time, stride, device=points.device)
        return occupation


def _between(occupation: Tensor, fresh: Tensor, stride: int, last: int) -> Tensor:
    """Occupations at `fresh` from those known at odd multiples of `stride` away, up to `last`."""
    left, right = fresh - stride, (fresh + stride).clamp(max=last)
    before, after = (fresh - 3 * stride).clamp(min=0), (fresh + 3 * stride).clamp(max=last)
    near = occupation[:, left] + occupation[:, right]
    cubic = (9 * near - occupation[:, before] - occupation[:, after]) / 16
    inside = (fresh >= 3 * stride) & (fresh + 3 * stride <= last)
    return torch.where(inside, cubic, near / 2).clamp(0, 1)


class _Occupation(Function):
    """The steady state as a function of the voltages; its derivative by the implicit function theorem."""

    @staticmethod
    def forward(context: Any, points: Tensor, equations: HoppingEquations) -> Tensor:
        occupation = steady_state(equations, points)
        context.save_for_backward(points, occupation)
        context.equations = equations
        return occupation

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        points, occupation = context.saved_tensors
        equations: HoppingEquations = context.equations
        # balance(n(V), V) = 0, so dn/dV = -(d balance/dn)^-1 d balance/dV; here transposed onto `gradient`.
        back = torch.zeros_like(points)
        for first in range(0, points.shape[1], CHUNK):
            chunk = slice(first, first + CHUNK)
            with torch.enable_grad():
                free = points[:, chunk].detach().requires_grad_()
                balance = equations.balance(equations.bias(free), occupation[:, chunk])
            _, derivative = equations.linearised(equations.bias(points[:, chunk]), occupation[:, chunk])
            multiplier = torch.linalg.solve(derivative.mT, gradient[:, chunk].T[:, :, None])[:, :, 0].T
            (back[:, chunk],) = torch.autograd.grad(balance, free, -multiplier)
        return back, None


def default_network(seed: int) -> HoppingNetwork:
    """A working device: layouts are drawn until one conducts, and its readout is scaled.

    Labs too bond the devices that conduct, and set the amplifier to their currents. A layout conducts when
    its `readout_std_A` is above `LEAST_STD_A`; about four in five do (`test_population.py` prints the share).
    """
    for attempt in range(_MOST_LAYOUTS):
        physics = HoppingParameters()
        network = HoppingNetwork(physics, DopantLayout.random(physics, (seed, attempt)))
        if network.readout_std_A() >= LEAST_STD_A:
            return network.with_readout_std()
    raise ModelError(f"none of {_MOST_LAYOUTS} layouts from seed {seed} conducts")
