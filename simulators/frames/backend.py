"""The modulators and cameras of an emulated bench as their drivers find them: each call takes virtual time."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.clock import VirtualClock
from simulators.instruments.frames.camera import Camera
from simulators.instruments.frames.slm import Slm


class Link(Protocol):
    """What every exchange costs in virtual time."""

    @property
    def latency_s(self) -> float: ...  # noqa: D102
    @property
    def throughput_Bps(self) -> float: ...  # noqa: D102


class _Connection:
    """A line to a device: what is said on it takes its time."""

    def __init__(self, clock: VirtualClock, link: Link) -> None:
        self._clock, self._link = clock, link

    def spend(self, count: int = 0) -> None:
        """Let the time for one exchange of `count` bytes pass."""
        self._clock.pass_idle()
        self._clock.advance(self._link.latency_s + count / self._link.throughput_Bps)


class EmulatedModulator:
    """An `Slm` at the end of a line."""

    def __init__(self, slm: Slm, link: Link) -> None:
        self._slm, self._line = slm, _Connection(slm.clock, link)
        self.shape, self.levels, self.refresh_Hz = slm.shape, slm.levels, slm.refresh_Hz
        self.settling_s = slm.settling_s

    def identity(self) -> str:
        """Maker, model, serial number, version."""
        self._line.spend()
        rows, columns = self.shape
        return f"hil, SLM {columns}x{rows}, {self._slm.serial}, 1.0"

    def show(self, frame: NDArray[np.uint16]) -> None:
        """Send a frame; it appears at the next refresh."""
        self._line.spend(frame.size * (1 if self.levels <= 256 else 2))
        self._slm.take(frame)

    def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._slm.clock.advance(seconds)

    def close(self) -> None:
        """Nothing to let go."""


class EmulatedCamera:
    """A `Camera` at the end of a line."""

    def __init__(self, camera: Camera, link: Link) -> None:
        self._camera, self._line = camera, _Connection(camera.clock, link)
        self.shape, self.bits, self.exposure_range_s = camera.shape, camera.bits, camera.exposure_range_s
        self.longest_frame_s = camera.frame_s

    def identity(self) -> str:
        """Maker, model, serial number, version."""
        self._line.spend()
        rows, columns = self.shape
        return f"hil, Camera {columns}x{rows} {self.bits} bit, {self._camera.serial}, 1.0"

    def set_exposure(self, seconds: float) -> float:
        """Expose frames so long."""
        self._line.spend()
        self._camera.exposure_s = seconds
        return seconds

    def grab(self, count: int) -> NDArray[np.uint16]:
        """Take frames from now on."""
        self._line.spend()
        frames = np.stack([self._camera.expose() for _ in range(count)])
        self._line.spend(frames.nbytes)
        return frames

    def close(self) -> None:
        """Nothing to let go."""
