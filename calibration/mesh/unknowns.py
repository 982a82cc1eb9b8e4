"""What a fit is to find in a model, and how far from its present value each may be: a Gaussian prior."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calibration.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Spread:
    """How the true values of one parameter lie around its present ones; all standard deviations.

    Attributes:
        own: of each value on its own, a number or of the parameter's shape; 0 where it is known.
        common: of what all values of a group share, such as a mean loss; 0 for nothing.
        groups: the group of each value, of the parameter's shape; without them all are of one. -1 is of none.
    """

    own: float | Tensor
    common: float = 0.0
    groups: Tensor | None = None


class Unknowns:
    """Parameters of a model as one vector of coordinates whose prior is the standard normal distribution.

    parameter = present + own · z + common · z_of_group. The fit's weakly determined directions and the gauge
    freedoms of a mesh stay where the model was, as their prior says.

    Args:
        model: whose present values are the prior's centre; it is not changed.
        spreads: by the parameter's name in `model.named_parameters()`.
    """

    def __init__(self, model: nn.Module, spreads: Mapping[str, Spread], dtype: torch.dtype) -> None:
        present = dict(model.named_parameters())
        unknown = [name for name in spreads if name not in present]
        if unknown:
            raise ShapeError(f"the model has no parameter {unknown[0]!r}; it has {', '.join(present)}")
        self.count = 0
        self._terms: list[tuple[str, Tensor, Tensor, Tensor, float, Tensor | None, slice, slice]] = []
        for name, spread in spreads.items():
            centre = present[name].detach()
            own = torch.as_tensor(spread.own, dtype=centre.dtype).broadcast_to(centre.shape)
            free = own.flatten().nonzero()[:, 0]
            groups = spread.groups
            if spread.common and groups is None:
                groups = torch.zeros(centre.shape, dtype=torch.long)
            shared = int(groups.max()) + 1 if spread.common and groups is not None else 0
            mine = slice(self.count, self.count + len(free))
            ours = slice(mine.stop, mine.stop + shared)
            self.count = ours.stop
            scale = own.flatten()[free].to(dtype)
            self._terms.append((name, centre.to(dtype), free, scale, spread.common, groups, mine, ours))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(term[0] for term in self._terms)

    def values(self, z: Tensor) -> dict[str, Tensor]:
        """The parameters at coordinates z (count,), differentiable."""
        found = {}
        for name, centre, free, scale, common, groups, mine, ours in self._terms:
            value = centre.flatten().index_add(0, free, scale * z[mine]).view_as(centre)
            if ours.stop > ours.start and groups is not None:
                # group -1 takes the zero at the end
                padded = torch.cat((common * z[ours], z.new_zeros(1)))
                value = value + padded[groups]
            found[name] = value
        return found
