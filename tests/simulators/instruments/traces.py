"""Acquiring with the stock driver of the oscilloscope, and what is read off a trace."""

from typing import Any

import numpy as np

LEVELS = 253  # of the converter, over the ten divisions of the screen


def acquire(scope: Any, channel: int = 1) -> tuple[Any, Any]:
    """One acquisition and a channel's trace: times after the trigger in s, volts."""
    scope.run_single()
    scope.opc()
    return screen(scope, channel)


def screen(scope: Any, channel: int = 1) -> tuple[Any, Any]:
    """What is on the screen."""
    trace = scope.submodules[f"ch{channel}"].trace
    trace.prepare_trace()
    volts = trace()
    return np.array(trace.setpoints[0]), volts


def fit_sine(times_s: Any, volts: Any, hertz: float) -> tuple[float, float, float, float]:
    """Amplitude, phase at time 0 in cycles, offset, and the standard deviation of what is left."""
    turn = 2.0 * np.pi * hertz * times_s
    columns = np.stack((np.sin(turn), np.cos(turn), np.ones_like(turn)), axis=1)
    found, *_ = np.linalg.lstsq(columns, volts, rcond=None)
    phase = float(np.arctan2(found[1], found[0]) / (2.0 * np.pi))
    return float(np.hypot(found[0], found[1])), phase, float(found[2]), float(np.std(volts - columns @ found))


def peak(times_s: Any, volts: Any) -> tuple[float, float]:
    """Frequency and amplitude of the highest line of a spectrum, by a flat-top window."""
    count = len(volts)
    angle = 2.0 * np.pi * np.arange(count) / count
    weights = (0.21557895, -0.41663158, 0.277263158, -0.083578947, 0.006947368)
    window = sum(weight * np.cos(k * angle) for k, weight in enumerate(weights))
    spectrum = np.abs(np.fft.rfft((volts - np.mean(volts)) * window)) * 2.0 / np.sum(window)
    row = int(np.argmax(spectrum))
    return row / (count * float(times_s[1] - times_s[0])), float(spectrum[row])
