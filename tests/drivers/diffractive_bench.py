"""A small diffractive bench of emulated devices: two planes of 32 x 32 pixels, 4 x 4 phases each, 2 x 2 inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drivers.diffractive import Diffractive
from drivers.diffractive_hardware import Exposure
from drivers.frame_instruments import SLM, FrameCamera
from drivers.frame_layout import Blocks, DiffractiveLayout, FrameRegion, LevelTable
from simulators.bench import EmulatedBench, load
from simulators.frames import emulated_frames

BENCH = """
station:
  instruments:
    pattern: {address: "frames::slm0"}
    planes: {address: "frames::slm1"}
    camera: {address: "frames::camera0"}
emulator:
  seed: 3
  link: {latency: 200 us, throughput: 400 MB/s}
  instruments:
    pattern: {model: slm, serial: "11", options: {rows: 20, columns: 24, stroke: 3.14159265 rad}}
    planes: {model: slm, serial: "12", options: {rows: 32, columns: 64, stroke: 6.2586 rad}}
    camera: {model: camera, serial: "13", noise: LOUDNESS, options: {rows: 32, columns: 32, CAMERA}}
  diffractive:
    wavelength: 532 nm
    power: 0.5 nW
    pitch: 8 um
    distances: [DISTANCES]
    input: {instrument: pattern, top: 2, left: 4, height: 16, width: 16}
    planes: {instrument: planes, corners: [[0, 0], [0, 32]], height: 32, width: 32}
    camera: camera
"""
WAVELENGTH_m, POWER_W = 532e-9, 0.5e-9
LAYOUT = DiffractiveLayout(
    Blocks(FrameRegion(2, 4, 16, 16), 2, 2),
    tuple(Blocks(FrameRegion(0, left, 32, 32), 4, 4) for left in (0, 32)),
    {"all": FrameRegion(0, 0, 32, 32), "left": FrameRegion(8, 4, 16, 8), "right": FrameRegion(8, 20, 16, 8)},
)
AMPLITUDE = LevelTable(np.sin(np.linspace(0.0, np.pi / 2.0, 256)), is_phase=False)
PHASE = LevelTable(np.linspace(0.0, 6.2586, 256), is_phase=True)
ELECTRON_J = 6.62607015e-34 * 299792458.0 / WAVELENGTH_m / 0.6


@dataclass
class FrameLaboratory:
    """The instruments, the chip on them, and the bench behind them, which no driver sees."""

    pattern: SLM
    planes: SLM
    camera: FrameCamera
    chip: Diffractive
    bench: EmulatedBench


@contextmanager
def frame_laboratory(
    folder: Path,
    *,
    loudness: float = 1.0,
    distances: str = "5 mm, 5 mm, 5 mm",
    camera: str = "bits: 12",
    exposure_s: float = 1e-3,
    frames: int = 4,
    layout: DiffractiveLayout = LAYOUT,
) -> Iterator[FrameLaboratory]:
    """A bench just switched on; the dark is measured."""
    path = folder / "bench.yaml"
    text = (
        BENCH.replace("LOUDNESS", f"{loudness:g}").replace("DISTANCES", distances).replace("CAMERA", camera)
    )
    path.write_text(text)
    bench = load(path)
    with emulated_frames(bench):
        one = f"{id(bench):x}"
        devices = (
            SLM(f"pattern_{one}", "frames::slm0"),
            SLM(f"planes_{one}", "frames::slm1"),
            FrameCamera(f"camera_{one}", "frames::camera0"),
        )
        chip = None
        try:
            exposure = Exposure(exposure_s, frames, 2.5 * ELECTRON_J, ELECTRON_J)
            chip = Diffractive(f"chip_{one}", *devices, layout, AMPLITUDE, PHASE, exposure)
            chip.measure_dark()
            yield FrameLaboratory(*devices, chip, bench)
        finally:
            for instrument in (chip, *devices):
                if instrument is not None:
                    instrument.close()
