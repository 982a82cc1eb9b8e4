"""Accuracy against readings for every method that applies, on one chip of each kind: tables, advice and a picture."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import calibration.tuning
from calibration.tuning import Contender, Method, Pat, Study, Trial, TuningPlan, Update, compare
from tests.calibration.tuning.diffractive_digits import aligned
from tests.calibration.tuning.diffractive_digits import trial as diffractive_trial
from tests.calibration.tuning.studied_chips import dopant_trial, mesh_trial, noisy_trial, twin_fitted

SEEDS = (0, 1, 2)


def adam(rate: float) -> Update:
    return Update("adam", rate)


def every_method(settings: Mapping[str, Mapping[str, Any] | None]) -> list[Contender]:
    """All that the package has, with settings that suit a chip; None leaves a method out."""
    kinds = {
        kind.name: kind
        for kind in vars(calibration.tuning).values()
        if inspect.isclass(kind) and issubclass(kind, Method) and not inspect.isabstract(kind)
    }
    chosen = {name: settings.get(name, {}) for name in sorted(kinds)}
    return [Contender(name, kinds[name](**given)) for name, given in chosen.items() if given is not None]


@dataclass(frozen=True)
class Chip:
    """A kind of chip, what it costs to ask it, and settings of methods that suit it."""

    title: str
    make: Callable[[int], Trial]
    readings: int
    settings: Mapping[str, Mapping[str, Any] | None]
    more: tuple[Contender, ...] = ()
    passes: int = 1

    @property
    def contenders(self) -> list[Contender]:
        return [*every_method(self.settings), *self.more]


CHIPS = (
    Chip(
        "three meshes of 16 ports, digits",
        mesh_trial,
        10_000,
        {
            "pat": {"update": adam(0.03), "batch": 64},
            "dat": {"update": adam(0.03), "batch": 64, "internal_states": "unitary"},
            "spsa": {"update": adam(0.02), "perturbation": 0.05},
            "lock-in": {"parameters": 48, "window": 400, "batch": 4},
            "parameter-shift": {"only": "2."},
        },
        (Contender("pat, fitted twin", Pat(adam(0.01), batch=64), twin_fitted),),
    ),
    Chip(
        "diffractive, 3 planes of 32 x 32, digits",
        diffractive_trial,
        5_000,
        {
            "pat": {"update": adam(0.05), "batch": 64, "internal_states": "no"},
            "dat": {
                "update": adam(0.05), "network_update": adam(3e-3), "batch": 64, "internal_states": "unitary",
            },
            "spsa": {"update": adam(0.02), "perturbation": 0.05},
            "lock-in": {"parameters": 64},
        },
        (Contender("pat, aligned twin", Pat(adam(0.05), batch=64, internal_states="no"), aligned),),
    ),
    Chip(
        "noisy optical network 64-32-32-10, trained at 0.3 and noisy at 0.9, digits",
        noisy_trial,
        100_000,
        {
            "pat": {"update": adam(3e-3), "batch": 64},
            "dat": {"update": adam(3e-3), "batch": 64, "internal_states": "unitary"},
            "gift": {"corrector": 75},
            "spsa": {"update": adam(3e-3), "perturbation": 0.02},
            "lock-in": {"parameters": 64},
        },
        passes=4,
    ),
    Chip(
        "a dopant chip a week later, XOR",
        dopant_trial,
        3_000,
        {
            "dat": {"batch": 4},
            "pat": {"batch": 4},
            "spsa": {"update": adam(0.03), "perturbation": 0.04},
        },
        passes=4,
    ),
)  # fmt: skip


def studied(chip: Chip) -> Study:
    """Run everything on a chip and print what came of it."""
    print(f"\n{chip.title}: {len(SEEDS)} seeds, {chip.readings:,} readings each")
    plan, runs = TuningPlan(chip.readings, checks=8), []
    for run in compare(chip.contenders, chip.make, plan, SEEDS, passes=chip.passes):
        runs.append(run)
        scores = " ".join(f"{score:.3f}" for score in run.scores)
        print(f"  {run.method:<20} {run.seed}: {scores}  {run.wall_s:.0f} s {run.failed[:90]}", flush=True)
    study = Study.of(chip.readings, runs)
    print(study.table(), study.recommendation().reason, sep="\n", flush=True)
    return study


def draw(title: str, study: Study, path: Path) -> None:
    """Mean scores against readings, with bands of one standard deviation."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(11, 6))
    for place, row in enumerate(study.rows()):
        if row.seeds:
            band = study.band(row.method)
            (line,) = axis.step(
                band.readings,
                band.mean,
                where="post",
                label=f"{row.method} {row.after:.3f}",
                linestyle="-" if place < 10 else "--",
            )
            axis.fill_between(
                band.readings, band.low, band.high, step="post", alpha=0.15, color=line.get_color()
            )
    axis.set(title=title, xlabel="readings of the device", ylabel="accuracy on the test examples")
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("chip", CHIPS, ids=["mesh", "diffractive", "noisy", "dopant"])
def test_accuracy_against_readings(chip: Chip, tmp_path: Path) -> None:
    study, picture = studied(chip), tmp_path / "study.png"
    draw(chip.title, study, picture)
    print(f"the picture: {picture}")
    best = study.rows()[0]
    assert study.recommendation().method is not None
    assert best.after > best.before + 0.05
