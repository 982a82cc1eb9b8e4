"""Look at the bench of a diffractive network without showing anything."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from drivers.diffractive_hardware import DiffractiveHardware
from drivers.frame_instruments import SLM
from drivers.partition import Partition
from hil.chips.diffractive import described, design, parts
from hil.cli.exit_codes import USAGE
from hil.config.bench import RackFile
from hil.config.diffractive_chip import DiffractiveSection
from hil.connection import identity_of, open_station
from hil.findings import CheckResult, Item, attempt
from hil.tuning.check import tuning_items
from hil.tuning.diffractive import diffractive_on
from hil.tuning.lab import TuningLab
from hil.tuning.session import Given


def check_diffractive(
    rack: RackFile, chip: DiffractiveSection, path: Path, tuning: Path | None = None
) -> CheckResult:
    """Connect, identify, compare sizes and levels, and make the frames of a reading; nothing is shown.

    Only questions are sent, and the camera's exposure.
    """
    result = CheckResult([Item("files", True, str(path))], "nothing was shown")
    with ExitStack() as stack:
        found, station = attempt("connection", lambda: stack.enter_context(open_station(rack, path)))
        result.items.append(found)
        if station is None:
            return result
        for _, name in chip.instruments():
            instrument: Any = station.components[name]
            result.items.append(
                attempt(f"identity of {name}", lambda one=instrument: identity_of(one))[0]  # type: ignore[misc]
            )
        found, made = attempt("dry run", lambda: _hardware(chip, path, station), USAGE)
        if made is None:
            result.items.append(found)
            return result
        result.items += _looked_at(chip, made)
        if tuning is not None:
            result.items += tuning_items(tuning, rack, lambda given: _planes(given, made))
    return result


def _planes(given: Given, hardware: DiffractiveHardware) -> TuningLab:
    """The task on the planes, of which nothing is shown."""
    device = Partition(
        hardware,
        {"kind": "diffractive", "name": given.chip.name},
        hardware.names[: hardware.layout.pattern.count],
    )
    return diffractive_on(given, device, hardware.camera.shape)


def _hardware(chip: DiffractiveSection, path: Path, station: Any) -> DiffractiveHardware:
    with described(path):
        return DiffractiveHardware(*parts(chip, path, station))


def _looked_at(chip: DiffractiveSection, hardware: DiffractiveHardware) -> Iterator[Item]:
    for slm in hardware.slms:
        yield Item(f"frames of {slm.name}", True, _size(slm))
    camera = hardware.camera
    low_s, high_s = camera.exposure_range_s
    yield Item(
        f"frames of {camera.name}",
        True,
        f"{camera.shape[0]} x {camera.shape[1]}, counts up to {camera.saturation}, exposures from {low_s:g} s to "
        f"{high_s:g} s",
    )
    yield attempt("optics", lambda: _optics(chip, hardware), USAGE)[0]
    yield attempt("dry run", lambda: _dry_run(hardware), USAGE)[0]


def _size(slm: SLM) -> str:
    return (
        f"{slm.shape[0]} x {slm.shape[1]}, {slm.levels} levels, refreshed at {slm.refresh_Hz:g} Hz, "
        f"settled after {1e3 * slm.settling_s:.3g} ms"
    )


def _optics(chip: DiffractiveSection, hardware: DiffractiveHardware) -> str:
    """Build the design as a model: it refuses what does not fit."""
    from simulators.models.diffraction import DiffractiveNetwork, longest_distance_m

    made = DiffractiveNetwork(design(chip, hardware.camera.shape))
    plan = made.design
    furthest_m = longest_distance_m(plan.grid, plan.wavelength_m, plan.padding, band_limit=plan.band_limit)
    return (
        f"{plan.planes} planes of {plan.grid.shape[0]} x {plan.grid.shape[1]} pixels; distances up to "
        f"{1e3 * max(plan.distances_m):.4g} mm, {1e3 * furthest_m:.4g} mm would be possible"
    )


def _dry_run(hardware: DiffractiveHardware) -> str:
    """Make the frames of one reading, with settings from end to end, and show none."""
    group = hardware.group(hardware.names, playing=False)
    share = np.random.default_rng(0).random(len(hardware.names))
    pattern, planes = hardware.frames(group.low + share * (group.high - group.low))
    inputs = hardware.layout.pattern.count
    rate_Hz = hardware.sample_rate_Hz(hardware.names[:inputs])
    return (
        f"{inputs} inputs, {len(hardware.names) - inputs} controls, {len(hardware.layout.detectors)} detectors; levels "
        f"up to {pattern.max()} and {planes.max()}; a reading takes {1e3 / rate_Hz:.3g} ms"
    )
