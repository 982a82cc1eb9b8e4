"""`hil tune` on every chip: through its bench's instruments, in process, and on paper."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa

import hil
from calibration.errors import NotFinite, ShapeError
from calibration.mesh import MeshCalibration
from hil.cli.exit_codes import INSTRUMENT, USAGE, exit_code
from hil.config.bench import MeshBench, load_chip_bench
from hil.config.dnpu_chip import LimitsSection
from hil.config.mesh_chip import LayoutSection
from hil.mesh.design import blank_record, design
from hil.mesh.records import Records
from tests.hil.lab import rewrite

DNPU = {
    "readings: 60000": "readings: 3000",
    "checks: 6": "checks: 2",
    "plateau: 10 ms": "plateau: 3 ms",
    "probes: 8": "probes: 2",
    "min_score: 1.0": "min_score: 0.1",
}
MESH = {"readings: 2000": "readings: 80", "checks: 4": "checks: 2", "min_gain: 0.01": "min_gain: -1.0"}
DIFFRACTIVE = {
    "classes: 4, samples: 160": "classes: 2, samples: 32",
    "steps: 40": "steps: 3",
    "readings: 800": "readings: 64",
    "checks: 4": "checks: 2",
    "batch: 16, p": "batch: 4, p",
    "batch: 16, u": "batch: 8, u",
    "min_gain: 0.1": "min_gain: -1.0",
}


def chosen(kind: str, folder: Path, changes: dict[str, str]) -> Path:
    """An example's tuning with other texts in it."""
    hil.init(kind, folder)
    rewrite(folder / "tune.yaml", changes)
    return folder / "tune.yaml"


def stands_at(run: Path) -> list[float]:
    """What the emulated DAC now says of the outputs at the control electrodes e1, e2, e5, e6 and e7."""
    dac: Any = pyvisa.ResourceManager(f"{run / 'bench.yaml'}@hil").open_resource(
        "TCPIP0::192.168.8.17::5025::SOCKET", read_termination="\n", write_termination="\n"
    )
    with closing(dac):
        return [float(dac.query(f"sour{channel}:volt:last?")) for channel in (1, 2, 5, 6, 7)]


@pytest.mark.parametrize(
    ("kind", "changes", "methods"),
    [
        ("dnpu-tuning", DNPU, ("spsa",)),
        ("mesh-tuning", MESH, ("spsa", "pat")),
        ("diffractive-tuning", DIFFRACTIVE, ("spsa", "pat")),
    ],
)
def test_through_the_instruments_of_every_chip(
    tmp_path: Path, kind: str, changes: dict[str, str], methods: tuple[str, ...]
) -> None:
    experiment = chosen(kind, tmp_path / "lab", changes)
    outcome = hil.tune(experiment, methods)
    assert outcome.exit_code == 0
    for one in outcome.metrics["tuning"]:
        assert one["curve"][0]["verdict"] == "start"
        assert np.isfinite([one["start_loss"], one["best_loss"]]).all()
        assert one["chip_time_s"] > 0.0
    best = json.loads((outcome.run / "best" / "spsa-0.json").read_text())["controls"]
    if kind == "dnpu-tuning":
        assert list(best) == ["e1", "e2", "e5", "e6", "e7"]
        assert stands_at(outcome.run) == pytest.approx([0.0] * 5, abs=1e-4)


def test_hold_leaves_the_best_on_the_chip(tmp_path: Path) -> None:
    experiment = chosen("dnpu-tuning", tmp_path / "lab", DNPU)
    outcome = hil.tune(experiment, hold=True)
    best = json.loads((outcome.run / "best" / "spsa-0.json").read_text())["controls"]
    assert stands_at(outcome.run) == pytest.approx(list(best.values()), abs=1e-4)


