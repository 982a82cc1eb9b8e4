"""Run methods on a chip one after another, keep every step, and leave the best."""

import math
import time
from dataclasses import asdict, dataclass

import torch

from calibration.device import Device
from calibration.errors import CalibrationError
from calibration.tuning import Snapshot, Tuner, TuningPlan, TuningStep
from calibration.tuning.method import answered
from calibration.tuning.registry import make_method
from hil.tuning.acceptance import TUNING
from hil.tuning.lab import TuningLab, lab_of
from hil.tuning.session import ASKED, TuneSession
from hil.tuning.snapshots import read_snapshot, write_snapshot

BEST, KEPT = "best", "tuning"
"""Folders of a run: the best controls of each method, and where each method is."""


@dataclass(frozen=True)
class Asked:
    """One method with one seed."""

    method: str
    seed: int

    @property
    def name(self) -> str:
        """Of its step, and of its files."""
        return f"{self.method}-{self.seed}"


def asked_of(session: TuneSession) -> list[Asked]:
    """What the run is to do, in order."""
    told = session.store.manifest[ASKED]
    return [Asked(method, seed) for seed in told["seeds"] for method in told["methods"]]


def plan_of(session: TuneSession) -> TuningPlan:
    """Budget and acceptance of every method, the command line heeded."""
    asked = session.experiment.tuning
    return TuningPlan(
        session.store.manifest[ASKED]["readings"],
        asked.checks,
        asked.significance,
        asked.repeats,
        asked.sought,
    )


def tune(session: TuneSession, *, hold: bool = False) -> list[CalibrationError]:
    """Run every method that is not done yet, from its last step if it was interrupted.

    With `hold` the last one leaves its best parameters on the chip; otherwise the chip is at rest between methods and
    afterwards. Where several are asked for, one that does not apply or comes to nothing does not keep the others from
    running: such errors are returned.
    """
    torch.set_num_threads(1)
    asked, errors = asked_of(session), list[CalibrationError]()
    left = [one for one in asked if session.status(one.name) != "done"]
    for one in left:
        session.checkpoint()
        try:
            with (
                session.store.step(one.name),
                lab_of(session, one.seed, hold=hold and one is left[-1]) as lab,
            ):
                tune_on(session, lab, one)
        except CalibrationError as error:
            if len(asked) == 1:
                raise
            session.progress.finish()
            session.warn(f"{one.name}: {type(error).__name__}: {error}")
            errors.append(error)
    return errors


def tune_on(session: TuneSession, lab: TuningLab, one: Asked) -> Tuner:
    """One method on a chip that is connected, and its figures."""
    method = make_method(one.method, session.experiment.methods.get(one.method, {}))
    place = session.folder / _place(one)
    saved = read_snapshot(place) if place.exists() else None
    tuner = Tuner(lab.device, lab.problem, method, plan_of(session), lab.start, saved)
    clock = _Clock(lab.device, saved)
    told = tuner.readings
    session.progress.start(f"{one.name}, readings", tuner.plan.readings, told)
    running = iter(tuner)
    try:
        for step in running:
            _log(session, one, step)
            if step.check is not None:
                _note(session, one, tuner, lab, clock)
            write_snapshot(session.store, _place(one), tuner.snapshot(), **clock.spent())
            session.progress.advance(_line(tuner, step), step.readings - told)
            told = step.readings
            session.checkpoint()
    except CalibrationError:
        if tuner.curve:
            _note(session, one, tuner, lab, clock)
        raise
    finally:
        running.close()  # the best parameters are on the chip, whatever ended the loop
        session.progress.finish()
    spent = clock.spent()  # what is reported on is read apart
    _note(session, one, tuner, lab, clock, **spent, test_score=_tested(lab))
    return tuner


class _Clock:
    """The computer's and the chip's time that a method took, earlier attempts included."""

    def __init__(self, device: Device, saved: Snapshot | None) -> None:
        facts = {} if saved is None else saved.facts
        self._device = device
        self._seconds = float(facts.get("seconds", 0.0)) - time.monotonic()
        self._chip_time_s = float(facts.get("chip_time_s", 0.0)) - device.cost.chip_time_s

    def spent(self) -> dict[str, float]:
        """Both so far."""
        return {
            "seconds": self._seconds + time.monotonic(),
            "chip_time_s": self._chip_time_s + self._device.cost.chip_time_s,
        }


def _place(one: Asked) -> str:
    return f"{KEPT}/{one.name}.safetensors"


def _log(session: TuneSession, one: Asked, step: TuningStep) -> None:
    check = asdict(step.check) if step.check is not None else None
    session.store.metric(
        one.name,
        number=step.number,
        readings=step.readings,
        loss=None if math.isnan(step.loss) else step.loss,
        figures={name: value for name, value in step.figures.items() if math.isfinite(value)},
        check=check,
        failed=step.failed,
    )
    if step.failed:
        session.warn(f"{one.name}, step {step.number} came to nothing: {step.failed}")
    if check is not None and check["verdict"] == "drifted":
        session.warn(
            f"{one.name}: the chip has drifted since the check before; the method begins anew from the best"
        )


def _line(tuner: Tuner, step: TuningStep) -> str:
    best = tuner.curve[-1]
    loss = "" if math.isnan(step.loss) else f"loss {step.loss:.4g}, "
    return f"{loss}best {best.loss:.4g}, score {best.score:.4g}"


def _note(
    session: TuneSession, one: Asked, tuner: Tuner, lab: TuningLab, clock: _Clock, **figures: float | None
) -> None:
    """The best controls so far, and a method's line in the run's metrics."""
    names = lab.device.controls.names
    best = dict(zip(names, tuner.best.tolist(), strict=True))
    first, last = tuner.curve[0], tuner.curve[-1]
    session.store.write_json(
        f"{BEST}/{one.name}.json",
        {"unit": lab.device.controls.unit, "loss": last.loss, "score": last.score, "controls": best},
    )
    line = {
        "method": one.method,
        "seed": one.seed,
        "readings": tuner.readings,
        "curve": [asdict(check) for check in tuner.curve],
        "start_loss": first.loss,
        "start_score": first.score,
        "best_loss": last.loss,
        "best_score": last.score,
        "test_score": None,
        **clock.spent(),
        **figures,
    }
    kept = [
        run
        for run in session.metrics().get(TUNING, [])
        if (run["method"], run["seed"]) != (one.method, one.seed)
    ]
    session.note(TUNING, [*kept, line])  # type: ignore[arg-type]


def _tested(lab: TuningLab) -> float | None:
    """The score of the parameters on the chip, on samples that nothing was decided on; not of the budget."""
    test = lab.problem.task.test
    if test is None:
        return None
    answer = answered(lab.problem, test, lab.problem.asking(lab.device, test.inputs))
    return float(answer.scores.mean())
