"""Devices that take or give frames: spatial light modulators and cameras, behind whatever library drives them.

A lab brings a vendor's library in by a few lines: a class that does what `SpatialLightModulator` or `Camera` says,
a function that opens one by the vendor's name for it, and an entry point of the group `hil.frames` in the lab's own
package. The entry point's name is what stands before the `::` in an address, the function gets what stands behind:

    [project.entry-points."hil.frames"]
    holoeye = "our_lab.holoeye:open_device"          # address: holoeye::0
"""

from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from drivers.errors import InstrumentError

GROUP = "hil.frames"

Frame = npt.NDArray[np.uint16]
"""Levels or counts, (rows, columns) or (frames, rows, columns)."""


class FrameDevice(Protocol):
    """What modulators and cameras share. Whatever they raise becomes an InstrumentError for who uses them."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""

    def identity(self) -> str:
        """Maker, model, serial number and version, with commas between, asked of the device."""

    def close(self) -> None:
        """Let the device go; it keeps what it shows."""


class SpatialLightModulator(FrameDevice, Protocol):
    """A screen of pixels, each of which is set to one of its levels."""

    @property
    def levels(self) -> int:
        """How many levels a pixel has: from 0 to one less."""

    @property
    def refresh_Hz(self) -> float:
        """How often the screen takes a new frame."""

    @property
    def settling_s(self) -> float:
        """From the return of `show` until every pixel stands, to half a level: refresh and response, at worst."""

    def show(self, frame: Frame) -> None:
        """Show a frame from the next refresh on; returns when the device has it."""

    def wait(self, seconds: float) -> None:
        """Let at least this time pass, on the device's own clock."""


class Camera(FrameDevice, Protocol):
    """A sensor that counts light."""

    @property
    def bits(self) -> int:
        """A count is from 0 to 2^bits - 1, where it is saturated."""

    @property
    def exposure_range_s(self) -> tuple[float, float]:
        """The shortest and the longest exposure."""

    @property
    def longest_frame_s(self) -> float:
        """The time that a frame takes beyond its exposure, at most."""

    def set_exposure(self, seconds: float) -> float:
        """Expose frames so long, or as nearly as it can; gives what was set."""

    def grab(self, count: int) -> Frame:
        """Take frames, (count, rows, columns), none of which began to be exposed before the call."""


def open_frames(address: str) -> Any:
    """Open the device at BACKEND::DEVICE; raises InstrumentError for one that is not to be had."""
    backend, separator, device = address.partition("::")
    if not (backend and separator and device):
        raise InstrumentError(
            f"{address!r} is no address of frames; write BACKEND::DEVICE, such as holoeye::0"
        )
    known = {
        entry.name: entry for entry in reversed(entry_points(group=GROUP))
    }  # of two, the first on the path
    if backend not in known:
        raise InstrumentError(
            f"{address}: no package has registered the backend {backend!r} in the group {GROUP!r}; there are "
            f"{', '.join(known) or 'none'}. Install the package, or correct the address"
        )
    with_what = f"{address}: {known[backend].value}"
    try:
        return known[backend].load()(device)
    except (ImportError, AttributeError) as error:
        raise InstrumentError(f"{with_what} cannot be imported: {error}") from error
    except Exception as error:
        raise InstrumentError(f"{with_what} did not open {device!r}: {error}") from error
