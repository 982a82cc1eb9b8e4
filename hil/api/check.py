"""Look at a bench without driving anything."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from qcodes.instrument import VisaInstrument

from calibration.sampling.duty import duty
from drivers.envelope import SafetyEnvelope
from drivers.errors import DriverError, EnvelopeError
from drivers.hardware import Timing
from drivers.layout import build_envelope
from drivers.roles import Digitizer, VoltageSourceArray
from hil.chips.dnpu import electrodes, joint_limits, readout, roles
from hil.cli.exit_codes import SAFETY, USAGE
from hil.config import BenchFile, ExperimentFile, device_file, load_experiment
from hil.config.bench import MeshBench, RackFile, load_rack
from hil.config.diffractive_chip import DiffractiveSection
from hil.config.dnpu_chip import DnpuSection
from hil.config.experiment_file import format_of
from hil.connection import identity_of, open_station
from hil.feasible import check_feasible, check_together
from hil.findings import CheckResult, Item, attempt, errors_left
from hil.plans import sampled_channels, sampling_plan
from hil.tuning.check import check_device, tuning_beside, tuning_items


def check(bench: Path | str, experiment: Path | str | None = None) -> CheckResult:
    """Connect, identify, self-test, compare limits and dry-run the plan of `experiment`.

    Only questions are sent, and the digitizer's own settings: no output of the source moves. A rack without
    a chip is opened and asked who is there. Without `experiment`, experiment.yaml beside the bench file, or
    mesh.yaml for a mesh, is taken if there is one, and tune.yaml besides: what each of its methods would cost is told
    on paper. So it is for the file of a device in process. Raises ConfigError for files that cannot be used; what the
    instruments say is in the result.
    """
    path, named = Path(bench), Path(experiment) if experiment is not None else None
    if format_of(path) == device_file.FORMAT:
        return check_device(path, named)
    rack, tuning = load_rack(path), tuning_beside(path, named)
    calibration = named if tuning is None or tuning != named else None
    if isinstance(rack.chip, DiffractiveSection):
        from hil.diffractive.check import check_diffractive

        return check_diffractive(rack, rack.chip, path, tuning)
    mesh, description = MeshBench.of(rack), BenchFile.of(rack)
    if mesh is not None:
        from hil.mesh.check import check_mesh

        result = check_mesh(mesh, path, calibration)
    elif description is not None:
        result = _check_dnpu(description, path, calibration)
    else:
        return _check_rack(rack, path)
    if tuning is not None:
        result.items += tuning_items(tuning, rack)
    return result


def _check_dnpu(description: BenchFile, path: Path, named: Path | None) -> CheckResult:
    plan_path = named or path.with_name("experiment.yaml")
    settings = load_experiment(plan_path) if named is not None or plan_path.exists() else None
    if settings is not None:
        check_together(settings, description, plan_path)
        check_feasible(settings, description, plan_path)
    result = CheckResult([Item("files", True, f"{path}" + (f", {plan_path}" if settings else ""))])
    result.items += _on_paper(description, settings)
    with ExitStack() as stack:
        found, station = attempt("connection", lambda: stack.enter_context(open_station(description, path)))
        result.items.append(found)
        if station is not None:
            found, adapters = attempt("adapters", lambda: roles(description, station), USAGE)
            if adapters is None:
                result.items.append(found)
                return result
            source, digitizer = adapters
            result.items += _instruments(description, source, digitizer, station)
            result.items += _outputs(description, source)
    return result


def _check_rack(rack: RackFile, path: Path) -> CheckResult:
    """A rack without a chip: its instruments are opened and asked who they are."""
    result = CheckResult([Item("files", True, str(path))])
    with ExitStack() as stack:
        found, station = attempt("connection", lambda: stack.enter_context(open_station(rack, path)))
        result.items.append(found)
        for name in rack.station.instruments if station is not None else ():
            instrument: Any = station.components[name]
            result.items.append(
                attempt(f"identity of {name}", lambda one=instrument: identity_of(one))[0]  # type: ignore[misc]
            )
    return result


def _on_paper(bench: BenchFile, experiment: ExperimentFile | None) -> Iterator[Item]:
    envelope = build_envelope(electrodes(bench.chip), readout(bench.chip).reference, joint_limits(bench.chip))
    timing = Timing(bench.chip.sample_rate, bench.chip.aperture)
    yield Item(
        "envelope",
        True,
        f"{len(envelope.names)} electrodes, {envelope.low_V.min():g} V to {envelope.high_V.max():g} V, "
        f"at most {envelope.max_slew_V_per_s.max():g} V/s",
    )
    if experiment is not None:
        yield attempt("dry run", lambda: _dry_run(experiment, bench.chip, envelope, timing), USAGE)[0]


def _dry_run(experiment: ExperimentFile, chip: DnpuSection, envelope: SafetyEnvelope, timing: Timing) -> str:
    """Make every batch of the plan and hold it against the envelope."""
    plan = sampling_plan(experiment.sampling, sampled_channels(chip), timing.sample_rate_Hz, experiment.seed)
    fastest = 0.0
    for k in range(plan.batches):
        waveform = plan.stimulus(k)
        envelope.check(waveform, timing.dt_s, slew_fraction=timing.slew_fraction)
        steps = np.abs(np.diff(waveform, axis=0)) / timing.dt_s / envelope.max_slew_V_per_s
        fastest = max(fastest, float(steps.max(initial=0.0)))
    on_chip = duty(plan)
    return (
        f"{plan.batches} batches of {plan.samples_per_batch} samples, {on_chip.total_s / 60:.1f} min on the chip, "
        f"{on_chip.useful_fraction:.1%} of it useful; fastest change {fastest:.0%} of the slew limit"
    )


def _instruments(
    bench: BenchFile, source: VoltageSourceArray, digitizer: Digitizer, station: Any
) -> Iterator[Item]:
    for role, name, instrument in (
        ("source", bench.chip.source, source),
        ("digitizer", bench.chip.digitizer, digitizer),
    ):
        yield attempt(f"identity of {name}", lambda i=instrument: _identity(i))[0]  # type: ignore[misc]
        yield attempt(f"errors of {name}", lambda i=instrument: errors_left(i))[0]  # type: ignore[misc]
        if role == "digitizer":
            # a self-test may pulse outputs, so only an instrument that has none is asked for one
            yield attempt(f"self-test of {name}", lambda n=name: _self_test(station.components[n]))[0]  # type: ignore[misc]


def _identity(instrument: VoltageSourceArray | Digitizer) -> str:
    return f"{instrument.identity()} at {instrument.address}"


def _self_test(instrument: Any) -> str:
    if not isinstance(instrument, VisaInstrument):
        instrument.self_test()
        return "passed"
    with instrument.timeout.set_to(30.0):
        answer = instrument.ask("*TST?").strip()
    if int(float(answer)) != 0:
        raise DriverError(f"{instrument.name} failed its self-test: *TST? gave {answer}; see its manual")
    return "passed"


def _outputs(bench: BenchFile, source: VoltageSourceArray) -> Iterator[Item]:
    def limits() -> str:
        reference = bench.chip.readout.reference
        wanted = [(name, e.channel, e.low, e.high) for name, e in bench.chip.electrodes.items()]
        for name, channel, low, high in [
            *wanted,
            ("reference", reference.channel, reference.low, reference.high),
        ]:
            least, most = source.output_range(channel)
            if low < least or high > most:
                raise EnvelopeError(
                    f"{name}: {low:g} V to {high:g} V does not fit channel {channel}'s range, "
                    f"{least:g} V to {most:g} V; narrow the electrode's range or switch the channel's"
                )
        return "every electrode's range lies within its channel's"

    def stand() -> str:
        away = {
            name: volts
            for name, electrode in bench.chip.electrodes.items()
            if abs(volts := source.read_back(electrode.channel)) > source.accuracy_V
        }
        outside = [
            name
            for name, volts in away.items()
            if not bench.chip.electrodes[name].low <= volts <= bench.chip.electrodes[name].high
        ]
        if outside:
            raise EnvelopeError(
                f"{outside[0]} stands at {away[outside[0]]:g} V, outside its range; find out why"
            )
        if away:
            return "not at rest: " + ", ".join(f"{name} {volts:.4g} V" for name, volts in away.items())
        return "all electrodes at rest"

    yield attempt("limits of the source", limits, USAGE)[0]
    yield attempt("outputs", stand, SAFETY)[0]
