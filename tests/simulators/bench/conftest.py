from pathlib import Path

import pytest

from tests.simulators.bench.linear import write_bench


@pytest.fixture(scope="module")
def bench_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bench(tmp_path_factory.mktemp("bench"))
