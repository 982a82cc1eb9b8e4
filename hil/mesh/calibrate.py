"""Run the stages of a mesh's calibration on the chip, keep every block of readings, and record the result."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import torch

from calibration.device import Device
from calibration.mesh import Blocks, MeshCalibration, Stage
from hil.errors import StepError
from hil.mesh.acceptance import RESULT, SHIFTERS, SPENT
from hil.mesh.design import blank_record
from hil.mesh.records import Records
from hil.mesh.session import MeshSession
from hil.mesh.stages import stages_of, wanted_stages

DEPLOYS = "deploys"
"""The field of a run's manifest that says that it is a deployment."""
RECORD = "record"
"""The step that keeps the finished calibration, and the folder in the run that holds it."""


def calibrate(session: MeshSession) -> None:
    """Run every stage that is not done yet, from its last block if it was interrupted, and keep the record.

    The chip is connected only if there is something left to measure, and at rest afterwards.
    """
    from hil.chips.mesh import connect

    if DEPLOYS in session.store.manifest:
        raise StepError(
            f"{session.folder} is a deployment, which is not gone on with; run hil deploy again, "
            "or hil calibrate with the experiment file"
        )
    torch.set_num_threads(1)
    if any(session.status(stage) != "done" for stage in wanted_stages(session.experiment)):
        with connect(session) as device:
            calibrate_on(
                session, device, stages_of(session.experiment, session.bench.chip, partial(_read, session))
            )
    keep_record(session, wanted_stages(session.experiment)[-1])


def calibrate_on(session: MeshSession, device: Device, stages: Iterable[Stage]) -> None:
    """The stages that are not done yet, on a device that is connected."""
    known = blank_record(device.identity, session.bench.chip)
    for stage in stages:
        session.checkpoint()
        if session.status(stage.name) == "done":
            known = MeshCalibration.load(stage_folder(session, stage.name))
        else:
            known = _run(session, stage, device, known)


def keep_record(session: MeshSession, last_stage: str) -> None:
    """Keep what is known after the last stage as the chip's newest record, in the run and beside the runs."""
    if session.status(RECORD) == "done":
        return
    with session.store.step(RECORD):
        last = MeshCalibration.load(stage_folder(session, last_stage))
        records = Records(session.folder.parent, session.bench.chip.name)
        record = records.publish(last.dated(), session.folder.name)
        record.save(session.folder / RECORD)
        session.note(RECORD, {"version": record.version, "date": record.date, "chip": dict(record.identity)})


def stage_folder(session: MeshSession, stage: str) -> Path:
    """Where the run keeps what was known after a stage."""
    return session.folder / "stages" / stage


def _read(session: MeshSession, stage: str) -> Blocks:
    return {name: block.arrays for name, block in session.store.blocks(stage).read().items()}


def _run(session: MeshSession, stage: Stage, device: Device, start: MeshCalibration) -> MeshCalibration:
    blocks = session.store.blocks(stage.name)
    with session.store.step(stage.name):
        known = _read(session, stage.name)
        before, begun = device.cost, False
        for block in stage.run(device, start, known):
            now = device.cost
            cost = {
                "readings": now.readings - before.readings,
                "chip_time_s": now.chip_time_s - before.chip_time_s,
            }
            blocks.append(block.name, block.arrays, cost)
            before = now
            if not begun:  # by now the stage has looked at the device and knows how much there is to do
                session.progress.start(stage.name, max(stage.blocks, len(blocks)), len(blocks) - 1)
                begun = True
            session.progress.advance(block.name)
            session.checkpoint()
        session.progress.finish()
        found = stage.result()
        found.save(stage_folder(session, stage.name))
        spent = [block.meta for block in blocks.read().values()]
        cost = {key: sum(one[key] for one in spent) for key in ("readings", "chip_time_s")}
        session.store.metric(stage.name, **cost)
        _note(session, stage.name, found, cost)
    return found


def _note(session: MeshSession, stage: str, found: MeshCalibration, cost: dict[str, float]) -> None:
    """The figures of a stage, and what they make of the whole, into the run's metrics."""
    metrics = session.metrics()
    each = {**metrics.get(SPENT, {}).get("stages", {}), stage: cost}
    totals = {key: sum(one[key] for one in each.values()) for key in ("readings", "chip_time_s")}
    failed = {one.name: one.reason for one in found.shifters if not one.ok}
    count = len(found.shifters)
    session.note(stage, found.figures.get(stage, {}))
    session.note(SPENT, {**totals, "stages": each})
    session.note(
        SHIFTERS,
        {
            "count": count,
            "good": count - len(failed),
            "good_share": 1.0 - len(failed) / count,
            "failed": failed,
        },
    )
    twin, verified = found.figures.get("twin", {}), found.figures.get("verify", {})
    session.note(
        RESULT,
        {
            "mean_fidelity": verified.get("mean_fidelity"),
            "residual_over_noise": twin.get("residual_over_noise"),
            "drift": found.figures.get("drift", {}).get("verdict"),
        },
    )
