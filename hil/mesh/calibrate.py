"""Run the stages of a mesh's calibration on the chip, keep every block of readings, and record the result."""

from collections.abc import Sequence
from pathlib import Path

import torch

from calibration.device import Device
from calibration.mesh import MeshCalibration, Stage
from hil.errors import StepError
from hil.mesh.design import design
from hil.mesh.records import Records
from hil.mesh.session import MeshSession
from hil.mesh.stages import stages_of

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
    stages = stages_of(session.experiment, session.bench.chip)
    torch.set_num_threads(1)
    if any(session.status(stage.name) != "done" for stage in stages):
        with connect(session) as device:
            calibrate_on(session, device, stages)
    keep_record(session, stages)


def calibrate_on(session: MeshSession, device: Device, stages: Sequence[Stage]) -> None:
    """The stages that are not done yet, on a device that is connected."""
    known = MeshCalibration.blank(device.identity, design(session.bench.chip))
    for stage in stages:
        session.checkpoint()
        if session.status(stage.name) == "done":
            known = MeshCalibration.load(stage_folder(session, stage.name))
        else:
            known = _run(session, stage, device, known)


def keep_record(session: MeshSession, stages: Sequence[Stage]) -> None:
    """Keep what the last stage knows as the chip's newest record, in the run and beside the runs."""
    if session.status(RECORD) == "done":
        return
    with session.store.step(RECORD):
        last = MeshCalibration.load(stage_folder(session, stages[-1].name))
        records = Records(session.folder.parent, session.bench.chip.name)
        record = records.publish(last.dated(), session.folder.name)
        record.save(session.folder / RECORD)
        session.note(RECORD, {"version": record.version, "date": record.date, "chip": dict(record.identity)})


def stage_folder(session: MeshSession, stage: str) -> Path:
    """Where the run keeps what was known after a stage."""
    return session.folder / "stages" / stage


def _run(session: MeshSession, stage: Stage, device: Device, start: MeshCalibration) -> MeshCalibration:
    blocks = session.store.blocks(stage.name)
    with session.store.step(stage.name):
        known = {name: block.arrays for name, block in blocks.read().items()}
        session.progress.start(stage.name, stage.blocks, len(known))
        before = device.cost
        for block in stage.run(device, start, known):
            now = device.cost
            cost = {
                "readings": now.readings - before.readings,
                "chip_time_s": now.chip_time_s - before.chip_time_s,
            }
            blocks.append(block.name, block.arrays, cost)
            before = now
            session.progress.advance(block.name)
            session.checkpoint()
        session.progress.finish()
        found = stage.result()
        found.save(stage_folder(session, stage.name))
        spent = [block.meta for block in blocks.read().values()]
        session.note(
            stage.name,
            {
                **found.figures.get(stage.name, {}),
                "blocks": len(spent),
                "readings": sum(one["readings"] for one in spent),
                "chip_time_s": sum(one["chip_time_s"] for one in spent),
            },
        )
    return found
