"""Gates that fail on dopant chips, won back by every method at the same budget of readings."""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

import calibration.tuning
from calibration.errors import CalibrationError
from calibration.tasks import boolean_gate, labelled_points
from calibration.tuning import Method, Spsa, Tuner, TuningPlan, Update
from simulators.models.dopant_network import Wiring
from tests.calibration.tuning.dopant_lab import Failing, middle, one_chip, several_chips

XOR = boolean_gate("XOR", -0.6, 0.2)
TURN = np.pi / 4 * np.arange(8)
RING = labelled_points(
    "ring",
    -0.2
    + np.where(np.arange(8) % 2 == 0, 0.4, 0.12)[:, None] * np.stack((np.cos(TURN), np.sin(TURN)), axis=1),
    (np.arange(8) % 2).tolist(),
)


def methods() -> dict[str, Method]:
    """Every method of the package: its defaults, but where these are for many parameters and examples."""
    kinds = [
        kind
        for kind in vars(calibration.tuning).values()
        if inspect.isclass(kind) and issubclass(kind, Method)
    ]
    known: dict[str, Method] = {kind.name: kind() for kind in kinds if not inspect.isabstract(kind)}
    return known | {"spsa": Spsa(Update("adam", 0.03), perturbation=0.04)}


@dataclass(frozen=True)
class Row:
    """What became of one run."""

    before: float
    after: float
    needed: int | None
    refused: str = ""


def run(failing: Failing, method: Method, readings: int, seed: int) -> Row:
    before = failing.accuracy(failing.start)
    try:
        tuner = Tuner(
            failing.device, failing.problem(seed), method, TuningPlan(readings, checks=6), failing.start
        )
        for _ in tuner:
            pass
    except CalibrationError as error:
        return Row(before, before, None, f"{type(error).__name__}: {error}")
    needed = None
    for check in reversed(tuner.curve):
        if check.score < 1.0:
            break
        needed = check.readings
    assert failing.device.cost.readings >= tuner.readings
    assert tuner.readings <= readings
    return Row(before, failing.accuracy(tuner.best), needed)


def study(
    title: str,
    labs: Mapping[tuple[int, int], Callable[[], Failing]],
    tried: Mapping[str, Method],
    readings: int,
) -> dict[str, list[Row]]:
    """Run each method on each (chip, seed), and print the table."""
    print(f"\n{title}, {len(labs)} runs of {readings} readings each")
    print(f"{'method':>20} {'won back':>9} {'accuracy':>16} {'readings needed':>24}")
    found: dict[str, list[Row]] = {}
    for name, method in tried.items():
        rows = [run(make(), method, readings, seed) for (_, seed), make in labs.items()]
        found[name] = rows
        if rows[0].refused:
            print(f"{name:>20} {rows[0].refused[:100]}", flush=True)
            continue
        before, after = (np.mean([getattr(row, key) for row in rows]) for key in ("before", "after"))
        won = sum(row.after == 1.0 for row in rows)
        needed = middle([row.needed for row in rows if row.needed is not None and row.after == 1.0])
        print(f"{name:>20} {won:>4}/{len(rows):<4} {before:.3f} -> {after:.3f} {needed:>24}", flush=True)
    return found


def cached(make: Callable[..., Failing], *settings: object) -> Callable[[], Failing]:
    """A lab that is sampled, fitted and searched once, and fresh each time it is asked for."""
    kept: list[Failing] = []

    def lab() -> Failing:
        if not kept:
            kept.append(make(*settings))
        return copy.deepcopy(kept[0])

    return lab


@pytest.mark.slow
def test_a_chip() -> None:
    labs = {(chip, week): cached(one_chip, XOR, chip, week) for chip in (1, 2, 3) for week in (1,)}
    found = study("XOR on single dopant chips", labs, methods(), readings=4000)
    rows = found["spsa"]
    assert all(row.before < 1.0 for row in rows)
    assert np.mean([row.after for row in rows]) > np.mean([row.before for row in rows])
    assert sum(row.after == 1.0 for row in rows) >= 1


@pytest.mark.slow
def test_a_network_of_chips() -> None:
    wiring = Wiring((2, 1))
    labs = {(net, week): cached(several_chips, RING, wiring, net, week) for net in (1,) for week in (1,)}
    found = study("a ring of eight points on networks of 2-1 dopant chips", labs, methods(), readings=4000)
    rows = found["spsa"]
    assert np.mean([row.after for row in rows]) >= np.mean([row.before for row in rows])
