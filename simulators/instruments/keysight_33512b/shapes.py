"""The shapes of one cycle, between -1/2 and 1/2, as functions of a phase counted in cycles.

Their mean over any stretch of phase is exact, so a wave of many megahertz costs no more than a slow one.
"""

from typing import Protocol

import numpy as np

from simulators.instruments.path import Array

EDGE_S = 8.4e-9
"""Fastest edge, from 10 to 90 %."""
_FULL = 1.0 / 0.8
"""A straight edge takes this much longer from 0 to 100 % than from 10 to 90 %."""
_POINT = 1e-10
"""Of a cycle: a mean over less is the value in the middle, as a difference of integrals would be rounding."""
_SINE_CORNERS = 64
NOISE_POINTS = 1 << 18
_NOISE_CREST = 3.5
"""Peak over standard deviation; from there on noise is clipped."""

PRBS_TAPS = {
    "PN7": (7, 6),
    "PN9": (9, 5),
    "PN11": (11, 9),
    "PN15": (15, 14),
    "PN20": (20, 17),
    "PN23": (23, 18),
}
"""Exponents of the polynomials x^n + x^m + 1 (33500 Series Operating and Service Guide, FUNCtion:PRBS:DATA)."""


class Shape(Protocol):
    """One cycle, repeated for ever."""

    def at(self, phases: Array) -> Array:
        """Values at any phases."""

    def integral(self, phases: Array) -> Array:
        """Integral from phase 0 to any phases."""

    def mean(self, firsts: Array, swept: Array) -> Array:
        """Means over stretches of phase that start at `firsts` and are `swept` long."""

    def corners(self) -> Array:
        """Phases from 0 to below 1 between which it is straight, or nearly so."""


class Sine:
    """A sine that starts upwards."""

    def at(self, phases: Array) -> Array:
        """See `Shape.at`."""
        return 0.5 * np.sin(2.0 * np.pi * phases)

    def integral(self, phases: Array) -> Array:
        """See `Shape.integral`."""
        return (1.0 - np.cos(2.0 * np.pi * phases)) / (4.0 * np.pi)

    def mean(self, firsts: Array, swept: Array) -> Array:
        """See `Shape.mean`."""
        return self.at(firsts + 0.5 * swept) * np.sinc(swept)

    def corners(self) -> Array:
        """See `Shape.corners`: they miss the sine by less than 1.3e-3 of its amplitude."""
        return np.arange(_SINE_CORNERS) / _SINE_CORNERS


def _mean(shape: Shape, firsts: Array, swept: Array) -> Array:
    """The mean from a shape's integral."""
    point = swept < _POINT
    area = shape.integral(firsts + swept) - shape.integral(firsts)
    return np.where(point, shape.at(firsts + 0.5 * swept), area / np.where(point, 1.0, swept))


class Cornered:
    """A shape of straight lines from corner to corner; the first corner is at phase 0, the last one at 1."""

    def __init__(self, phases: Array, values: Array) -> None:
        self._phases, self._values = phases, values
        steps = 0.5 * (values[1:] + values[:-1]) * np.diff(phases)
        self._area = np.concatenate(([0.0], np.cumsum(steps)))

    def at(self, phases: Array) -> Array:
        """See `Shape.at`."""
        return np.interp(phases - np.floor(phases), self._phases, self._values)

    def integral(self, phases: Array) -> Array:
        """See `Shape.integral`."""
        whole = np.floor(phases)
        part = phases - whole
        row = np.clip(np.searchsorted(self._phases, part, side="right") - 1, 0, len(self._phases) - 2)
        inside = np.interp(part, self._phases, self._values)
        since = 0.5 * (self._values[row] + inside) * (part - self._phases[row])
        return whole * self._area[-1] + self._area[row] + since

    def mean(self, firsts: Array, swept: Array) -> Array:
        """See `Shape.mean`."""
        return _mean(self, firsts, swept)

    def corners(self) -> Array:
        """See `Shape.corners`."""
        return self._phases[:-1]


