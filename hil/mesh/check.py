"""Look at the bench of a mesh without driving anything."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from qcodes.station import Station

from drivers.errors import EnvelopeError
from drivers.mesh_hardware import MeshInstruments
from drivers.mesh_layout import MeshLimits, heater_envelope, modulator_envelope
from hil.chips.mesh import heaters, instruments, modulators
from hil.cli.exit_codes import SAFETY, USAGE
from hil.config.bench import MeshBench
from hil.config.mesh_chip import MeshSection
from hil.config.mesh_experiment import MeshExperiment
from hil.config.yaml_file import load
from hil.connection import identity_of, open_station
from hil.findings import CheckResult, Item, attempt, errors_left
from hil.mesh.dry_run import dry_run
from hil.mesh.session import check

MESH_FILE = "mesh.yaml"
_AT_REST_V, _AT_REST_A = 0.02, 5e-5
"""What a heater's read-back may say at rest: the supply's own offsets."""


def check_mesh(bench: MeshBench, path: Path, experiment: Path | None) -> CheckResult:
    """Connect, identify, compare limits and outputs, and dry-run the calibration on the design; drives nothing.

    Raises ConfigError for files that cannot be used; what the instruments say is in the result.
    """
    plan = experiment if experiment is not None else path.with_name(MESH_FILE)
    settings = load(plan, MeshExperiment) if experiment is not None or plan.exists() else None
    if settings is not None:
        check(settings, bench, plan)
    result = CheckResult([Item("files", True, str(path) + (f", {plan}" if settings else ""))])
    result.items.append(attempt("chip", lambda: _on_paper(bench.chip), USAGE)[0])
    if settings is not None:
        result.items.append(attempt("dry run", lambda: dry_run(settings, bench.chip), USAGE)[0])
    with ExitStack() as stack:
        found, station = attempt("connection", lambda: stack.enter_context(open_station(bench, path)))
        result.items.append(found)
        if station is not None:
            result.items += _instruments(bench, station)
            found, wired = attempt("adapters", lambda: instruments(bench, station), USAGE)
            if wired is None:
                result.items.append(found)
            else:
                result.items += _wired(bench.chip, wired)
    return result


def _on_paper(chip: MeshSection) -> str:
    modulator_envelope(modulators(chip))
    wired = heaters(chip)
    envelope = heater_envelope(wired, MeshLimits(chip.heaters.total_power, chip.laser.power))
    return (
        f"{chip.layout.kind}, {chip.layout.ports} ports, {len(chip.mesh.mzis)} interferometers; "
        f"{len(wired)} of {len(chip.mesh.shifters)} heaters wired, up to {envelope.high_V.max():.3g} V each and "
        f"{chip.heaters.total_power:g} W together"
    )


def _instruments(bench: MeshBench, station: Station) -> Iterator[Item]:
    for name in dict.fromkeys(name for _, name in bench.chip.instruments()):
        instrument: Any = station.components[name]
        yield attempt(f"identity of {name}", lambda one=instrument: _identity(one))[0]  # type: ignore[misc]


def _identity(instrument: Any) -> str:
    return f"{identity_of(instrument)} at {instrument.address}"


def _wired(chip: MeshSection, wired: MeshInstruments) -> Iterator[Item]:
    for what, instrument in vars(wired).items():
        yield attempt(f"errors of the {what}", lambda one=instrument: errors_left(one))[0]  # type: ignore[misc]
    looks: tuple[tuple[str, Callable[[MeshSection, MeshInstruments], str], int], ...] = (
        ("laser", _laser, USAGE),
        ("limits of the modulators' source", _source, USAGE),
        ("limits of the heaters' supply", _supply, USAGE),
        ("outputs", _outputs, SAFETY),
    )
    for what, look, code in looks:
        yield attempt(what, lambda look=look: look(chip, wired), code)[0]  # type: ignore[misc]


def _laser(chip: MeshSection, wired: MeshInstruments) -> str:
    asked = chip.laser
    for what, value, (least, most), unit in (
        ("power", asked.power, wired.laser.power_range_W, "W"),
        ("wavelength", asked.wavelength, wired.laser.wavelength_range_m, "m"),
    ):
        if not least <= value <= most:
            raise EnvelopeError(
                f"laser.{what}: {value:g} {unit} is outside the laser's {least:g} to {most:g} {unit}; "
                "choose one inside"
            )
    light = "it shines" if wired.laser.shines() else "no light comes out"
    return f"{asked.power:g} W at {asked.wavelength * 1e9:.6g} nm lies within its range; {light}"


def _source(chip: MeshSection, wired: MeshInstruments) -> str:
    for port, channel in enumerate(chip.modulator_channels):
        least, most = wired.modulators.output_range(channel)
        if chip.modulators.low < least or chip.modulators.high > most:
            raise EnvelopeError(
                f"m{port}: {chip.modulators.low:g} V to {chip.modulators.high:g} V does not fit channel {channel}'s "
                f"range, {least:g} V to {most:g} V; narrow the modulators' range or switch the channel's"
            )
    return "every modulator's range lies within its channel's"


def _supply(chip: MeshSection, wired: MeshInstruments) -> str:
    there = wired.heaters.heaters
    for name, channel in chip.heater_channels.items():
        if channel not in there:
            raise EnvelopeError(
                f"heater {name} is on channel {channel}, and the supply has {there[0]} to {there[-1]}; "
                "correct heaters.first or heaters.channels"
            )
    wired_up = len(chip.heater_channels)
    own = np.array([wired.heaters.limits(channel) for channel in chip.heater_channels.values()])
    return (
        f"{wired_up} of {len(there)} channels; the supply now stops at {own[:, 0].min():g} V and "
        f"{own[:, 1].min():g} A, a session sets {chip.heaters.voltage:g} V and {chip.heaters.current:g} A"
    )


def _outputs(chip: MeshSection, wired: MeshInstruments) -> str:
    there = list(wired.heaters.heaters)
    names = [name for name, channel in chip.heater_channels.items() if channel in there]
    rows = [there.index(chip.heater_channels[name]) for name in names]
    volts, amperes = wired.heaters.read_voltages()[rows], wired.heaters.read_currents()[rows]
    over = [
        k for k in range(len(rows)) if volts[k] > chip.heaters.voltage or amperes[k] > chip.heaters.current
    ]
    if over:
        k = over[0]
        raise EnvelopeError(
            f"heater {names[k]} stands at {volts[k]:.4g} V and {1e3 * amperes[k]:.4g} mA, beyond its limits; "
            "find out why"
        )
    driven = [k for k in range(len(rows)) if abs(volts[k]) > _AT_REST_V or abs(amperes[k]) > _AT_REST_A]
    away = [f"{names[k]} {volts[k]:.4g} V" for k in driven]
    for port, channel in enumerate(chip.modulator_channels):
        if abs(found := wired.modulators.read_back(channel)) > wired.modulators.accuracy_V:
            away.append(f"m{port} {found:.4g} V")
    return "not at rest: " + ", ".join(away) if away else "all heaters and modulators at rest"
