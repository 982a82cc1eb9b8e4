"""Spatial light modulators and cameras as QCoDeS instruments, whatever library drives them: see `drivers.frames`."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from qcodes.instrument import Instrument

from drivers.errors import EnvelopeError, InstrumentError, InstrumentTimeout, ShapeError
from drivers.frames import Camera, Frame, SpatialLightModulator, open_frames


class FrameInstrument(Instrument):
    """What the two share: an address, an identity, a journal, and failures in the words of `drivers.errors`."""

    def __init__(self, name: str, address: str, **kwargs: Any) -> None:
        self.address = address
        self.journal = _silent
        """Told what is done to the device; set it to listen."""
        self._device: Any = open_frames(address)
        try:
            with self.translated("asking what it is"):
                rows, columns = self._device.shape
                self.shape: tuple[int, int] = int(rows), int(columns)
                self._ask_facts()
            super().__init__(name, **kwargs)
        except BaseException:
            self._device.close()
            raise

    def _ask_facts(self) -> None:
        """Ask the device for what its kind has; whatever it raises is translated."""
        raise NotImplementedError

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Translate the device's failure; `what` says what was being done."""
        try:
            yield
        except (InstrumentError, ShapeError, EnvelopeError):
            raise
        except TimeoutError as error:
            raise InstrumentTimeout(f"{self.address}: {error} (while {what})") from error
        except Exception as error:
            raise InstrumentError(f"{self.address}: {error} (while {what})") from error

    def identity(self) -> str:
        """Ask the device who it is: maker, model, serial number and version."""
        with self.translated("asking who it is"):
            return str(self._device.identity())

    def get_idn(self) -> dict[str, str | None]:
        """The device as QCoDeS identifies an instrument."""
        parts: list[str | None] = [part.strip() for part in self.identity().split(",", 3)]
        keys = ("vendor", "model", "serial", "firmware")
        return dict(zip(keys, parts + [None] * 4, strict=False))

    def close(self) -> None:
        """Let the device go; it keeps what it shows."""
        device = self.__dict__.pop("_device", None)
        try:
            if device is not None:
                device.close()
        finally:
            super().close()


class SLM(FrameInstrument):
    """A spatial light modulator at BACKEND::DEVICE; nothing is shown when it is opened.

    Raises InstrumentError for a device that is not to be had or is no modulator.
    """

    def __init__(self, name: str, address: str, **kwargs: Any) -> None:
        super().__init__(name, address, **kwargs)
        self.add_parameter("settling_time", unit="s", get_cmd=functools.partial(getattr, self, "settling_s"))

    def _ask_facts(self) -> None:
        device: SpatialLightModulator = self._device
        self.levels, self.refresh_Hz = int(device.levels), float(device.refresh_Hz)
        self.settling_s = float(device.settling_s)

    def show(self, frame: Any) -> None:
        """Show a frame of whole levels, shape `self.shape`; returns when the device has it.

        Raises, with nothing shown, ShapeError for another shape or something that is no number, EnvelopeError for a
        level that the device does not have.
        """
        levels = self._checked(frame)
        self.journal(f"show {self.shape[0]}x{self.shape[1]} #", levels.tobytes())
        with self.translated("showing a frame"):
            self._device.show(levels)

    def blank(self) -> None:
        """Show level 0 everywhere."""
        self.show(np.zeros(self.shape, dtype=np.uint16))

    def wait(self, seconds: float) -> None:
        """Let at least this time pass, on the device's own clock."""
        with self.translated("waiting"):
            self._device.wait(seconds)

    def _checked(self, frame: Any) -> Frame:
        array = np.asarray(frame)
        if array.shape != self.shape or array.dtype.kind not in "fiu":
            raise ShapeError(
                f"{self.name}: a frame of shape {array.shape} and dtype {array.dtype} where numbers of shape "
                f"{self.shape} are needed"
            )
        wrong = ~((array >= 0) & (array <= self.levels - 1)) | (np.floor(array) != array)
        if wrong.any():
            row, column = (int(k) for k in np.argwhere(wrong)[0])
            value = float(array[row, column])
            raise EnvelopeError(
                f"{self.name}: pixel ({row}, {column}) should get level {value:g}; its levels are the whole numbers "
                f"from 0 to {self.levels - 1}",
                channel=f"{self.name}[{row}, {column}]",
                value=value,
                limit=float(self.levels - 1),
            )
        return np.ascontiguousarray(array, dtype=np.uint16)


class FrameCamera(FrameInstrument):
    """A camera at BACKEND::DEVICE.

    Raises InstrumentError for a device that is not to be had or is no camera.
    """

    def _ask_facts(self) -> None:
        device: Camera = self._device
        self.saturation = 2 ** int(device.bits) - 1
        self.exposure_range_s = tuple(map(float, device.exposure_range_s))
        self.longest_frame_s = float(device.longest_frame_s)

    def set_exposure(self, seconds: float) -> float:
        """Expose frames so long, or as nearly as the camera can; gives what was set.

        Raises EnvelopeError, with nothing set, for an exposure outside its range.
        """
        low, high = self.exposure_range_s
        if not low <= seconds <= high:
            raise EnvelopeError(
                f"{self.name}: an exposure of {seconds:g} s; the camera's are from {low:g} s to {high:g} s",
                channel=self.name,
                value=seconds,
                limit=high if seconds > high else low,
            )
        self.journal(f"exposure {seconds:g} s", b"")
        with self.translated("setting the exposure"):
            return float(self._device.set_exposure(seconds))

    def grab(self, count: int) -> Frame:
        """Take frames, (count, rows, columns) in counts, none of which began to be exposed before the call.

        Raises InstrumentError for frames that are none: of another shape, not finite, beyond saturation.
        """
        self.journal(f"grab {count}", b"")
        with self.translated("taking frames"):
            frames = np.asarray(self._device.grab(count))
        if frames.shape != (count, *self.shape) or frames.dtype.kind not in "fiu":
            raise InstrumentError(
                f"{self.address}: frames of shape {frames.shape} and dtype {frames.dtype} where counts of shape "
                f"{(count, *self.shape)} were asked for; switch the camera off and on"
            )
        if not ((frames >= 0) & (frames <= self.saturation)).all():
            raise InstrumentError(
                f"{self.address}: a frame holds counts that are not from 0 to {self.saturation}; it is dead, nothing "
                "of it is used"
            )
        return frames.astype(np.uint16)


def _silent(text: str, samples: bytes) -> None:
    """Nobody listens."""
