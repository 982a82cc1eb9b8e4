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
        share: how much of what its group shares each value takes; all of it by default.
    """

    own: float | Tensor
    common: float = 0.0
    groups: Tensor | None = None
    share: float | Tensor = 1.0

    @property
    def free(self) -> bool:
        """Whether anything is unknown at all."""
        return bool(torch.as_tensor(self.own).any()) or self.common > 0.0


@dataclass(frozen=True, eq=False)
class _Term:
    """One parameter: value = centre + own · z[mine] where it is free + shared · z[ours][group]."""

    centre: Tensor
    free: Tensor
    own: Tensor
    mine: slice
    member: Tensor
    group: Tensor
    shared: Tensor
    ours: slice

    def value(self, z: Tensor) -> Tensor:
        flat = self.centre.flatten().index_add(0, self.free, self.own * z[self.mine])
        if len(self.member):
            flat = flat.index_add(0, self.member, self.shared * z[self.ours].index_select(0, self.group))
        return flat.view_as(self.centre)


class Unknowns:
    """Parameters of a model as one vector of coordinates whose prior is the standard normal distribution.

    parameter = present + own · z + common · share · z of its group. The fit's weakly determined directions and the
    gauge freedoms of a mesh stay where the model was, as their prior says.

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
        self._terms: dict[str, _Term] = {}
        for name, spread in spreads.items():
            centre = present[name].detach()
            own, share, groups = (
                torch.as_tensor(values).broadcast_to(centre.shape).flatten()
                for values in (spread.own, spread.share, 0 if spread.groups is None else spread.groups)
            )
            free = own.nonzero()[:, 0]
            member = (groups >= 0).nonzero()[:, 0] if spread.common else free[:0]
            mine = slice(self.count, self.count + len(free))
            ours = slice(mine.stop, mine.stop + (int(groups[member].max()) + 1 if len(member) else 0))
            self.count = ours.stop
            self._terms[name] = _Term(
                centre.to(dtype),
                free,
                own[free].to(dtype),
                mine,
                member,
                groups[member],
                (spread.common * share[member]).to(dtype),
                ours,
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(self._terms)

    def values(self, z: Tensor) -> dict[str, Tensor]:
        """The parameters at coordinates z (count,), differentiable."""
        return {name: term.value(z) for name, term in self._terms.items()}
