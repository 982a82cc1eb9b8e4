"""What waveform a recorded voltage is: its kind and its frequency, from the samples alone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Waveform:
    """One electrode's voltage: `frequency_Hz` is None where the samples do not fix it."""

    kind: Literal["sine", "triangle", "constant", "unknown"]
    frequency_Hz: float | None = None
    slew_V_per_s: float = 0.0
    periods: float | None = None


def recognise(voltage: Floats, sample_rate_Hz: float, amplitude_V: float | None = None) -> Waveform:
    """The waveform of `voltage`, shape (n,), one batch without its ramps.

    A triangle moves by the same step between its corners: step = 4 amplitude frequency / rate, so it needs
    the amplitude, or a half period between two corners. A sine obeys v[k+1] - 2 v[k] + v[k-1] =
    (2 cos(w) - 2) (v[k] - offset), a straight line in v[k].
    """
    if len(voltage) < 8:
        return Waveform("unknown")
    step = np.diff(voltage)
    span = float(np.ptp(voltage))
    slew = float(np.abs(step).max() * sample_rate_Hz)
    if span < 1e-9:
        return Waveform("constant", 0.0)
    bend = np.diff(step)
    corners = np.flatnonzero(np.abs(bend) > 1e-3 * np.abs(step).max())
    if _is_triangle(step, corners):
        frequency = _triangle_frequency(voltage, step, corners, sample_rate_Hz, amplitude_V)
        return _waveform("triangle", frequency, slew, len(voltage) / sample_rate_Hz)
    middle = voltage[1:-1]
    design = np.stack((middle, np.ones_like(middle)), axis=1)
    (gradient, constant), *_ = np.linalg.lstsq(design, bend, rcond=None)
    left = bend - design @ np.array([gradient, constant])
    if -4.0 < gradient < 0.0 and np.abs(left).max() < 1e-3 * np.abs(bend).max():
        omega = np.arccos(1.0 + gradient / 2.0)
        return _waveform("sine", omega * sample_rate_Hz / (2 * np.pi), slew, len(voltage) / sample_rate_Hz)
    return Waveform("unknown", None, slew)


def _waveform(
    kind: Literal["sine", "triangle"], frequency: float | None, slew: float, duration_s: float
) -> Waveform:
    if frequency is None:
        return Waveform(kind, None, slew)
    return Waveform(kind, float(frequency), slew, float(frequency * duration_s))


def _is_triangle(step: Floats, corners: npt.NDArray[np.intp]) -> bool:
    """Whether the steps are of one size but for those that hold a corner (each touches two bends)."""
    if len(corners) > len(step) / 3:
        return False
    straight = np.ones(len(step), bool)
    straight[np.unique(np.clip(np.concatenate((corners, corners + 1)), 0, len(step) - 1))] = False
    # A step next to a corner's own may be whole, and one that holds the corner is shorter: leave both out.
    sizes = np.abs(step[straight])
    return len(sizes) >= 4 and float(np.ptp(sizes)) < 1e-3 * float(sizes.max())


def _triangle_frequency(
    voltage: Floats,
    step: Floats,
    corners: npt.NDArray[np.intp],
    sample_rate_Hz: float,
    amplitude_V: float | None,
) -> float | None:
    size = float(np.median(np.abs(step)))
    if amplitude_V is not None and amplitude_V > 0:
        return size * sample_rate_Hz / (4 * amplitude_V)
    turns = np.flatnonzero(np.diff(np.sign(step)) != 0)
    if len(turns) < 2:
        return None
    # Between two turns the voltage runs from one extreme to the other; the lines through the straight parts
    # meet at the true extremes, half a period apart.
    times = [_corner_time(voltage, turn) for turn in (turns[0], turns[-1])]
    half = (times[1] - times[0]) / (len(turns) - 1)
    return sample_rate_Hz / (2 * half)


def _corner_time(voltage: Floats, turn: int) -> float:
    """Where, in samples, the line before the corner near `turn` meets the line after it."""
    left, right = max(turn - 2, 0), min(turn + 4, len(voltage) - 2)
    before, after = voltage[left + 1] - voltage[left], voltage[right + 1] - voltage[right]
    if before == after:
        return float(turn + 1)
    return float((voltage[right] - voltage[left] + before * left - after * right) / (before - after))
