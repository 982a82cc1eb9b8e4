"""How many threads the arithmetic gets while a small chip is solved."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Give torch a single thread: on chips of some thirty sites, more of them only wait for one another.

    The number from before is put back, for it belongs to the program that uses the chip.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
