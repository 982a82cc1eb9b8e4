"""The safety envelope: what may stand on a chip's electrodes, and how fast it may change.

Every limit here is convex: if two points are inside, so is the straight line between them. A ramp that
moves all channels together from one allowed point to another is therefore allowed all the way.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from drivers.errors import EnvelopeError, ShapeError
from drivers.response import Array

ROUNDING_V = 1e-9
"""Excess that is forgiven as floating-point rounding; what is sent is clipped to the limit itself."""
_ROUNDING = 1e-6  # of a step: the same for slews, which are differences of rounded numbers


@dataclass(frozen=True)
class ChannelLimit:
    """One channel: range in V, slew in V/s, and the largest step between two samples in V.

    Raises EnvelopeError unless low <= 0 <= high (an output must be able to rest at 0 V) and slew and
    step are positive.
    """

    name: str
    low_V: float
    high_V: float
    max_slew_V_per_s: float
    max_step_V: float = float("inf")

    def __post_init__(self) -> None:
        def refuse(what: str, value: float, limit: float) -> EnvelopeError:
            return EnvelopeError(f"{self.name}: {what}", channel=self.name, value=value, limit=limit)

        if not (np.isfinite(self.low_V) and np.isfinite(self.high_V)):
            raise refuse(f"range {self.low_V} V to {self.high_V} V is not finite", self.low_V, 0.0)
        if not self.low_V <= 0.0 <= self.high_V:
            what = f"range {self.low_V} V to {self.high_V} V leaves out 0 V, where an electrode rests"
            raise refuse(what, self.low_V, 0.0)
        if not (np.isfinite(self.max_slew_V_per_s) and self.max_slew_V_per_s > 0.0):
            what = f"slew limit {self.max_slew_V_per_s} V/s is not a positive, finite number"
            raise refuse(what, self.max_slew_V_per_s, 0.0)
        if not self.max_step_V > 0.0:
            raise refuse(f"step limit {self.max_step_V} V is not positive", self.max_step_V, 0.0)


@dataclass(frozen=True)
class DifferenceLimit:
    """At most `limit_V` between two channels: |V_first - V_second| <= limit_V."""

    first: str
    second: str
    limit_V: float


@dataclass(frozen=True)
class PowerLimit:
    """At most `limit_W` in all: sum over the channels of conductance_S * V^2 <= limit_W."""

    conductance_S: tuple[float, ...]
    limit_W: float


class SafetyEnvelope:
    """The limits of a set of channels, alone and jointly.

    `spread_V` limits the difference between any two channels; `differences` that of listed pairs;
    `power` the sum of V^2 times a conductance each. Raises EnvelopeError for limits that contradict
    themselves or name a channel that is not there.
    """

    def __init__(
        self,
        channels: Sequence[ChannelLimit],
        *,
        differences: Sequence[DifferenceLimit] = (),
        spread_V: float | None = None,
        power: PowerLimit | None = None,
    ) -> None:
        self.channels = tuple(channels)
        self.names = tuple(channel.name for channel in channels)
        self.differences = tuple(differences)
        self.spread_V = spread_V
        self.power = power
        self.low_V: Array = np.array([channel.low_V for channel in channels], dtype=float)
        self.high_V: Array = np.array([channel.high_V for channel in channels], dtype=float)
        self.max_slew_V_per_s: Array = np.array([c.max_slew_V_per_s for c in channels], dtype=float)
        self.max_step_V: Array = np.array([channel.max_step_V for channel in channels], dtype=float)
        if not channels:
            raise EnvelopeError("an envelope needs at least one channel")
        if len(set(self.names)) != len(self.names):
            raise EnvelopeError(f"channel names repeat: {', '.join(self.names)}")
        joint = [pair.limit_V for pair in differences]
        joint += [] if spread_V is None else [spread_V]
        joint += [] if power is None else [power.limit_W, *power.conductance_S]
        if not all(limit >= 0.0 for limit in joint):
            raise EnvelopeError(f"joint limits must be positive numbers, not {joint}")
        if power is not None and len(power.conductance_S) != len(self.names):
            raise EnvelopeError(
                f"the power limit has {len(power.conductance_S)} of {len(self.names)} channels"
            )
        for pair in differences:
            for name in (pair.first, pair.second):
                if name not in self.names:
                    raise EnvelopeError(f"difference limit names {name}, which is no channel", channel=name)
        self._pairs = [
            (self.names.index(p.first), self.names.index(p.second), p.limit_V) for p in differences
        ]

    @property
    def joint(self) -> bool:
        """Whether there are limits on several channels at once."""
        return bool(self.differences) or self.spread_V is not None or self.power is not None

    def check(
        self,
        waveform: Array,
        dt_s: float,
        start_V: Array | None = None,
        slew_fraction: Array | float = 1.0,
    ) -> None:
        """Check a whole waveform, shape (time, n) in V with `dt_s` between samples.

        With `start_V`, shape (n,), the step from there to the first sample counts as well.
        `slew_fraction` asks for less than the full slew. Raises ShapeError for a wrong shape or dtype
        and EnvelopeError, naming the earliest offending sample, for everything else, NaN included.
        """
        volts = as_volts(waveform, (None, len(self.names)), "waveform")
        if not (np.isfinite(dt_s) and dt_s > 0.0):
            raise EnvelopeError(f"sample spacing {dt_s} s is not a positive, finite time", value=dt_s)
        self._check_points(volts)
        if start_V is not None:
            start = as_volts(start_V, (len(self.names),), "start")
            if not np.isfinite(start).all():
                bad = int(np.argmin(np.isfinite(start)))
                raise EnvelopeError(
                    f"{self.names[bad]}: the output's present voltage is not known ({start[bad]}); "
                    "read it back before moving",
                    channel=self.names[bad],
                    value=float(start[bad]),
                )
            volts = np.concatenate([start[None], volts])
        self._check_steps(volts, dt_s, slew_fraction, first=0 if start_V is not None else 1)

    def check_point(self, point: Array) -> None:
        """Check one set of voltages, shape (n,) in V; raises ShapeError or EnvelopeError."""
        self._check_points(as_volts(point, (len(self.names),), "voltages")[None], single=True)

    def check_points(self, points: Array) -> None:
        """Check settings that are approached by ramps of their own, shape (points, n) in V.

        Raises ShapeError or EnvelopeError, naming the earliest offending one.
        """
        self._check_points(as_volts(points, (None, len(self.names)), "voltages"), single=len(points) == 1)

    def check_alone(self, point: Array) -> None:
        """Check each channel's own range only, shape (n,) in V, where the others' values are not known yet.

        Raises ShapeError or EnvelopeError.
        """
        SafetyEnvelope(self.channels).check_point(point)

    def ramp(self, start_V: Array, stop_V: Array, dt_s: float, slew_fraction: float = 1.0) -> Array:
        """A straight ramp between two points, shape (steps, n): without the start, with the stop.

        It has as few steps as the slew and step limits allow, none where start and stop agree. Raises
        EnvelopeError if either end is outside the envelope, ShapeError if it is misshapen.
        """
        start = as_volts(start_V, (len(self.names),), "start of the ramp")
        stop = as_volts(stop_V, (len(self.names),), "end of the ramp")
        self.check_point(start)
        self.check_point(stop)
        if not (np.isfinite(dt_s) and dt_s > 0.0):
            raise EnvelopeError(f"sample spacing {dt_s} s is not a positive, finite time", value=dt_s)
        allowed = np.minimum(self.max_slew_V_per_s * slew_fraction * dt_s, self.max_step_V)
        steps = int(np.ceil(float((np.abs(stop - start) / allowed).max()) * (1.0 - _ROUNDING)))
        fractions = np.arange(1, steps + 1)[:, None] / max(steps, 1)
        ramp: Array = start + (stop - start) * fractions
        if steps:
            ramp[-1] = stop
        return self.clip(ramp)

    def standing(self, found: Array, sent: Array, accuracy_V: float, what: str) -> Array:
        """Where outputs stand that read `found` after `sent` (NaN for nothing), both shape (n,) in V.

        Where the two agree to within the source's accuracy it is what was sent: a converter's rounding is no
        movement. Raises EnvelopeError, naming them by `what`, for outputs that stand outside the envelope, as
        another program may have left them.
        """
        clipped = self.clip(found)
        stands = np.where(np.abs(clipped - found) <= accuracy_V, clipped, found)
        stands = np.where(np.abs(sent - found) <= accuracy_V, sent, stands)
        try:
            self.check_point(stands)
        except EnvelopeError as error:
            raise EnvelopeError(
                f"the {what} already stand outside the envelope ({error}); find out what set them, then bring them "
                "to 0 V with rest()",
                channel=error.channel,
                value=error.value,
                limit=error.limit,
            ) from error
        return stands

    def clip(self, waveform: Array) -> Array:
        """Take off the rounding that `check` forgives, so that no sent sample exceeds a range."""
        return np.clip(waveform, self.low_V, self.high_V)

    def _check_points(self, volts: Array, single: bool = False) -> None:
        """Range, differences, spread and power of each sample, the earliest offender first."""
        # A NaN compares false with everything, so each test asks what is allowed, not what is not.
        inside = (volts >= self.low_V - ROUNDING_V) & (volts <= self.high_V + ROUNDING_V)
        offences: list[tuple[int, EnvelopeError]] = []

        def at(k: int) -> str:
            return "" if single else f" at sample {k}"

        if not inside.all():
            k, j = _earliest(~inside)
            name, value = self.names[j], float(volts[k, j])
            limit = float(self.low_V[j] if value < self.low_V[j] else self.high_V[j])
            if np.isfinite(value):
                what = f"{value:.6g} V{at(k)} is outside {self.low_V[j]:g} V to {self.high_V[j]:g} V"
            else:
                what = f"{value}{at(k)} is not a voltage"
            message = f"{name}: {what}; nothing was sent"
            offences.append((k, _offence(message, name, None if single else k, value, limit)))
            volts = volts[:k]  # the joint limits matter only where every channel is in its own range
        for i, j, limit in self._pairs:
            name = f"{self.names[i]} - {self.names[j]}"
            offences += self._joint(np.abs(volts[:, i] - volts[:, j]), limit, name, "V", single)
        if self.spread_V is not None:
            spread = volts.max(axis=1) - volts.min(axis=1)
            offences += self._joint(spread, self.spread_V, "largest difference between channels", "V", single)
        if self.power is not None:
            power = volts**2 @ np.array(self.power.conductance_S)
            offences += self._joint(power, self.power.limit_W, "joint power", "W", single)
        if offences:
            raise min(offences, key=lambda offence: offence[0])[1]

    @staticmethod
    def _joint(
        values: Array, limit: float, name: str, unit: str, single: bool
    ) -> list[tuple[int, EnvelopeError]]:
        allowed = values <= limit + 2.0 * ROUNDING_V * max(1.0, limit)
        if allowed.all():
            return []
        k = int(np.argmin(allowed))
        where = "" if single else f" at sample {k}"
        message = f"{name}: {values[k]:.6g} {unit}{where} exceeds {limit:g} {unit}; nothing was sent"
        return [(k, _offence(message, name, None if single else k, float(values[k]), limit))]

    def _check_steps(self, volts: Array, dt_s: float, slew_fraction: Array | float, first: int) -> None:
        steps = np.abs(np.diff(volts, axis=0))
        slew = self.max_slew_V_per_s * slew_fraction
        allowed = np.minimum(slew * dt_s, self.max_step_V)
        bad = ~(steps <= allowed * (1.0 + _ROUNDING) + 2.0 * ROUNDING_V)
        if not bad.any():
            return
        row, j = _earliest(bad)
        k, name, step = row + first, self.names[j], float(steps[row, j])
        if step > self.max_step_V[j] * (1.0 + _ROUNDING) + 2.0 * ROUNDING_V:
            value, limit, unit = step, float(self.max_step_V[j]), "V a step"
        else:
            value, limit, unit = step / dt_s, float(np.broadcast_to(slew, steps.shape[1:])[j]), "V/s"
        message = (
            f"{name}: {value:.6g} {unit} to sample {k} exceeds {limit:g} {unit}; nothing was sent. "
            "Use more samples for the change or a smaller one"
        )
        raise _offence(message, name, k, value, limit)


def as_volts(values: Any, shape: tuple[int | None, ...], what: str) -> Array:
    """An array of real numbers as float64, with the given shape (None: any length but 0).

    Raises ShapeError for another shape or dtype: booleans, text, objects and complex numbers are no
    voltages.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # a ragged nest of lists
        raise ShapeError(f"{what}: not an array of numbers ({error})") from None
    if array.dtype.kind not in "fiu":
        raise ShapeError(f"{what}: dtype {array.dtype} is not a real number; hand over volts as float64")
    fits = array.ndim == len(shape) and all(
        n > 0 if want is None else n == want for n, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ShapeError(f"{what}: shape {array.shape} where ({wanted}) is needed")
    with np.errstate(over="ignore"):  # a wider type's excess becomes inf, which every check refuses
        return array.astype(np.float64)


@contextmanager
def naming(element: int, batch: int) -> Iterator[None]:
    """Say which waveform of a batch was refused."""
    try:
        yield
    except EnvelopeError as error:
        if batch > 1:
            error.args = (f"waveform {element}: {error}",)
        raise


def _earliest(bad: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[int, int]:
    row = int(np.argmax(bad.any(axis=1)))
    return row, int(np.argmax(bad[row]))


def _offence(message: str, channel: str, index: int | None, value: float, limit: float) -> EnvelopeError:
    return EnvelopeError(message, channel=channel, index=index, value=value, limit=limit)
