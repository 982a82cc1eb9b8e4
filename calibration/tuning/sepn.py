"""Systematic-error prediction networks: what a model of a chip leaves out, learnt behind each of its stages.

The networks are functions of a flat vector of weights, as chips are functions of their controls: between two steps
there is nothing but that vector. All of them are residual, on states scaled to a mean square of 1, and begin with
nothing to add.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from calibration.device import Array
from calibration.tuning.fusion import Correction, in_stages, precision
from calibration.tuning.method import Problem

_KERNEL = 3


class ErrorNetwork(Protocol):
    """The correction of one stage."""

    @property
    def n_weights(self) -> int:
        """How many real weights it has."""

    def initial(self, generator: torch.Generator) -> Tensor:
        """Weights (n_weights,) with which it corrects nothing, and from which it can learn."""

    def __call__(self, weights: Tensor, before: Tensor, behind: Tensor) -> Tensor:
        """The corrected state behind the stage, of `weights` (n_weights,) and the states (samples, ...)."""


@dataclass(frozen=True)
class _ComplexConvolution:
    """3 × 3, from and to so many maps, at the same size, half of it (down) or twice it (up)."""

    maps_in: int
    maps_out: int
    change: str = "same"

    @property
    def n_weights(self) -> int:
        return 2 * (self.maps_in * _KERNEL**2 + 1) * self.maps_out

    def initial(self, generator: torch.Generator) -> Tensor:
        reach = 1.0 / math.sqrt(self.maps_in * _KERNEL**2)
        return reach * (2.0 * torch.rand(self.n_weights, generator=generator, dtype=torch.float64) - 1.0)

    def __call__(self, weights: Tensor, maps: Tensor) -> Tensor:
        """Of maps (samples, 2, maps_in, rows, columns), real parts first; one real convolution is the fastest."""
        n = self.maps_in * self.maps_out * _KERNEL**2
        whole, bias = weights[: 2 * n], weights[2 * n :]
        if self.change == "up":
            real, imaginary = whole.view(2, self.maps_in, self.maps_out, _KERNEL, _KERNEL)
            kernel = _square(real, imaginary, -imaginary)
            flat = functional.conv_transpose2d(
                maps.flatten(1, 2), kernel, bias, stride=2, padding=1, output_padding=1
            )
        else:
            real, imaginary = whole.view(2, self.maps_out, self.maps_in, _KERNEL, _KERNEL)
            kernel = _square(real, -imaginary, imaginary)
            stride = 2 if self.change == "down" else 1
            flat = functional.conv2d(maps.flatten(1, 2), kernel, bias, stride=stride, padding=1)
        return flat.view(len(flat), 2, self.maps_out, *flat.shape[2:])


def _square(real: Tensor, right: Tensor, below: Tensor) -> Tensor:
    return torch.cat((torch.cat((real, right), dim=1), torch.cat((below, real), dim=1)))


@dataclass(frozen=True)
class ComplexUNet:
    """A small complex U-Net that looks at the fields as an image (Zheng et al., Nat. Mach. Intell. 5, 1119 (2023)).

    Three scales; at each a block of three convolutions of the image at that scale, which is made from the fields
    by strided convolutions and not from the block before; two transposed convolutions bring the coarse maps back
    to the finer ones, beside which they are laid; one convolution makes the fields to add. ReLU of real and
    imaginary parts; no normalisation. Of maps 4, 6, 8 it has 4,035 complex weights, of 4, 8, 16 9,757.

    Attributes:
        image: rows and columns of the fields; both are filled up to multiples of 4 with the dark.
        maps: at the fine, the middle and the coarse scale.
    """

    image: tuple[int, int]
    maps: tuple[int, int, int] = (4, 8, 16)

    @property
    def convolutions(self) -> tuple[_ComplexConvolution, ...]:
        """In the order of their weights."""
        fine, middle, coarse = self.maps
        layer = _ComplexConvolution
        return (
            *(layer(1, fine), layer(fine, fine), layer(fine, fine)),
            layer(1, fine, "down"),
            *(layer(fine, middle), layer(middle, middle), layer(middle, middle)),
            layer(fine, middle, "down"),
            *(layer(middle, coarse), layer(coarse, coarse), layer(coarse, coarse)),
            *(layer(coarse, middle, "up"), layer(2 * middle, fine, "up")),
            layer(2 * fine, 1),
        )

    @property
    def n_weights(self) -> int:
        """See `ErrorNetwork`: twice the number of complex ones."""
        return sum(layer.n_weights for layer in self.convolutions)

    def initial(self, generator: torch.Generator) -> Tensor:
        """See `ErrorNetwork`."""
        parts = [layer.initial(generator) for layer in self.convolutions]
        return torch.cat((*parts[:-1], torch.zeros_like(parts[-1])))

    def __call__(self, weights: Tensor, before: Tensor, behind: Tensor) -> Tensor:
        """See `ErrorNetwork`; of the fields (samples, ...) behind the stage alone."""
        scale = _size(behind)
        rows, columns = self.image
        fields = torch.stack((behind.real, behind.imag), dim=1).view(len(behind), 2, 1, rows, columns) / scale
        # width from the right, height from below: what is added is cut off again at the end
        x = functional.pad(fields, (0, -columns % 4, 0, -rows % 4))
        sizes = [layer.n_weights for layer in self.convolutions]
        steps = list(zip(self.convolutions, torch.split(weights, sizes), strict=True))

        def run(maps: Tensor, first: int, last: int) -> Tensor:
            for layer, part in steps[first:last]:
                maps = torch.relu(layer(part, maps))
            return maps

        half = run(x, 3, 4)
        quarter = run(half, 7, 8)
        fine, middle, coarse = run(x, 0, 3), run(half, 4, 7), run(quarter, 8, 11)
        middle = torch.cat((middle, run(coarse, 11, 12)), dim=2)
        fine = torch.cat((fine, run(middle, 12, 13)), dim=2)
        last, part = steps[13]
        added = scale * last(part, fine)[..., :rows, :columns]
        real, imaginary = added[:, :, 0].unbind(dim=1)
        return behind + torch.complex(real, imaginary).view_as(behind)


@dataclass(frozen=True)
class RealNetwork:
    """A fully connected network of one hidden layer, tanh, that sees what goes into a stage and what comes out.

    Attributes:
        n_before, n_behind: values of the states, 0 before for a state that it is not shown.
        hidden: units.
    """

    n_before: int
    n_behind: int
    hidden: int = 32

    @property
    def _shapes(self) -> tuple[tuple[int, int], tuple[int], tuple[int, int], tuple[int]]:
        n = self.n_before + self.n_behind
        return (self.hidden, n), (self.hidden,), (self.n_behind, self.hidden), (self.n_behind,)

    @property
    def n_weights(self) -> int:
        """See `ErrorNetwork`."""
        return sum(math.prod(shape) for shape in self._shapes)

    def initial(self, generator: torch.Generator) -> Tensor:
        """See `ErrorNetwork`."""
        first, *rest = self._shapes
        weights = torch.randn(math.prod(first), generator=generator, dtype=torch.float64)
        nothing = torch.zeros(sum(math.prod(shape) for shape in rest), dtype=torch.float64)
        return torch.cat((weights / math.sqrt(first[1]), nothing))

    def __call__(self, weights: Tensor, before: Tensor, behind: Tensor) -> Tensor:
        """See `ErrorNetwork`."""
        scale = _size(behind)
        seen = behind.flatten(1) / scale
        if self.n_before:
            first = before.flatten(1)
            seen = torch.cat((first / _size(first), seen), dim=-1)
        sizes = [math.prod(shape) for shape in self._shapes]
        w1, b1, w2, b2 = (
            part.view(shape) for part, shape in zip(torch.split(weights, sizes), self._shapes, strict=True)
        )
        added = functional.linear(torch.tanh(functional.linear(seen, w1, b1)), w2, b2)
        return behind + scale * added.view_as(behind)


def _size(state: Tensor) -> Tensor:
    """Root of the mean square of a batch, a constant to gradients."""
    with torch.no_grad():
        square = state.real.square() + state.imag.square() if state.is_complex() else state.square()
        return square.mean().sqrt().clamp(min=1e-30)


@dataclass(frozen=True)
class ErrorNetworks:
    """One network behind each stage, and all their weights in one vector.

    Attributes:
        networks: complex ones where the states behind are fields, real ones otherwise.
    """

    networks: tuple[ErrorNetwork, ...]

    @classmethod
    def of(cls, shapes: Array, maps: tuple[int, int, int], hidden: int) -> "ErrorNetworks":
        """Networks that fit states of the shapes that `state_shapes` tells."""
        networks = []
        for complex_, first, second in shapes.astype(int).tolist():
            one: ErrorNetwork
            one = ComplexUNet((first, second), maps) if complex_ else RealNetwork(first, second, hidden)
            networks.append(one)
        return cls(tuple(networks))

    @property
    def n_weights(self) -> int:
        """Of all networks."""
        return sum(network.n_weights for network in self.networks)

    def initial(self, seed: int) -> Array:
        """Weights (n_weights,) that correct nothing."""
        generator = torch.Generator().manual_seed(seed)
        weights: Array = torch.cat([network.initial(generator) for network in self.networks]).numpy()
        return weights

    def correction(self, weights: Tensor) -> Correction:
        """What the networks do with `weights` (n_weights,)."""
        parts = torch.split(weights, [network.n_weights for network in self.networks])

        def corrected(k: int, before: Tensor, behind: Tensor) -> Tensor:
            return self.networks[k](parts[k], before, behind)

        return corrected


def state_shapes(problem: Problem) -> Array:
    """What the states of the problem's model are like, one row for each stage, (stages, 3).

    Of fields behind a stage 1, rows, columns: ports in a row make the best square; of real states 0 and how many values
    there are in front of the stage, 0 for fields, and behind it.
    """
    model, kind = in_stages(problem.known_model), precision(problem.known_model)
    inputs = torch.as_tensor(problem.task.training.inputs[:1]).to(kind)
    controls = torch.as_tensor(problem.limits.controls(np.zeros(len(problem.limits.names)))).to(kind)
    shapes = []
    with torch.no_grad():
        state = model.enter(inputs)
        for k, part in enumerate(model.parts(controls)):
            before = model.onward(k - 1, state) if k else state
            state = model.stage(k, before, part)
            if state.is_complex():
                shapes.append((1, *_image(state.shape[1:])))
            else:
                shapes.append((0, 0 if before.is_complex() else before[0].numel(), state[0].numel()))
    return np.array(shapes, dtype=np.float64)


def _image(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns: those of a plane, or those of ports in a row that make the best square."""
    if len(shape) == 2:
        return shape[0], shape[1]
    n = math.prod(shape)
    rows = max(k for k in range(1, math.isqrt(n) + 1) if n % k == 0)
    return rows, n // rows