IN_PROCESS = {
    "diffractive": (
        "{type: diffractive, name: chip, samples: 16, inputs: 4, planes: 1, detectors: 3, emulator: {seed: 3}}",
        "{kind: classes, clusters: {classes: 3, samples: 60, spread: 0.2}, probe: 0.4}",
        "ideal",
        "pat",
    ),
    "noisy-network": (
        "{type: noisy-network, name: chip, widths: [3, 4, 2], assumed: 0.1, emulator: {level: 0.3}}",
        "{kind: classes, clusters: {classes: 2, samples: 60, spread: 0.1, shape: rings}, probe: 0.3}",
        "ideal",
        "spsa",
    ),
    "dopant": (
        "{type: dopant, name: chip, emulator: {seed: 7}}",
        "{kind: truth_table, table: {'00': 1, '01': 1, '10': 0, '11': 1}, inputs: [e3, e4], levels: [-0.6 V, 0.2 V], "
        "plateau: 3 ms, probes: 2}",
        "none",
        "spsa",
    ),
    "dopants": (
        "{type: dopant, name: chip, chips: [1, 1], emulator: {seed: 7}}",
        "{kind: points, points: [[-0.6 V, -0.6 V], [0.2 V, 0.2 V]], labels: [0, 1], inputs: [x0, x1], plateau: 3 ms, "
        "probes: 2}",
        "none",
        "spsa",
    ),
}


def in_process(folder: Path, kind: str, readings: int = 1200) -> Path:
    chip, task, model, method = IN_PROCESS[kind]
    folder.mkdir()
    (folder / "device.yaml").write_text(f"format: hil-device/1\nchip: {chip}\n")
    (folder / "tune.yaml").write_text(
        f"format: hil-tune/1\nname: t\nbench: device.yaml\ntask: {task}\nmodel: {model}\n"
        f"methods: {{{method}: {{batch: 8}}}}\ntuning: {{readings: {readings}, checks: 2}}\n"
    )
    return folder / "tune.yaml"


@pytest.mark.parametrize("kind", list(IN_PROCESS))
def test_every_device_in_process(tmp_path: Path, kind: str) -> None:
    experiment = in_process(tmp_path / "lab", kind)
    looked = hil.check(experiment.with_name("device.yaml"))
    assert looked.ok, looked.items
    assert "1200 readings" in looked.items[-1].finding
    (one,) = hil.tune(experiment).metrics["tuning"]
    assert len(one["curve"]) > 1


def test_a_look_says_what_cannot_be_paid(tmp_path: Path) -> None:
    experiment = in_process(tmp_path / "lab", "noisy-network", readings=20)
    looked = hil.check(experiment.with_name("device.yaml"))
    assert not looked.ok
    assert looked.exit_code == USAGE
    assert "raise the budget" in looked.items[-1].finding


def test_a_loss_that_is_not_finite_is_named_at_the_first_reading(tmp_path: Path) -> None:
    experiment = in_process(tmp_path / "lab", "noisy-network")
    rewrite(experiment.with_name("device.yaml"), {"level: 0.3": "level: 1.0e+308"})
    with pytest.raises(NotFinite, match="not finite") as found:
        hil.tune(experiment)
    assert exit_code(found.value) == INSTRUMENT


def mesh_lab(folder: Path, changes: dict[str, str]) -> tuple[Path, MeshBench]:
    """The mesh's example, its tuning by a calibration."""
    experiment = chosen("mesh-tuning", folder, {**MESH, "deploy: designed": "deploy: corrected", **changes})
    rewrite(experiment, {"model: ideal": "model: fitted"})
    return experiment, load_chip_bench(folder / "bench.yaml", MeshBench)


def publish(experiment: Path, record: MeshCalibration) -> None:
    """Keep a record as the newest calibration of the chip."""
    Records(experiment.parent / "runs", "chip").publish(replace(record, date="2026-01-01"), "run")


