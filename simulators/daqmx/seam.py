"""How the `nidaqmx` package comes to the emulated driver.

Every object of the package that talks to the driver asks `nidaqmx.utils._select_interpreter` for an
interpreter, the package's own seam between its classes and the C library or the gRPC server. Inside
`emulated_daqmx` that one function hands out the emulated interpreter; the package itself, its tasks, readers,
writers, constants and errors, is what is installed. Who asks for a gRPC session still gets one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from simulators.clock import VirtualClock
from simulators.errors import BenchError
from simulators.instruments.ni_cdaq.chassis import NiCdaq


class Link(Protocol):
    """What every exchange costs in virtual time."""

    @property
    def latency_s(self) -> float: ...  # noqa: D102


class Bench(Protocol):
    """What is needed of an emulated bench: its instruments, and what an exchange with them costs."""

    @property
    def clock(self) -> VirtualClock: ...  # noqa: D102
    @property
    def instruments(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def link(self) -> Link: ...  # noqa: D102


@contextmanager
def emulated_daqmx(bench: Bench | NiCdaq | str | Path) -> Iterator[None]:
    """Let the `nidaqmx` package find the chassis of `bench` and no other, until the block ends.

    `bench` is a bench, the path of a bench file (its bench is switched on if it is not yet), or a chassis of
    one's own. Objects made inside keep to the chassis they found. On a bench without a chassis nothing
    changes, and `nidaqmx` need not be installed. Raises BenchError where it must be and is not, and for a
    bench file that cannot be used.
    """
    chassis, latency_s = _chassis(bench)
    if not chassis:
        yield
        return
    try:
        from nidaqmx import utils
    except ImportError as error:
        raise BenchError(
            f"the bench has an NI chassis, but the package nidaqmx is missing ({error}); "
            "install it: pip install 'hil[nidaqmx]'"
        ) from error

    from simulators.daqmx.interpreter import EmulatedInterpreter

    emulated, select = EmulatedInterpreter(chassis, latency_s), utils._select_interpreter

    def selected(grpc_options: Any = None, interpreter: Any = None) -> Any:
        return select(grpc_options, interpreter) if grpc_options or interpreter else emulated

    utils._select_interpreter = selected
    try:
        yield
    finally:
        utils._select_interpreter = select


def _chassis(bench: Bench | NiCdaq | str | Path) -> tuple[list[NiCdaq], float]:
    if isinstance(bench, NiCdaq):
        return [bench], 0.0
    if isinstance(bench, str | Path):
        from simulators.visa.library import powered

        bench = powered(str(bench))
    found = [one for one in bench.instruments.values() if isinstance(one, NiCdaq)]
    return found, bench.link.latency_s
