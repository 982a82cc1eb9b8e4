"""The one way to a chip's voltages: a source behind its safety envelope.

Nothing else in this package sends a voltage. Every movement starts from what the hardware reads back,
is checked as a whole before a byte of it is sent, and is confirmed by reading back again.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from drivers.envelope import SafetyEnvelope, as_volts
from drivers.errors import (
    ConnectionLost,
    EnvelopeError,
    InstrumentTimeout,
    ReadbackError,
    SafeStateError,
    ShapeError,
)
from drivers.response import Array
from drivers.roles import VoltageSourceArray

IntArray = npt.NDArray[np.intp]

_PATIENCE = 50  # read-backs without movement before an output counts as stuck
_GRACE_s = 0.5


class Outputs:
    """Named channels of a source, confined to an envelope whose names they share.

    `confine` sets the hardware's own slew limits; it must come before anything moves. A read-back may be
    from what was sent as far as the source's `accuracy_V`.
    """

    def __init__(
        self,
        source: VoltageSourceArray,
        channels: Mapping[str, int],
        envelope: SafetyEnvelope,
        *,
        ramp_dt_s: float = 1e-3,
    ) -> None:
        self.source = source
        self.envelope = envelope
        self.names = envelope.names
        self.ramp_dt_s = ramp_dt_s
        self.tolerance_V = source.accuracy_V
        self.driven_s = 0.0
        """Seconds of waveforms and ramps played so far."""
        self._channels = [channels[name] for name in envelope.names]
        # Not a cache to start from: only ever compared with a read-back.
        self._sent: Array = np.full(len(self.names), np.nan)
        self._armed: tuple[Array, float] = (self._sent, 0.0)

    def confine(self) -> None:
        """Check the hardware's ranges, pass the envelope's range and slew limits on to it; moves nothing.

        Raises EnvelopeError where a range is narrower than the envelope allows for, InstrumentError if
        the hardware refuses.
        """
        for row, (name, channel) in enumerate(zip(self.names, self._channels, strict=True)):
            low, high = float(self.envelope.low_V[row]), float(self.envelope.high_V[row])
            reach = self.source.output_range(channel)
            if low < reach[0] or high > reach[1]:
                raise EnvelopeError(
                    f"{name}: {low:g} V to {high:g} V exceeds the present range of source channel {channel}, "
                    f"{reach[0]:g} V to {reach[1]:g} V; narrow the electrode's range or switch the channel's",
                    channel=name,
                    value=low if low < reach[0] else high,
                    limit=reach[0] if low < reach[0] else reach[1],
                )
        self.limit_slew()
        for row, channel in enumerate(self._channels):
            self.source.confine(channel, float(self.envelope.low_V[row]), float(self.envelope.high_V[row]))

    def read_back(self, name: str) -> float:
        """What one output puts out now in V, asked of the hardware; raises ReadbackError for no number."""
        volts = float(self.source.read_back(self._channels[self.row(name)]))
        if not np.isfinite(volts):
            raise ReadbackError(f"{self.source.address}: {name} reads back as {volts}")
        return volts

    def _read_back_all(self, expected: Array) -> Array:
        """What all outputs put out now; one that is not where it is expected is asked once more.

        A digit that was lost on the way is no movement.
        """
        found = np.array([self.read_back(name) for name in self.names])
        for row in np.flatnonzero(np.abs(found - expected) > self.tolerance_V):
            found[row] = self.read_back(self.names[row])
        return found

    def stand(self) -> Array:
        """Where every output stands, shape (n,) in V, asked of the hardware; see `SafetyEnvelope.standing`."""
        found = self._read_back_all(self._sent)
        stands = self.envelope.standing(found, self._sent, self.tolerance_V, "outputs")
        self._sent = np.where(np.isnan(self._sent), stands, self._sent)
        return stands

    def move(self, targets: Mapping[str, float]) -> None:
        """Ramp the named outputs together to their targets in V, hold the others, and confirm.

        Raises EnvelopeError, with nothing sent, for a target outside the envelope, and ReadbackError
        when an output does not arrive.
        """
        stop = np.zeros(len(self.names))
        for name, value in targets.items():
            stop[self.row(name)] = as_volts(value, (), name)
        self.envelope.check_alone(stop)  # what can be refused without asking the hardware
        start = self.stand()
        for row, name in enumerate(self.names):
            if name not in targets:
                stop[row] = start[row]
        ramp = self.envelope.ramp(start, stop, self.ramp_dt_s)
        moving = np.flatnonzero(stop != start)
        for first in range(0, len(ramp), self.source.max_points):
            piece = ramp[first : first + self.source.max_points]
            self.arm(piece, self.ramp_dt_s, start, moving)
            self.fire()
            self.source.finish(self.patience_s(len(piece) * self.ramp_dt_s))
            start = piece[-1]
        self.confirm(stop)

    def hold(self, targets: Mapping[str, float]) -> bool:
        """Let the named outputs go to constant voltages at the hardware's slew limits, wait, and confirm.

        Gives whether anything had to move. For sources that play no waveforms. Each output moves by itself,
        so joint limits would not hold on the way: the envelope may have none. Raises as `move` does.
        """
        if self.envelope.joint:
            raise ShapeError("outputs with joint limits are moved together, by waveforms")
        start = self.stand()
        stop = start.copy()
        for name, value in targets.items():
            stop[self.row(name)] = as_volts(value, (), name)
        self.envelope.check_point(stop)
        moving = np.flatnonzero(stop != start)
        if not len(moving):
            return False
        travel_s = np.abs(stop - start) / self.envelope.max_slew_V_per_s
        stop = self.envelope.clip(stop)
        self._sent = np.where(stop != start, np.nan, self._sent)
        self.source.set_static({self._channels[row]: float(stop[row]) for row in moving})
        self._await(int(np.argmax(travel_s)), stop, float(travel_s.max()))
        self.driven_s += float(travel_s.max())
        self.confirm(stop)
        return True

    def _await(self, row: int, stop: Array, travel_s: float) -> None:
        """Poll one output until it has arrived, or has stopped short."""
        patience_until = self.source.monotonic_s() + self.patience_s(travel_s)
        left, since_moved = np.inf, 0
        while left > self.tolerance_V and not (
            since_moved >= _PATIENCE and self.source.monotonic_s() > patience_until
        ):
            found = abs(self.read_back(self.names[row]) - stop[row])
            since_moved = 0 if found < left - 1e-9 else since_moved + 1
            left = found

    def arm(self, waveform: Array, dt_s: float, start: Array, rows: Sequence[int] | IntArray) -> None:
        """Check a waveform of all outputs, shape (time, n) in V, and arm the outputs in `rows`.

        `start` is where the outputs stand; those not in `rows` must stay there throughout. Raises
        EnvelopeError or ShapeError with nothing sent.
        """
        volts = as_volts(waveform, (None, len(self.names)), "waveform")
        self.envelope.check(volts, dt_s, start)
        still = np.setdiff1d(np.arange(len(self.names)), rows)
        if (volts[:, still] != start[still]).any():
            raise EnvelopeError("the waveform moves an output that is not played; nothing was sent")
        volts = self.envelope.clip(volts)
        self._armed = volts[-1], len(volts) * dt_s
        self.source.arm({self._channels[row]: volts[:, row] for row in rows}, dt_s)

    def fire(self) -> None:
        """Start what is armed."""
        self._sent, armed_s = self._armed
        self.driven_s += armed_s
        self.source.fire()

    def confirm(self, expected: Array | None = None) -> None:
        """Read back and compare with `expected`, or with what was last sent; raises ReadbackError."""
        expected = self._sent if expected is None else expected
        found = self._read_back_all(expected)
        wrong = np.flatnonzero(~(np.abs(found - expected) <= self.tolerance_V))
        if len(wrong):
            says = ", ".join(f"{self.names[j]} at {found[j]:.6g} V, sent {expected[j]:.6g} V" for j in wrong)
            raise ReadbackError(
                f"{self.source.address}: outputs do not stand where they were put: {says} "
                f"(tolerance {self.tolerance_V:g} V); check the wiring of the source and who else uses it"
            )
        self._sent = expected

    def safe_state(self) -> None:
        """Bring every output to 0 V within its slew limit, whatever fails on the way.

        All outputs move together and arrive together, so that joint limits hold on the way as well.
        Every output is tried; then SafeStateError names those that are not known to stand at 0 V. What
        an interrupt (Ctrl-C) cuts short is done once more, and the interrupt held back to the end.
        """
        failures: list[str] = []
        interrupts: list[BaseException] = []

        def attempt(what: str, action: Callable[[], object]) -> None:
            for _ in range(2):
                try:
                    action()
                except Exception as error:
                    failures.append(f"{what}: {error}")
                except BaseException as interrupt:
                    interrupts.append(interrupt)
                    continue
                return

        attempt("stopping waveforms", lambda: self.source.abort(self._channels))
        stands = self._try_read_back(range(len(self.names)), interrupts)
        # An output that cannot be read may stand anywhere in its range: assume the far end.
        reach = np.maximum(-self.envelope.low_V, self.envelope.high_V)
        distance = np.abs(np.where(np.isfinite(stands), stands, reach))
        travel_s = float((distance / self.envelope.max_slew_V_per_s).max())
        if travel_s > 0.0:
            for name, channel, slew in zip(self.names, self._channels, distance / travel_s, strict=True):
                attempt(f"{name}: slew limit", partial(self.source.set_slew_limit, channel, float(slew)))
        attempt("setting 0 V", partial(self.source.set_static, dict.fromkeys(self._channels, 0.0)))
        at_rest = self._await_rest(travel_s, interrupts)
        self.driven_s += travel_s
        self._sent = np.where([self._at_rest(volts) for volts in at_rest], 0.0, np.nan)
        attempt("restoring the slew limits", self.limit_slew)
        missing = [
            f"{name} (at {volts:.6g} V)" if np.isfinite(volts) else f"{name} (gives no read-back)"
            for name, volts in zip(self.names, at_rest, strict=True)
            if not self._at_rest(volts)
        ]
        why = f" ({'; '.join(failures)})" if failures else ""
        unsafe = SafeStateError(
            f"{self.source.address}: not known to be at 0 V: {', '.join(missing)}{why}; "
            "bring them to 0 V at the instrument, slowly, before touching the chip"
        )
        if interrupts:
            raise interrupts[0] from (unsafe if missing else None)
        if missing:
            raise unsafe

    def _await_rest(self, travel_s: float, interrupts: list[BaseException]) -> Array:
        """Poll until all outputs are at 0 V or one has stopped moving; gives where they stand."""
        patience_until = self.source.monotonic_s() + self.patience_s(travel_s)
        stands = np.full(len(self.names), np.inf)
        since_moved = 0
        while True:
            moving = [row for row, volts in enumerate(stands) if not self._at_rest(volts)]
            found = self._try_read_back(moving, interrupts)
            moved = (np.abs(found) < np.abs(stands[moving]) - 1e-9).any()
            since_moved = 0 if moved else since_moved + 1
            stands[moving] = found
            if all(self._at_rest(volts) for volts in stands) or not np.isfinite(found).any():
                return stands
            if since_moved >= _PATIENCE and self.source.monotonic_s() > patience_until:
                return stands

    def _try_read_back(self, rows: Sequence[int], interrupts: list[BaseException]) -> Array:
        """Where the outputs in `rows` stand, NaN where that is not to be had.

        A source that has not answered in time once, or is gone, is not asked again: each question costs time.
        """
        found = np.full(len(rows), np.nan)
        for k, row in enumerate(rows):
            for _ in range(2):
                try:
                    found[k] = self.source.read_back(self._channels[row])
                except (InstrumentTimeout, ConnectionLost):
                    return found
                except Exception:  # one that cannot be read is reported with where it stands
                    break
                except BaseException as interrupt:
                    interrupts.append(interrupt)
                    continue
                break
        return found

    def _at_rest(self, volts: float) -> bool:
        return abs(volts) <= self.tolerance_V

    def limit_slew(self) -> None:
        """Set the hardware's slew limits to the envelope's; one that was off for a moment has its own again."""
        for channel, slew in zip(self._channels, self.envelope.max_slew_V_per_s, strict=True):
            self.source.set_slew_limit(channel, float(slew))

    def row(self, name: str) -> int:
        """The place of an output among the names; raises ShapeError for a name that is none."""
        if name not in self.names:
            raise ShapeError(f"{name} is no output here; there are {', '.join(self.names)}")
        return self.names.index(name)

    @staticmethod
    def patience_s(duration_s: float) -> float:
        """How long to wait for something that should take `duration_s`."""
        return 1.5 * duration_s + _GRACE_s