class Burst:
    """Some cycles of a shape and then rest: one period of a burst that repeats itself.

    Args:
        shape: what is repeated.
        first: phase at which it starts.
        rest: the value in between.
        cycles: how many.
        per_period: how many cycles would fit into one period.
    """

    def __init__(self, shape: Shape, first: float, rest: float, cycles: float, per_period: float) -> None:
        self._shape, self._first, self._per_period = shape, first, per_period
        self._active = cycles / per_period
        self._begin = float(shape.integral(np.array([first]))[0])
        self._rest = rest
        self._total = float(self.integral(np.array([1.0 - 1e-15]))[0])

    def at(self, phases: Array) -> Array:
        """See `Shape.at`."""
        part = phases - np.floor(phases)
        inside = self._shape.at(self._first + part * self._per_period)
        return np.where(part < self._active, inside, self._rest)

    def integral(self, phases: Array) -> Array:
        """See `Shape.integral`."""
        whole = np.floor(phases)
        part = phases - whole
        active = np.minimum(part, self._active)
        inside = self._shape.integral(self._first + active * self._per_period) - self._begin
        total = 0.0 if not np.any(whole) else self._total
        return whole * total + inside / self._per_period + self._rest * (part - active)

    def mean(self, firsts: Array, swept: Array) -> Array:
        """See `Shape.mean`."""
        return _mean(self, firsts, swept)

    def corners(self) -> Array:
        """See `Shape.corners`."""
        each = self._shape.corners()
        count = int(np.ceil(self._active * self._per_period)) + 1
        inner = (np.arange(count)[:, None] + each - (self._first % 1.0)).ravel() / self._per_period
        inner = inner[(inner >= 0.0) & (inner < self._active)]
        return np.unique(np.concatenate(([0.0], inner, [self._active])))


def _edge(seconds: float, frequency_Hz: float) -> float:
    """How much of a cycle an edge takes from 0 to 100 %; at most half of one."""
    return min(_FULL * seconds * frequency_Hz, 0.5)


def square(duty: float, frequency_Hz: float) -> Shape:
    """High for `duty` of the cycle, from the middle of one edge to the middle of the next."""
    return pulse(duty / frequency_Hz, EDGE_S, EDGE_S, frequency_Hz)


def pulse(width_s: float, rise_s: float, fall_s: float, frequency_Hz: float) -> Shape:
    """A pulse whose rising edge begins at phase 0; its width and its edges (10 to 90 %) are in s."""
    width = width_s * frequency_Hz
    room = min(width, 1.0 - width)
    rise, fall = min(_edge(rise_s, frequency_Hz), room), min(_edge(fall_s, frequency_Hz), room)
    top, end = 0.5 * rise + width - 0.5 * fall, 0.5 * rise + width + 0.5 * fall
    return Cornered(np.array([0.0, rise, top, end, 1.0]), np.array([-0.5, 0.5, 0.5, -0.5, -0.5]))


def ramp(symmetry: float) -> Shape:
    """A triangle that starts upwards through its middle; `symmetry` is the part of the cycle that rises."""
    half = 0.5 * symmetry
    return Cornered(np.array([0.0, half, 1.0 - half, 1.0]), np.array([0.0, 0.5, -0.5, 0.0]))


def stairs(values: Array, frequency_Hz: float, edge_s: float = EDGE_S) -> Shape:
    """One level after the other, with an edge at the beginning of each."""
    count = len(values)
    edge = min(_FULL * edge_s * frequency_Hz, 1.0 / count)
    changed = np.flatnonzero(values != np.roll(values, 1))
    if len(changed) == 0:
        return Cornered(np.array([0.0, 1.0]), np.repeat(values[:1], 2))
    begins = changed / count
    phases = np.stack((begins, begins + edge), axis=1).ravel()
    levels = np.stack((np.roll(values, 1)[changed], values[changed]), axis=1).ravel()
    return Cornered(
        np.concatenate(([0.0], phases, [1.0])), np.concatenate((values[-1:], levels, values[-1:]))
    )


def lines(values: Array) -> Shape:
    """Straight lines from each value to the next and back to the first."""
    return Cornered(np.linspace(0.0, 1.0, len(values) + 1), np.append(values, values[0]))


def bits(name: str) -> Array:
    """One period of a maximum-length sequence, as -1/2 and 1/2; it starts with the register full of ones."""
    length, tap = PRBS_TAPS[name]
    total = (1 << length) - 1
    sequence = np.ones(length, dtype=np.uint8)
    while len(sequence) < total:
        # b[k] = b[k - n] ^ b[k - m], and as squaring keeps the polynomial, b[k] = b[k - n 2^j] ^ b[k - m 2^j]
        scale = 1
        while 2 * scale * length <= len(sequence):
            scale *= 2
        far, near = length * scale, tap * scale
        count = min(near, total - len(sequence))
        here = len(sequence)
        new = sequence[here - far : here - far + count] ^ sequence[here - near : here - near + count]
        sequence = np.concatenate((sequence, new))
    return sequence.astype(np.float64) - 0.5


def noise(rng: np.random.Generator) -> Shape:
    """Gaussian noise that repeats itself after `NOISE_POINTS` points."""
    return lines(np.clip(rng.normal(size=NOISE_POINTS) / (2.0 * _NOISE_CREST), -0.5, 0.5))
