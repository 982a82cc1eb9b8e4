"""Ways for light through a mesh of which only some interferometers are known yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from simulators.models.mesh import MeshLayout

_TRIES = 60  # settings, from all known MZIs crossing to none
_TRIES_MORE = 10  # for ways that are better than those that were found

Counts = NDArray[np.int64]


class State(IntEnum):
    """What an interferometer does to the light that comes in on one side."""

    BOTH = 0
    """It splits it, in a way that is not known."""
    BAR = 1
    """It keeps it in its row."""
    CROSS = 2
    """It sends it to its other row."""


@dataclass(frozen=True)
class Route:
    """The only way from an input to an output.

    Attributes:
        states: of all MZIs that are known, by number. Light that leaks from a way of crosses meets it nowhere again
            as long as all of them are set.
        unknown: the MZIs on the way that are not known, in order, each with what it must do.
        other: an output with a single way too, which leaves the last unknown MZI on its other side; None for none.
    """

    start: int
    stop: int
    states: Mapping[int, State]
    unknown: Mapping[int, State]
    other: int | None = None


@dataclass(frozen=True)
class Loop:
    """Single ways from two inputs to one output that meet at one MZI, on its upper and on its lower input.

    Attributes:
        starts: the input whose light comes to the MZI from above, and the other.
        states: see `Route`.
    """

    starts: tuple[int, int]
    stop: int
    states: Mapping[int, State]


@dataclass(frozen=True, eq=False)
class _Ways:
    """Ways from every input (first axis) to every row (second); `counts` has those before each column too.

    Attributes:
        counts: how many ways there are, 2 for more than one.
        unknown, wanted: how many MZIs of either sort are on a single way.
    """

    counts: list[Counts]
    unknown: Counts
    wanted: Counts


class Router:
    """Finds single ways through a mesh, by counting how many there are.

    Where exactly one way leads from an input to an output, the power there is the product of what each MZI on the
    way passes on, so each of them can be swept alone. In a rectangular mesh nothing needs to be known for the two
    main diagonals: from input 0 to output N - 1 light must cross at every step, and back. With those known the next
    ones are single ways, and so on. Ways over MZIs that are known but stuck are taken where there are no others.

    Args:
        inputs, outputs: the ports that can be used.
        seed: of the settings that are tried where all crosses open no way.
    """

    def __init__(
        self, layout: MeshLayout, inputs: Sequence[int], outputs: Sequence[int], seed: int = 0
    ) -> None:
        self._ports, self._mzis, self._seed = layout.ports, len(layout.mzis), seed
        self._inputs, self._outputs = np.array(inputs, dtype=int), np.array(outputs, dtype=int)
        self._columns: list[tuple[int, Counts]] = []
        self._at: list[dict[int, tuple[int, int]]] = []  # by column and row: the MZI there, and its upper row
        first = 0
        for rows in layout.columns:
            self._columns.append((first, np.array(rows)))
            self._at.append({row + side: (first + k, row) for k, row in enumerate(rows) for side in (0, 1)})
            first += len(rows)

    def routes(self, wanted: set[int], can: Mapping[int, Sequence[State]]) -> list[Route]:
        """Single ways over as few unknown MZIs as possible that each have some of the `wanted`; none if there are none.

        Args:
            wanted: MZIs that are to be swept: for this they count as unknown.
            can: the states that MZIs which are known can be set to; none for one that stays as it is.
        """
        others = {k: states for k, states in can.items() if k not in wanted}
        known = np.isin(np.arange(self._mzis), list(others))
        best, least, more = list[Route](), 0, _TRIES_MORE
        for codes in self._settings(others):
            found, stuck = self._shortest(codes, self._ways(codes, known, wanted), known, wanted)
            if found and (not best or stuck < least):
                best, least = found, stuck
            more -= bool(best)
            if best and (least == 0 or more == 0):
                break
        return best

    def loop(self, target: int, can: Mapping[int, Sequence[State]]) -> Loop | None:
        """Two inputs whose light meets at `target` and nowhere else; None if there is no such pair."""
        others = {k: states for k, states in can.items() if k != target}
        known = np.isin(np.arange(self._mzis), list(others))
        best: Loop | None = None
        least, more = 0, _TRIES_MORE
        for codes in self._settings(others):
            ways = self._ways(codes, known, {target})
            single = (ways.counts[-1] == 1) & (ways.unknown == 1) & (ways.wanted == 1)
            for stop in self._outputs:
                arms: dict[bool, tuple[int, int]] = {}  # MZIs on the way that are stuck, and the input
                for start in self._inputs[single[self._inputs, stop]].tolist():
                    passed = self._trace(start, int(stop), codes, ways.counts)
                    above, stuck = passed[target][1], len(passed) - 1
                    arms[above] = min(arms.get(above, (stuck, start)), (stuck, start))
                if len(arms) == 2:
                    stuck = arms[True][0] + arms[False][0]
                    if best is None or stuck < least:
                        best = Loop((arms[True][1], arms[False][1]), int(stop), _states(codes))
                        least = stuck
            more -= best is not None
            if best is not None and (least == 0 or more == 0):
                break
        return best

    def _settings(self, can: Mapping[int, Sequence[State]]) -> Iterator[Counts]:
        """States of all MZIs (M,) to be tried, those with the most crosses first.

        Where all cross, as a reversal of the rows, any two ways meet once: what leaks from one to another at the
        splitters of an MZI comes back to it nowhere, if not by a second leak.
        """
        rng = np.random.default_rng((self._seed, len(can)))
        settable = [k for k, states in can.items() if states]
        for trial in range(_TRIES + 1 if settable else 1):
            codes = np.full(self._mzis, State.BOTH, dtype=np.int64)
            for k in settable:
                liked = State.CROSS if rng.random() < 1.0 - trial / _TRIES else State.BAR
                codes[k] = liked if liked in can[k] else can[k][0]
            yield codes

    def _ways(self, codes: Counts, known: NDArray[np.bool_], wanted: set[int]) -> _Ways:
        shape = self._ports, self._ports
        count, unknown, asked = (
            np.eye(self._ports, dtype=np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )
        sought = np.zeros(self._mzis, dtype=np.int64)
        sought[list(wanted)] = 1
        counts = [count.copy()]
        for first, upper in self._columns:
            mine = slice(first, first + len(upper))
            lower, state = upper + 1, codes[mine]
            free = state == State.BOTH
            above, below = count[:, upper], count[:, lower]
            # on a single way, light comes from that side of the two which has any
            down = (state == State.CROSS) | (free & (above == 0))
            up = (state == State.CROSS) | (free & (below > 0) & (above == 0))
            either = np.minimum(above + below, 2)
            count[:, upper] = np.where(free, either, np.where(state == State.BAR, above, below))
            count[:, lower] = np.where(free, either, np.where(state == State.BAR, below, above))
            for carried, more in ((unknown, (~known[mine]).astype(np.int64)), (asked, sought[mine])):
                of_upper, of_lower = carried[:, upper], carried[:, lower]
                carried[:, upper] = np.where(np.where(free, up, down), of_lower, of_upper) + more
                carried[:, lower] = np.where(
                    np.where(free, above > 0, state == State.CROSS), of_upper, of_lower
                )
                carried[:, lower] += more
            counts.append(count.copy())
        return _Ways(counts, unknown, asked)

    def _shortest(
        self, codes: Counts, ways: _Ways, known: NDArray[np.bool_], wanted: set[int]
    ) -> tuple[list[Route], int]:
        """Ways that have the fewest unknown MZIs, those with the fewest stuck ones first, and how many are stuck."""
        usable = np.zeros((self._ports, self._ports), dtype=bool)
        usable[np.ix_(self._inputs, self._outputs)] = True
        usable &= (ways.counts[-1] == 1) & (ways.wanted > 0)
        if not usable.any():
            return [], 0
        usable &= ways.unknown == ways.unknown[usable].min()
        traced = {
            (start, stop): self._trace(start, stop, codes, ways.counts)
            for start, stop in np.argwhere(usable).tolist()
        }
        found, left, most = list[Route](), set(wanted), 0
        for (start, stop), passed in sorted(traced.items(), key=lambda one: len(one[1])):
            unknown = {k: state for k, (state, _) in passed.items() if not known[k]}
            if left & unknown.keys():
                left -= unknown.keys()
                most = max(most, len(passed) - len(unknown))
                others = (port for port in np.flatnonzero(usable[start]).tolist() if port != stop)
                other = next((o for o in others if traced[start, o].keys() == passed.keys()), None)
                found.append(Route(start, stop, _states(codes), unknown, other))
        return found, most

    def _trace(
        self, start: int, stop: int, codes: Counts, counts: list[Counts]
    ) -> dict[int, tuple[State, bool]]:
        """The MZIs of a single way that are not set: what each does, and whether light comes to it from above."""
        row, passed = stop, list[tuple[int, tuple[State, bool]]]()
        for column in reversed(range(len(self._columns))):
            if row not in self._at[column]:
                continue
            k, top = self._at[column][row]
            free = codes[k] == State.BOTH
            crossed = codes[k] == State.CROSS or (free and counts[column][start, row] == 0)
            if crossed:
                row = 2 * top + 1 - row
            if free:
                passed.append((k, (State.CROSS if crossed else State.BAR, row == top)))
        return dict(reversed(passed))


def _states(codes: Counts) -> dict[int, State]:
    return {int(k): State(int(codes[k])) for k in np.flatnonzero(codes != State.BOTH)}
