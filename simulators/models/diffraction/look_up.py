"""The look-up table of a spatial light modulator: which phase each level makes."""

import torch
from torch import Tensor, nn

from simulators.errors import ModelError


class LookUpTable(nn.Module):
    """Phases of the levels 0, 1, ... of one device, rising; a parameter without gradient, for who fits it.

    Raises ModelError for fewer than two levels and for phases that do not rise.

    Attributes:
        phases_rad: (levels,).
    """

    def __init__(self, phases_rad: Tensor) -> None:
        super().__init__()
        if phases_rad.dim() != 1 or len(phases_rad) < 2:
            raise ModelError(
                f"a look-up table of shape {tuple(phases_rad.shape)}; it has one phase for each level"
            )
        if not bool((phases_rad.diff() > 0).all()):
            raise ModelError(
                "the phases of a look-up table rise from level to level; sort the levels or smooth it"
            )
        self.phases_rad = nn.Parameter(phases_rad.clone(), requires_grad=False)

    @classmethod
    def of_curve(
        cls, levels: int, stroke_rad: float, gamma: float = 1.0, dtype: torch.dtype = torch.float64
    ) -> "LookUpTable":
        """A table in which level l of L makes stroke · (l / (L - 1))^gamma."""
        share = torch.linspace(0.0, 1.0, levels, dtype=torch.float64)
        return cls((stroke_rad * share**gamma).to(dtype))

    @property
    def levels(self) -> int:
        """How many there are."""
        return len(self.phases_rad)

    def forward(self, levels: Tensor) -> Tensor:
        """Phases in rad of `levels`, which are rounded; the gradient is the slope of the table there.

        Raises ModelError for a level that is not in the table.
        """
        last = self.levels - 1
        wrong = ~((levels >= 0) & (levels <= last))
        if bool(wrong.any()):
            raise ModelError(
                f"level {float(levels.detach()[wrong][0]):g} is not in the look-up table; its levels are 0 to {last}"
            )
        whole = levels.detach().round().long()
        above, below = (whole + 1).clamp(max=last), (whole - 1).clamp(min=0)
        table = self.phases_rad
        slope = ((table[above] - table[below]) / (above - below)).detach()
        return table[whole] + slope * (levels - levels.detach())

    def nearest(self, phases_rad: Tensor) -> Tensor:
        """Levels (int64) whose phases are nearest to `phases_rad`, full turns left aside."""
        first = self.phases_rad[0]
        turn = 2.0 * torch.pi
        wanted = first + torch.remainder(phases_rad.detach() - first, turn)
        table = torch.cat((self.phases_rad.detach(), (first + turn)[None]))
        table = table[: int((table[:-1] < first + turn).sum()) + 1].clone()
        table[-1] = first + turn  # a table of more than a turn is used up to one turn
        above = torch.searchsorted(table, wanted.contiguous()).clamp(1, len(table) - 1)
        nearer = (table[above] - wanted) < (wanted - table[above - 1])
        return torch.where(nearer, above, above - 1) % (len(table) - 1)
