"""Frames without a modulator or camera: what stands behind their addresses on an emulated bench.

with emulated_frames(bench):          # or "bench.yaml"
    slm = SLM("slm", "frames::slm0")  # the driver of a lab's own modulator, or any other
"""

from simulators.frames.seam import emulated_frames

__all__ = ["emulated_frames"]
