"""How a driver's address comes to an emulated modulator or camera.

Drivers of frames look for their backend among the installed packages' entry points (group `hil.frames`), so that a
lab registers its vendor's library in a few lines. Inside `emulated_frames` one more distribution can be seen, by the
means that importlib.metadata has for that: a finder on `sys.meta_path`. It registers, before all others, every backend
that an address of the bench names. Nothing is replaced, and nothing is left behind.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import Distribution, DistributionFinder
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from simulators.clock import VirtualClock
from simulators.errors import BenchError
from simulators.frames.backend import EmulatedCamera, EmulatedModulator, Link
from simulators.instruments.frames.camera import Camera
from simulators.instruments.frames.slm import Slm

GROUP = "hil.frames"


class Bench(Protocol):
    """What is needed of an emulated bench: instruments by name, their addresses, what an exchange costs."""

    @property
    def clock(self) -> VirtualClock: ...  # noqa: D102
    @property
    def instruments(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def addresses(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def link(self) -> Link: ...  # noqa: D102


@contextmanager
def emulated_frames(bench: Bench | str | Path) -> Iterator[None]:
    """Let drivers find the modulators and cameras of `bench` at their addresses, until the block ends.

    `bench` is a bench or the path of a bench file, whose bench is switched on if it is not yet. On a bench without
    such devices nothing changes. Raises BenchError for a bench file that cannot be used, and for an address that
    is none of frames.
    """
    if isinstance(bench, str | Path):
        from simulators.visa.library import powered

        bench = powered(str(bench))  # type: ignore[assignment]
    devices = _devices(bench)  # type: ignore[arg-type]
    if not devices:
        yield
        return
    finder = _Finder(devices)
    _open.append(finder)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _open.remove(finder)


def open_device(backend: str, device: str) -> EmulatedModulator | EmulatedCamera:
    """The device BACKEND::DEVICE of the bench that was entered last; raises LookupError if it has none there."""
    for finder in reversed(_open):
        if (backend, device) in finder.devices:
            return finder.devices[backend, device]
    known = [f"{one}::{other}" for finder in _open for one, other in finder.devices]
    raise LookupError(f"nothing is there; there are {', '.join(known)}")


def __getattr__(name: str) -> Any:
    """What an entry point of ours names: `at_BACKEND` opens a device of that backend."""
    prefix, _, backend = name.partition("_")
    if prefix != "at" or not backend:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return lambda device: open_device(backend, device)


class _Finder(DistributionFinder):
    """Finds no module, and one distribution: the bench's."""

    def __init__(self, devices: Mapping[tuple[str, str], Any]) -> None:
        self.devices = devices

    def find_spec(self, *ignored: Any) -> None:
        """No module."""

    def find_distributions(
        self,
        context: DistributionFinder.Context = DistributionFinder.Context(),  # noqa: B008
    ) -> Iterable[Distribution]:
        """The bench's, where all are looked for."""
        return [_Registered({backend for backend, _ in self.devices})] if context.name is None else []


class _Registered(Distribution):
    """A distribution of entry points alone."""

    def __init__(self, backends: set[str]) -> None:
        self._backends = backends

    def read_text(self, filename: str) -> str | None:
        """Its name, and its entry points."""
        lines = [f"{backend} = {__name__}:at_{backend}" for backend in sorted(self._backends)]
        return {
            "METADATA": "Metadata-Version: 2.1\nName: hil-emulated-bench\nVersion: 0\n",
            "entry_points.txt": "\n".join([f"[{GROUP}]", *lines]),
        }.get(filename)

    def locate_file(self, path: str | PathLike[str]) -> Any:
        """It has no files."""
        return Path(path)


_open: list[_Finder] = []


def _devices(bench: Bench) -> dict[tuple[str, str], EmulatedModulator | EmulatedCamera]:
    found: dict[tuple[str, str], EmulatedModulator | EmulatedCamera] = {}
    for name, instrument in bench.instruments.items():
        if not isinstance(instrument, Slm | Camera):
            continue
        backend, _, device = bench.addresses[name].partition("::")
        if not (backend.isidentifier() and device):
            raise BenchError(
                f"{name}: {bench.addresses[name]!r} is no address of frames; write BACKEND::DEVICE, BACKEND a word, "
                "such as frames::slm0"
            )
        at_end = EmulatedModulator if isinstance(instrument, Slm) else EmulatedCamera
        found[backend, device] = at_end(instrument, bench.link)  # type: ignore[arg-type]
    return found
