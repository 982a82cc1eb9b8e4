"""How much of their power heaters make felt: electrical power behind a first-order lag, exactly."""

from collections.abc import Callable

import numpy as np

from simulators.instruments.path import Array

_SHORT = 1e-2
"""Of the time constant: in less than this a power hardly decays, and the closed form would cancel."""


def felt_powers(times_s: Array, volts: Array, power: Callable[[Array], Array], thermal_s: float) -> Array:
    """Powers y (n, H) in W with T y' + y = P at `times_s` (n,), warm at the first of them.

    Between two times each voltage is a straight line, along which P is taken for the parabola through its ends and
    its middle: P = V² / R is one. A plateau is exact whatever its length.

    Args:
        times_s: rising, not strictly.
        volts: (n, H).
        power: electrical powers (..., H) in W at voltages (..., H).
    """
    at_ends, in_middle = power(volts), power(0.5 * (volts[1:] + volts[:-1]))
    first, last = at_ends[:-1], at_ends[1:]
    steps = np.diff(times_s)[:, None] / thermal_s
    decay = np.exp(-steps)
    bend = 2.0 * (first + last) - 4.0 * in_middle
    rise = last - first - bend
    with np.errstate(divide="ignore", invalid="ignore"):
        # y = a + b s + c s² solves it, in time constants s, for P = first + rise s / h + bend (s / h)²
        c = bend / steps**2
        b = rise / steps - 2.0 * c
        a = first - b
        long = a + b * steps + c * steps**2 - decay * a
    half = np.exp(-0.5 * steps)
    short = steps / 6.0 * (decay * first + 4.0 * half * in_middle + last)  # Simpson's rule
    gained = np.where(steps < _SHORT, short, long)
    felt = np.empty_like(at_ends)
    felt[0] = at_ends[0]
    for k in range(len(gained)):
        felt[k + 1] = decay[k] * felt[k] + gained[k]
    return felt
