"""A diffractive network on its bench: modulators that show it patterns and phases, a camera that reads it."""

from collections.abc import Mapping
from typing import Any

from drivers.chip import Chip, identify
from drivers.diffractive_hardware import Dark, DiffractiveHardware, Exposure
from drivers.frame_instruments import SLM, FrameCamera
from drivers.frame_layout import DiffractiveLayout, LevelTable
from drivers.partition import Partition
from drivers.roles import Laser


class Diffractive(Chip):
    """A diffractive network between two modulators and a camera; satisfies the `Device` seam.

    Inputs are the amplitudes of the input pattern, from 0 to 1; controls the phases of the planes in rad, from 0 to
    2π; outputs the powers on the detectors in W. Its pixels are no QCoDeS parameters: there are thousands.

    Args:
        pattern: the modulator that shows the input pattern, for amplitude.
        planes: the one that shows the phase planes.
        layout: what lies where on the frames.
        amplitude, phase: what the levels of each modulator make, as measured by the lab.
        exposure: how the camera reads.
        light: the laser, where the computer switches it.
        expect: by "pattern", "planes" or "camera", a text that must occur in its identity.

    Raises:
        IdentityError, before anything is shown, for another instrument than expected; ShapeError, EnvelopeError for a
        layout, look-up table or exposure that does not fit the devices; InstrumentError.
    """

    _hardware: DiffractiveHardware

    def __init__(
        self,
        name: str,
        pattern: SLM,
        planes: SLM,
        camera: FrameCamera,
        layout: DiffractiveLayout,
        amplitude: LevelTable,
        phase: LevelTable,
        exposure: Exposure,
        *,
        light: Laser | None = None,
        expect: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        found = identify({"pattern": pattern, "planes": planes, "camera": camera}, expect or {})
        hardware = DiffractiveHardware(pattern, planes, camera, layout, amplitude, phase, exposure, light)
        identity = {"kind": "diffractive", "name": name, **found}
        inputs = hardware.names[: layout.pattern.count]
        super().__init__(name, hardware, Partition(hardware, identity, inputs), {}, **kwargs)

    def measure_dark(self, frames: int = 16) -> Dark:
        """Measure what the detectors read without light, and take it off all later readings.

        With the laser shut; where the computer has no hand on it, with the input pattern dark, whose leakage is then
        taken off too. Raises InstrumentError, with the bench in its safe state.
        """
        return self._hardware.measure_dark(frames)
