"""Small fields on one thread: more of them only wait for one another."""

from collections.abc import Iterator

import pytest

from simulators.models.threads import one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield
