"""Drive the chip with the experiment's waveforms and record its answer, batch by batch."""

import time
from typing import Any

import numpy as np

from calibration.device import Device, Flag
from calibration.sampling.duty import duty
from calibration.sampling.effect import electrode_effects
from calibration.sampling.reference import ReferencePlan
from calibration.sampling.repeatability import repeatability
from drivers.errors import EnvelopeError, InstrumentError
from hil.chips.dnpu import connect
from hil.plans import coverages, sampled_channels, sampling_plan
from hil.steps.session import SAMPLING, DnpuSession
from hil.store import BatchTable, ColumnSpec

_LOOK_s, _LOOK = 0.5, 100
"""How much of the reference, in seconds and at least in samples, is played to see what an electrode does."""


def sample(session: DnpuSession) -> None:
    """Sample what is not sampled yet.

    The stimulus of batch k depends on the seed and k alone, so a resumed run drives what an uninterrupted one
    would have driven.
    """
    with session.store.step("sample"):
        with connect(session) as chip:
            device = chip.with_inputs(tuple(session.bench.chip.electrodes))
            plan = plan_of(session)
            table = _table(session, device, plan)
            if table.committed < plan.batches:
                _look_at_electrodes(session, device, plan)
            _drive(session, device, plan, table)
        session.progress.say("sampled; looking at coverage, repeatability and drift")
        _summarise(session, plan, table)


def plan_of(session: DnpuSession) -> ReferencePlan:
    """The run's sampling plan."""
    chip, experiment = session.bench.chip, session.experiment
    return sampling_plan(experiment.sampling, sampled_channels(chip), chip.sample_rate, experiment.seed)


def _table(session: DnpuSession, device: Device, plan: ReferencePlan) -> BatchTable:
    columns = {
        "inputs": ColumnSpec(len(device.inputs.names), "float64", device.inputs.unit, device.inputs.names),
        "outputs": ColumnSpec(
            len(device.outputs.names), "float64", device.outputs.unit, device.outputs.names
        ),
        "flags": ColumnSpec(None, "uint8"),
    }
    return session.store.table(
        SAMPLING,
        columns,
        plan.samples_per_batch,
        sample_rate_Hz=plan.sample_rate_Hz,
        plan=dict(plan.describe()),
    )


def _look_at_electrodes(session: DnpuSession, device: Device, plan: ReferencePlan) -> None:
    """Measure what each electrode does, before samples are taken whose inputs may not be what they say."""
    session.progress.say("looking at what each electrode does")
    waveform = plan.stimulus(0)[: max(_LOOK, round(_LOOK_s * plan.sample_rate_Hz))]
    try:
        found = electrode_effects(device, waveform)
    except EnvelopeError as error:  # limits on several electrodes at once, with nothing sent
        session.warn(f"what each electrode does was not looked at: with one at 0 V, {error}")
        return
    session.note("effects", found.as_dict())
    session.store.metric("effects", **found.as_dict())
    for name in found.without(session.experiment.acceptance.min_effect_over_noise):
        row = found.names.index(name)
        session.warn(
            f"electrode {name} has no effect that could be told from noise ({found.over_noise[row]:.1f} times it):"
            f" check its wire and source channel {session.bench.chip.electrodes[name].channel}"
        )


def _drive(session: DnpuSession, device: Device, plan: ReferencePlan, table: BatchTable) -> None:
    session.progress.start("sampling", plan.batches, table.committed)
    began, first = time.monotonic(), table.committed
    # the chip's own count starts anew at every connection; the run's goes on
    earlier_s = float(table.metas[-1]["chip_time_s"]) if first else 0.0
    for k in range(first, plan.batches):
        session.checkpoint()
        response = device.run(plan.stimulus(k)[None])
        if (response.flags[0] & Flag.CLIPPED).all():
            raise InstrumentError(
                f"batch {k}: every reading is at the end of the range of {session.bench.chip.digitizer} or of the "
                "amplifier, or no number; check its input and the amplifier's, then go on"
            )
        flags = response.flags[0] | np.where(plan.useful(k), 0, Flag.LATE).astype(np.uint8)
        table.append(
            k,
            {"inputs": response.inputs[0], "outputs": response.outputs[0], "flags": flags},
            seed=session.experiment.seed,
            meta={"reference": plan.is_reference(k), "chip_time_s": earlier_s + device.cost.chip_time_s},
        )
        rate = (k + 1 - first) * plan.samples_per_batch / (time.monotonic() - began)
        clipped = float(np.mean(flags & Flag.CLIPPED != 0))
        note = f"{rate:,.0f} samples/s" + (f", {clipped:.1%} clipped" if clipped else "")
        session.progress.advance(note)
    session.progress.finish()


def _summarise(session: DnpuSession, plan: ReferencePlan, table: BatchTable) -> None:
    data = table.read()
    outputs, flags = data["outputs"][:, 0], data["flags"]
    clipped, late = flags & Flag.CLIPPED != 0, flags & Flag.LATE != 0
    good = outputs[flags == 0]
    spent = [float(meta["chip_time_s"]) for meta in table.metas]
    spread: dict[str, Any] = {}
    if len(good):
        percentiles = np.percentile(good, [0, 1, 5, 25, 50, 75, 95, 99, 100])
        spread = {
            "output_percentiles_A": percentiles.tolist(),
            "output_std_A": float(good.std()),
            "output_skewness": float(((good - good.mean()) ** 3).mean() / good.std() ** 3)
            if good.std()
            else 0.0,
        }
    on_chip = duty(plan)
    session.note(
        "sampling",
        {
            "batches": table.committed,
            "samples": len(flags),
            "useful_samples": int((flags == 0).sum()),
            "clipped_samples": int(clipped.sum()),
            "unsettled_samples": int(late.sum()),
            "chip_time_s": max(spent, default=0.0),
            "duty": on_chip.as_dict(),
            **spread,
            "coverage": {name: found.as_dict() for name, found in coverages(plan).items()},
        },
    )
    references = [k for k in range(table.committed) if plan.is_reference(k)]
    by_batch = data["outputs"].reshape(table.committed, table.rows_per_batch, -1)
    usable = flags.reshape(table.committed, -1)[references] == 0
    found = repeatability(by_batch[references], np.array([spent[k] for k in references]), usable)
    session.note(
        "repeatability",
        {
            "repeatability_A": float(found.repeatability[0]),
            "with_drift_A": float(found.with_drift[0]),
            "short_term_A": float(found.short_term[0]),
            **found.as_dict(),
        },
    )
    limit = session.experiment.acceptance.max_change
    if limit is not None and found.change.of_spread[0] > limit:
        before, after = (references[found.change.before + k] for k in (0, 1))
        session.warn(
            f"the reference changed by {found.change.size[0] * 1e9:.3g} nA, {found.change.of_spread[0]:.0%} of the "
            f"output's spread, most of it between batches {before} and {after}: samples from there on may not be "
            "of the same device; check sources, wires and meter"
        )
