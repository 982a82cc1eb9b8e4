"""Watch a tuned chip, re-tune it when it leaves its tolerance, and keep every look."""

import time
from collections.abc import Callable
from dataclasses import asdict

import torch

from calibration.device import Array, Device, Waiting
from calibration.tuning import Keeper, KeepingPlan, Look, Rung, TuningPlan
from calibration.tuning.registry import make_method
from hil.config.keep_section import KeepSection
from hil.config.tune_experiment import StartSection
from hil.tuning.acceptance import KEEPING
from hil.tuning.lab import TuningLab, lab_of, plain_start
from hil.tuning.session import START, TuneSession, folder_of, keep_section
from hil.tuning.snapshots import read_snapshot, write_snapshot

STEP, PLACE = "keep", "keeping/watch.safetensors"
_SLICE_s = 30.0  # of a wait, after which a signal is heeded
Wait = Callable[[float], None]


def keep(session: TuneSession, *, hold: bool = False) -> None:
    """Watch to the end, from the last look or step if it was interrupted.

    With `hold` the chip is left with what was kept on it; otherwise it is at rest afterwards.
    """
    torch.set_num_threads(1)
    if session.status(STEP) == "done":
        return
    with session.store.step(STEP), lab_of(session, session.experiment.seed, hold=hold) as lab:
        keep_on(session, lab)


def keep_on(session: TuneSession, lab: TuningLab) -> Keeper:
    """The watch on a chip that is connected, and its figures."""
    section, place = keep_section(session.experiment), session.folder / PLACE
    saved = read_snapshot(place) if place.exists() else None
    before = float(saved.facts["seconds"]) if saved is not None else 0.0
    begun, plan = time.monotonic(), plan_of(section)
    keeper = Keeper(
        lab.device,
        lab.problem,
        ladder_of(session, section),
        plan,
        _start(session, lab),
        wait=_heedful(session, lab.device),
        resume=saved,
    )
    looks = round(plan.duration_s // plan.every_s) + 1
    session.progress.start("looks", looks, sum(look.retuning is None for look in keeper.looks))
    running = iter(keeper)
    try:
        for event in running:
            write_snapshot(session.store, PLACE, keeper.snapshot(), before + time.monotonic() - begun)
            if isinstance(event, Look):
                _tell(session, event)
                session.note(KEEPING, figures_of(keeper))
            session.checkpoint()
    finally:
        running.close()  # type: ignore[attr-defined]  # what was kept is on the chip, whatever ended the loop
        session.progress.finish()
    names = lab.device.controls.names
    controls = dict(zip(names, keeper.best.tolist(), strict=True))
    session.store.write_json("best/keep.json", {"unit": lab.device.controls.unit, "controls": controls})
    return keeper


def plan_of(section: KeepSection) -> KeepingPlan:
    """How the chip is watched."""
    return KeepingPlan(
        every_s=section.every,
        duration_s=section.duration,
        tolerance=section.tolerance,
        watch=section.watch,
        significance=section.significance,
        passes=section.passes,
        readout=section.readout,
        readings=section.readings,
        compare=section.compare,
    )


def ladder_of(session: TuneSession, section: KeepSection) -> list[Rung]:
    """The rungs with their methods, each set as its rung says, or as the experiment does."""
    known = session.experiment.methods
    return [
        Rung(
            make_method(rung.method, known.get(rung.method, {}) if rung.settings is None else rung.settings),
            TuningPlan(rung.readings, rung.checks, rung.significance),
        )
        for rung in section.ladder
    ]


def figures_of(keeper: Keeper) -> dict[str, object]:
    """The section of the run's metrics."""
    plan = keeper.plan
    return {
        "every_s": plan.every_s,
        "duration_s": plan.duration_s,
        "tolerance": plan.tolerance,
        "watch": plan.watch,
        "readings": keeper.readings,
        "compared_readings": keeper.compared_readings,
        "chip_time_s": keeper.chip_time_s,
        "looks": [asdict(look) for look in keeper.looks],
    }


def _start(session: TuneSession, lab: TuningLab) -> Array:
    """What was tuned, where the run was begun from a tuning; otherwise what the experiment starts from."""
    tuned = session.store.manifest.get(START)
    if tuned is None:
        return lab.start
    return plain_start(StartSection(file=tuned), lab.device.controls, folder_of(session), 0)


def _heedful(session: TuneSession, device: Device) -> Wait:
    """A wait on the bench's own clock, or the wall's where the device has none, that a signal can end."""
    wait: Wait = device.wait if isinstance(device, Waiting) else time.sleep

    def heedful(seconds: float) -> None:
        whole, rest = divmod(seconds, _SLICE_s)
        for part in (*[_SLICE_s] * int(whole), rest):
            session.checkpoint()
            wait(part)

    return heedful


def _tell(session: TuneSession, look: Look) -> None:
    hours = f"{look.time_s / 3600.0:.2f} h"
    values = f"score {look.score:.4g}, loss {look.loss:.4g}, {look.verdict}"
    session.store.metric(STEP, **asdict(look))
    if look.retuning is None:
        session.progress.advance(f"{hours}: {values}")
        if look.verdict == "failed":
            session.warn(f"at {hours} nothing usable was read")
        return
    tried = look.retuning
    outcome = tried.failed or f"{values} (score {tried.score_before:.4g} before)"
    session.progress.say(f"{hours}: {tried.rung}, {tried.readings} readings: {outcome}")
