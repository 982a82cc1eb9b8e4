"""What a chip is asked to do: input points in volts, and a label of 0 or 1 for each."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.device import Array
from calibration.errors import PlanError

Labels = npt.NDArray[np.int64]

#: Outputs for the inputs 00, 01, 10 and 11.
GATES: Mapping[str, tuple[int, int, int, int]] = {
    "AND": (0, 0, 0, 1),
    "OR": (0, 1, 1, 1),
    "NAND": (1, 1, 1, 0),
    "NOR": (1, 0, 0, 0),
    "XOR": (0, 1, 1, 0),
    "XNOR": (1, 0, 0, 1),
}

_KEYS = {
    "gate": {"gate", "low_V", "high_V"},
    "table": {"table", "low_V", "high_V"},
    "points": {"points", "labels"},
}


@dataclass(frozen=True, eq=False)
class Task:
    """A set of labelled points: `points` (n, n_in) in V, `labels` (n,) of 0 and 1, `names` of the points."""

    name: str
    points: Array
    labels: Labels
    names: tuple[str, ...]

    @property
    def n_inputs(self) -> int:
        """Electrodes that the task drives."""
        return int(self.points.shape[1])

    def __len__(self) -> int:
        return int(self.labels.size)

    def check_range(self, electrodes: Sequence[str], low: Array, high: Array) -> None:
        """Raise PlanError, naming the point, unless all lie within `low` to `high`, each (n_in,) in V."""
        if len(electrodes) != self.n_inputs:
            raise PlanError(
                f"task {self.name}: {self.n_inputs} inputs a point, but electrodes {list(electrodes)}"
            )
        outside = (self.points < low) | (self.points > high)
        if outside.any():
            row, column = (int(k) for k in np.argwhere(outside)[0])
            raise PlanError(
                f"task {self.name}, point {self.names[row]}: {self.points[row, column]:g} V on "
                f"{electrodes[column]} is outside its range of {low[column]:g} V to {high[column]:g} V"
            )


def boolean_gate(
    gate: str, low_V: float | Sequence[float], high_V: float | Sequence[float], *, name: str | None = None
) -> Task:
    """One of the six gates of two inputs that depend on both: a key of `GATES`, in any case.

    `low_V` and `high_V` are the logic levels, for both inputs or one each. Raises PlanError otherwise.
    """
    if not isinstance(gate, str) or gate.upper() not in GATES:
        raise PlanError(f"gate {gate!r}: choose one of {', '.join(GATES)}")
    return truth_table(name or gate.upper(), GATES[gate.upper()], low_V, high_V)


def truth_table(
    name: str,
    table: Mapping[str, int] | Sequence[int],
    low_V: float | Sequence[float],
    high_V: float | Sequence[float],
) -> Task:
    """A function of any number of binary inputs.

    `table` is the 2^n outputs in counting order (00, 01, 10, 11), or maps words such as "01" to outputs;
    words that it leaves out do not matter. Raises PlanError for an impossible table.
    """
    rows = (
        _rows_of_mapping(name, table) if isinstance(table, Mapping) else _rows_of_sequence(name, list(table))
    )
    words = np.array([[int(bit) for bit in word] for word in rows], dtype=np.float64)
    low, high = (
        _levels(name, key, level, words.shape[1]) for key, level in (("low_V", low_V), ("high_V", high_V))
    )
    if np.any(low == high):
        raise PlanError(
            f"task {name}: low_V and high_V are equal, {low.tolist()} V; a 1 must differ from a 0"
        )
    return _task(name, low + words * (high - low), list(rows.values()), tuple(rows))


def labelled_points(
    name: str, points: Sequence[Sequence[float]] | Array, labels: Sequence[int] | Labels
) -> Task:
    """Any `points` (n, n_in) in V with `labels` (n,) of 0 and 1; PlanError where they do not fit."""
    try:
        array = np.array(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PlanError(f"task {name}: points must be rows of as many voltages each") from error
    if array.ndim != 2 or array.shape[1] == 0:
        raise PlanError(f"task {name}: points of shape {array.shape}; give (points, inputs)")
    if len(labels) != len(array):
        raise PlanError(f"task {name}: {len(array)} points but {len(labels)} labels")
    return _task(name, array, list(labels), tuple(f"point {k}" for k in range(len(array))))


def task_from(name: str, description: Mapping[str, Any]) -> Task:
    """The task that a mapping with exactly one of `gate`, `table` and `points` describes.

    With `gate` or `table` come `low_V` and `high_V`, with `points` comes `labels`. Raises PlanError that
    names the key.
    """
    kinds = [kind for kind in _KEYS if kind in description]
    if len(kinds) != 1:
        raise PlanError(f"task {name}: give one of gate, table and points, not {kinds or 'none of them'}")
    kind = kinds[0]
    for key in description:
        if key not in _KEYS[kind]:
            raise PlanError(f"task {name}: unknown key {key!r} beside {kind}; it takes {sorted(_KEYS[kind])}")
    for key in sorted(_KEYS[kind]):
        if key not in description:
            raise PlanError(f"task {name}: {key} is missing beside {kind}")
    if kind == "points":
        return labelled_points(name, description["points"], description["labels"])
    levels = description["low_V"], description["high_V"]
    if kind == "gate":
        return boolean_gate(description["gate"], *levels, name=name)
    return truth_table(name, description["table"], *levels)


def _rows_of_mapping(name: str, table: Mapping[str, int]) -> dict[str, int]:
    width = None
    for word in table:
        if not isinstance(word, str) or not word or set(word) - {"0", "1"}:
            raise PlanError(
                f'task {name}: table key {word!r} is not a word of 0 and 1; quote it in YAML, as in "01": 1'
            )
        if width not in (None, len(word)):
            raise PlanError(f"task {name}: table key {word!r} has {len(word)} inputs, the others {width}")
        width = len(word)
    return dict(sorted(table.items()))


def _rows_of_sequence(name: str, outputs: list[int]) -> dict[str, int]:
    width = len(outputs).bit_length() - 1
    if width < 1 or len(outputs) != 2**width:
        raise PlanError(f"task {name}: table of {len(outputs)} outputs; n inputs have 2^n of them")
    words = ("".join(bits) for bits in itertools.product("01", repeat=width))
    return dict(zip(words, outputs, strict=True))


def _levels(name: str, key: str, level: float | Sequence[float], inputs: int) -> Array:
    try:
        return np.broadcast_to(np.asarray(level, dtype=np.float64), (inputs,))
    except (TypeError, ValueError) as error:
        raise PlanError(
            f"task {name}: {key} {level!r}; give one voltage, or one for each of {inputs} inputs"
        ) from error


def _task(name: str, points: Array, labels: Sequence[int], names: tuple[str, ...]) -> Task:
    for point, label in zip(names, labels, strict=True):
        if isinstance(label, str) or label not in (0, 1):
            raise PlanError(f"task {name}: label {label!r} of {point}; labels are 0 and 1")
    if not np.all(np.isfinite(points)):
        raise PlanError(f"task {name}: every point must be finite volts")
    if len(set(labels)) != 2:
        raise PlanError(
            f"task {name}: labels are all {labels[0] if labels else 'absent'}; a task has both 0 and 1"
        )
    return Task(name, points, np.array(labels, dtype=np.int64), names)