def on_paper(experiment: Path) -> Any:
    from hil.tuning.check import tuning_items

    bench = load_chip_bench(experiment.with_name("bench.yaml"), MeshBench)
    return list(tuning_items(experiment, bench))[-1]


def test_the_twin_of_the_newest_calibration_is_the_model(tmp_path: Path) -> None:
    experiment, bench = mesh_lab(tmp_path / "lab", {})
    refused = on_paper(experiment)
    assert not refused.ok
    assert "was never calibrated; run hil calibrate" in refused.finding
    publish(experiment, blank_record({"kind": "mesh", "name": "chip"}, bench.chip))
    assert on_paper(experiment).ok


def test_the_twin_of_another_mesh_is_refused(tmp_path: Path) -> None:
    experiment, bench = mesh_lab(tmp_path / "lab", {})
    smaller = bench.chip.model_copy(update={"layout": LayoutSection(kind="rectangular", ports=4)})
    publish(experiment, MeshCalibration.blank({"kind": "mesh", "name": "chip"}, design(smaller)))
    refused = on_paper(experiment)
    assert not refused.ok
    assert "the record's twin has 4 ports" in refused.finding
    with pytest.raises(ShapeError, match="the record's twin has 4 ports") as found:
        hil.tune(experiment)
    assert exit_code(found.value) == USAGE


def test_a_start_that_heaters_cannot_have_together_is_named(tmp_path: Path) -> None:
    experiment = chosen("mesh-tuning", tmp_path / "lab", MESH)
    rewrite(experiment.with_name("bench.yaml"), {"total_power: 3 W": "total_power: 1.2 W"})
    refused = on_paper(experiment)
    assert not refused.ok
    assert "raise heaters.total_power" in refused.finding


def test_limits_on_several_electrodes_hold_for_all_that_may_be_asked(tmp_path: Path) -> None:
    from hil.config.bench import load_rack
    from hil.tuning.check import tuning_items

    experiment = chosen("dnpu-tuning", tmp_path / "lab", {})
    narrow = chosen("dnpu-tuning", tmp_path / "narrow", {"within: 1.0": "within: 0.25"})
    rack = load_rack(experiment.with_name("bench.yaml"))

    def found(limits: dict[str, Any], path: Path) -> Any:
        chip = rack.chip.model_copy(update={"limits": LimitsSection.model_validate(limits)})  # type: ignore[union-attr]
        (item,) = tuning_items(path, rack.model_copy(update={"chip": chip}))
        return item

    # from -1.2 V to 0.6 V, started from -0.3 V or -0.2 V: a quarter is 0.225 V about -0.3 V; inputs -0.6 V to 0.2 V
    for limits, told in (
        ({"spread": "1.5 V"}, "could come to 1.8 V"),
        ({"differences": [{"between": ["e3", "e5"], "limit": "1 V"}]}, "e3 and e5 could come to 1.4 V"),
        ({"power": {"conductance": "10 nS", "limit": "50 nW"}}, "could come to 6.02e-08 W"),
    ):
        refused = found(limits, experiment)
        assert not refused.ok
        assert told in refused.finding
        assert "narrow tuning.within" in refused.finding
        assert found(limits, narrow).ok


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"inputs: [e3, e4]": "inputs: [e3, e9]"}, "e9 is no electrode"),
        ({"model: none": "model: ideal"}, "has no ideal model"),
        ({"# known: runs/RUN": "known: runs/nothing"}, "has no fitted surrogate"),
        ({"start: {at: middle}": "start: {at: deployed}"}, "needs known"),
    ],
)
def test_what_a_dopant_network_cannot_be_asked(tmp_path: Path, changes: dict[str, str], told: str) -> None:
    from hil.config.bench import load_rack
    from hil.tuning.check import tuning_items

    experiment = chosen("dnpu-tuning", tmp_path / "lab", changes)
    (found,) = tuning_items(experiment, load_rack(experiment.with_name("bench.yaml")))
    assert not found.ok
    assert told in found.finding
