"""What PyVISA finds under the name `hil`: an emulated bench, a recording, or a replay of one."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any, cast

from pyvisa.highlevel import VisaLibraryBase
from pyvisa.util import DebugInfo, LibraryPath

_SCHEMES = {
    "record:": ("simulators.recording.library", "RecordingLibrary"),
    "replay:": ("simulators.recording.replay", "ReplayLibrary"),
    "replay-loose:": ("simulators.recording.replay", "ReplayLibrary"),
}
_BENCH = ("simulators.visa.library", "HilVisaLibrary")


class HilBackend(VisaLibraryBase):
    """Opens the library that the path asks for: see `simulators.recording.spelling`, else a bench file."""

    def __new__(cls, library_path: str | LibraryPath = "") -> "HilBackend":
        """Raises what opening the library raises."""
        module, name = next(
            (home for scheme, home in _SCHEMES.items() if library_path.startswith(scheme)), _BENCH
        )
        return cast("HilBackend", _library(module, name)(library_path))

    @staticmethod
    def get_library_paths() -> Iterable[LibraryPath]:
        """The bench file named in the environment, if any."""
        return cast("Iterable[LibraryPath]", _library(*_BENCH).get_library_paths())

    @staticmethod
    def get_debug_info() -> DebugInfo:
        """What `pyvisa-info` prints."""
        return cast(DebugInfo, _library(*_BENCH).get_debug_info())


def _library(module: str, name: str) -> Any:
    return getattr(import_module(module), name)
