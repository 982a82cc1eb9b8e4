"""Where the interferometers of a mesh sit: in which column, on which two neighbouring rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from simulators.errors import ModelError

Kind = Literal["rectangular", "triangular"]


@dataclass(frozen=True)
class Place:
    """One Mach-Zehnder interferometer (MZI): its column, and the upper of its two rows, both from 0."""

    column: int
    row: int

    def __str__(self) -> str:
        return f"{self.column}_{self.row}"


@dataclass(frozen=True)
class MeshLayout:
    """The interferometers of a mesh, column by column along the light, in each column from the top.

    Their position in `mzis` is their number everywhere. Each has two phase shifters: internal (`theta`, on the
    upper arm between its splitters) and external (`phi`, on its upper input). Shifters are numbered with all
    internal ones first.

    Attributes:
        kind: rectangular (Clements et al., Optica 3, 1460 (2016)) or triangular (Reck et al., PRL 73, 58 (1994)).
        ports: number of rows N; the mesh holds N (N - 1) / 2 MZIs.
    """

    kind: Kind
    ports: int

    def __post_init__(self) -> None:
        if self.kind not in ("rectangular", "triangular"):
            raise ModelError(f"no mesh is {self.kind!r}; there are rectangular, triangular")
        if not 2 <= self.ports <= 128:
            raise ModelError(f"a mesh of {self.ports} ports; there are meshes from 2 to 128")

    @cached_property
    def columns(self) -> tuple[tuple[int, ...], ...]:
        """The upper rows of each column's MZIs."""
        n = self.ports
        if self.kind == "rectangular":
            return tuple(tuple(range(column % 2, n - 1, 2)) for column in range(n)) if n > 2 else ((0,),)
        depth = 2 * n - 3
        return tuple(
            tuple(row for row in range(column % 2, n - 1, 2) if row <= min(column, depth - 1 - column))
            for column in range(depth)
        )

    @cached_property
    def mzis(self) -> tuple[Place, ...]:
        """Every MZI in its order."""
        return tuple(Place(column, row) for column, rows in enumerate(self.columns) for row in rows)

    @cached_property
    def shifters(self) -> tuple[str, ...]:
        """Names of the phase shifters in their order: t0_0, … the internal ones, then p0_0, … the external."""
        return (*(f"t{place}" for place in self.mzis), *(f"p{place}" for place in self.mzis))
