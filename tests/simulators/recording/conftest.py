"""A session on a bench without a file, recorded as it goes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pyvisa

from simulators.recording import finish
from simulators.recording.replay import rewind
from simulators.visa import power_off
from tests.simulators.visa.bench import load

Session = Callable[[pyvisa.ResourceManager], None]


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("simulators.bench.load", load)
    yield
    power_off()


@pytest.fixture
def record(tmp_path: Path) -> Callable[[Session], Path]:
    """Records a session in a fresh file, whose path it gives."""

    def run(session: Session, name: str = "s.rec") -> Path:
        path = tmp_path / name
        manager = pyvisa.ResourceManager(f"record:{path}:bench.yaml@hil@hil")
        session(manager)
        manager.close()
        finish(str(path))
        return path

    return run


@pytest.fixture
def replayed() -> Iterator[Callable[..., pyvisa.ResourceManager]]:
    """Opens a recording for replay, from its start."""
    opened: list[tuple[Path, pyvisa.ResourceManager]] = []

    def start(path: Path, scheme: str = "replay") -> pyvisa.ResourceManager:
        rewind(str(path))
        manager = pyvisa.ResourceManager(f"{scheme}:{path}@hil")
        opened.append((path, manager))
        return manager

    yield start
    for path, manager in opened:
        manager.close()
        rewind(str(path))
