"""The two ways of evaluating a mesh: column by column on the fields, and its matrix by a tree of products."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simulators.models.mesh.layout import MeshLayout

_BLOCK_BYTES = 2**21  # of matrices in work at a time: about what the cache of one core holds


class Paths:
    """Evaluates the MZIs of one layout; `for_layout` keeps one per layout and device.

    A column mixes each row with one other row at most: new[row] = own · old[row] + other · old[partner], where own
    and other are taken from the mesh's *coefficients*: the elements of all its MZIs in one row, then 1 and 0 for
    the rows that a column leaves alone.
    """

    def __init__(self, layout: MeshLayout, device: torch.device) -> None:
        self._ports, self._depth = layout.ports, len(layout.columns)
        one, zero = 4 * len(layout.mzis), 4 * len(layout.mzis) + 1
        # The tree wants an even number of columns: where one is added, it lets everything pass.
        shape = (self._depth + self._depth % 2, self._ports)
        own, other = np.full(shape, one), np.full(shape, zero)
        partner = np.tile(np.arange(self._ports), (shape[0], 1))
        column = np.array([place.column for place in layout.mzis])
        upper = np.array([place.row for place in layout.mzis])
        lower, first = upper + 1, 4 * np.arange(len(layout.mzis))
        own[column, upper], other[column, upper], partner[column, upper] = first, first + 1, lower
        own[column, lower], other[column, lower], partner[column, lower] = first + 3, first + 2, upper
        self._own = torch.as_tensor(own[: self._depth].ravel(), device=device)
        self._other = torch.as_tensor(other[: self._depth].ravel(), device=device)
        self._partner = tuple(torch.as_tensor(partner[: self._depth], device=device))
        pairs = _pairs(own, other, partner, zero)
        self._later, self._earlier, self._place = (torch.as_tensor(index, device=device) for index in pairs)
        self._pairs = shape[0] // 2

    @staticmethod
    @lru_cache(maxsize=32)
    def for_layout(layout: MeshLayout, device: torch.device) -> "Paths":
        """The paths through `layout`, with their indices on `device`."""
        return Paths(layout, device)

    def propagate(self, elements: Tensor, fields: Tensor) -> Tensor:
        """Fields (..., N) after the columns, for MZI elements (..., M, 2, 2) and fields (..., N) before them."""
        coefficients = _coefficients(elements)
        rank = max(coefficients.ndim, fields.ndim)
        # Rows first, so that each step moves whole rows.
        coefficients, fields = _rows_first(coefficients, rank), _rows_first(fields, rank)
        own = torch.split(coefficients.index_select(0, self._own), self._ports)
        other = torch.split(coefficients.index_select(0, self._other), self._ports)
        for column, partner in enumerate(self._partner):
            fields = torch.addcmul(own[column] * fields, other[column], fields.index_select(0, partner))
        return fields.movedim(0, -1)

    def matrix(self, elements: Tensor) -> Tensor:
        """The matrix (..., N, N) of all columns, for MZI elements (..., M, 2, 2)."""
        coefficients = _coefficients(elements)
        settings = coefficients.reshape(-1, coefficients.shape[-1])
        bytes_each = self._pairs * self._ports**2 * coefficients.element_size()
        blocks = torch.split(settings, max(1, _BLOCK_BYTES // bytes_each))
        products = [self._product(block) for block in blocks]
        whole = products[0] if len(products) == 1 else torch.cat(products)
        return whole.reshape(*coefficients.shape[:-1], self._ports, self._ports)

    def _product(self, coefficients: Tensor) -> Tensor:
        """Matrices (settings, N, N) by a binary tree whose leaves are pairs of columns."""
        count = len(coefficients)
        # Through two neighbouring columns one way at most leads from a row to a row: no sums in the leaves.
        ways = _taken(coefficients, self._later) * _taken(coefficients, self._earlier)
        empty = ways.new_zeros(count, self._pairs * self._ports**2)
        level = empty.index_copy_(1, self._place, ways).view(count, self._pairs, self._ports, self._ports)
        while (left := level.shape[1]) > 1:
            products = level[:, 1::2] @ level[:, : left - left % 2 : 2]
            level = torch.cat((products, level[:, -1:]), dim=1) if left % 2 else products
        return level[:, 0]


Index = NDArray[np.int64]


def _pairs(own: Index, other: Index, partner: Index, zero: int) -> tuple[Index, Index, Index]:
    """Every way through two neighbouring columns: the later and the earlier coefficient on it, its place in its leaf.

    The places count through the elements of all leaves.
    """
    depth, ports = own.shape
    between = partner[1::2]  # the row between the two columns, of ways that change rows in the later one
    later = np.stack((own[1::2], own[1::2], other[1::2], other[1::2]))
    earlier = np.stack(
        (
            own[::2],
            other[::2],
            np.take_along_axis(own[::2], between, 1),
            np.take_along_axis(other[::2], between, 1),
        )
    )
    straight = np.broadcast_to(np.arange(ports), between.shape)
    start = np.stack((straight, partner[::2], between, np.take_along_axis(partner[::2], between, 1)))
    place = np.arange(depth // 2 * ports).reshape(-1, ports) * ports + start
    there = (later != zero) & (earlier != zero)
    return later[there], earlier[there], place[there]


def _coefficients(elements: Tensor) -> Tensor:
    flat = elements.flatten(-3)
    passing = torch.tensor((1.0, 0.0), dtype=flat.dtype, device=flat.device)
    return torch.cat((flat, passing.expand(*flat.shape[:-1], 2)), dim=-1)


def _taken(coefficients: Tensor, index: Tensor) -> Tensor:
    return coefficients.gather(1, index.expand(len(coefficients), -1))


def _rows_first(values: Tensor, rank: int) -> Tensor:
    return values[(None,) * (rank - values.ndim)].movedim(-1, 0).contiguous()
