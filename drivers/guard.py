"""The safe state before an exception goes anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Guarded(Protocol):
    """Anything with a safe state."""

    def safe_state(self) -> None:
        """Bring everything to rest; try all of it before raising."""


Chip = TypeVar("Chip", bound=Guarded)


@contextmanager
def guarded(chip: Chip, refusals: tuple[type[BaseException], ...] = ()) -> Iterator[Chip]:
    """Bring `chip` to its safe state before any exception leaves the block, interrupts and exits included.

    The exception then goes on as it was, with a note about the safe state. An end without exception
    leaves the chip as it is, and so do `refusals`, which are raised before anything was sent.
    """
    try:
        yield chip
    except refusals:
        raise
    except BaseException as failure:
        try:
            chip.safe_state()
        except BaseException as unsafe:
            if not isinstance(unsafe, Exception) and unsafe.__cause__ is None:
                unsafe.add_note("the chip is at rest, in its safe state")
                raise unsafe from failure  # it came on the way to the safe state, and was held back until there
            said = unsafe if isinstance(unsafe, Exception) else unsafe.__cause__ or unsafe
            failure.add_note(f"the safe state was not reached: {said}")
        else:
            failure.add_note("the chip is at rest, in its safe state")
        raise
