"""A stage of a calibration: it measures block after block, and ends in a better calibration."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import ParamSpec, Protocol

from calibration.device import Array, Device
from calibration.errors import NotRun
from calibration.mesh.record import MeshCalibration

P = ParamSpec("P")


@dataclass(frozen=True, eq=False)
class Block:
    """The raw readings of one step of a stage, such as one sweep: what a run keeps, and resumes from.

    Attributes:
        name: unique within the stage.
        arrays: settings and readings by name.
    """

    name: str
    arrays: Mapping[str, Array]


Blocks = Mapping[str, Mapping[str, Array]]
"""Arrays of blocks that were measured before, by the block's name."""


class Stage(Protocol):
    """One stage; made for one use. What it decides depends on its settings and on the readings alone.

    A stage that is resumed is made anew and run with the blocks that are known: those are taken as they are and not
    measured again, so it goes on where it stopped, and ends as if it had not.
    """

    @property
    def name(self) -> str:
        """Its name in the run and in `MeshCalibration.figures`."""

    @property
    def blocks(self) -> int:
        """How many blocks it will yield, those known included, as far as it can tell beforehand."""

    def run(self, device: Device, start: MeshCalibration, known: Blocks) -> Iterator[Block]:
        """Measure and yield, one by one, the blocks that are not in `known`.

        A fit that fails marks its shifter or detector and the stage goes on. Errors of the device pass through.
        """

    def result(self) -> MeshCalibration:
        """What is known now; to be asked after `run` is exhausted."""


class StageBase:
    """What all stages share.

    Attributes:
        blocks: see `Stage.blocks`: 0 for a stage that was made without the mesh's layout, until it runs.
    """

    blocks: int = 0
    _result: MeshCalibration | None = None

    def result(self) -> MeshCalibration:
        """See `Stage.result`; raises NotRun for a stage that has not run to its end."""
        if self._result is None:
            raise NotRun("the stage has not run to its end; its result is not known yet")
        return self._result


def kept(
    blocks: MutableMapping[str, Mapping[str, Array]],
    name: str,
    read: Callable[P, Mapping[str, Array]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Iterator[Block]:
    """Read a block by `read(*args, **kwargs)`, add it to `blocks` and yield it, unless it is there already."""
    if name not in blocks:
        blocks[name] = read(*args, **kwargs)
        yield Block(name, blocks[name])


def readings_in(blocks: Blocks) -> int:
    """How many samples the blocks have."""
    return sum(len(block["powers"]) for block in blocks.values())
