"""Whole sessions on the bench of NI-DAQmx cards."""

import signal
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nidaqmx", reason="the optional package nidaqmx is not installed")

import hil
from hil.config.bench import load_rack, station_configuration
from hil.store import RunStore
from simulators.visa.library import powered
from tests.hil.lab import QUICK, rewrite
from tests.hil.test_interrupted_sessions import committed, start_and_wait
from tests.hil.test_lessons import random_chip

CHANNELS = range(8)


def make_card_lab(folder: Path, **changes: str) -> Path:
    hil.init("dnpu-cards", folder, random_chip(folder.parent / "chip"))
    rewrite(folder / "experiment.yaml", {**QUICK, **changes})
    return folder / "experiment.yaml"


def last_sent_V(folder: Path) -> dict[int, float]:
    """What every output was last told, by the run's own events and the samples beside them."""
    blocks, last = (folder / "events.bin").read_bytes(), {}
    with RunStore.open(folder) as store:
        for event in store.events():
            if event["kind"] == "write" and " follow " in event.get("head", ""):
                where, length = event["block"]
                header, _, samples = blocks[where : where + length].partition(b"#")
                channels = [int(k) for k in header.split()[0].decode().removeprefix("ao").split(",")]
                volts = np.frombuffer(samples).reshape(len(channels), -1)
                last |= dict(zip(channels, volts[:, -1].tolist(), strict=True))
    return last


def test_a_whole_session_on_the_cards(tmp_path: Path) -> None:
    experiment = make_card_lab(tmp_path / "lab")
    outcome = hil.calibrate(experiment)
    assert set(outcome.steps.values()) == {"done"}
    found = outcome.metrics["amplifier"]
    # this chip carries 10 nA at rest, whose noise is the calibration's: it must know its own uncertainty
    assert abs(found["gain_V_per_A"] - 10.13e6) < 3 * found["gain_std"]
    assert found["gain_std"] < 0.002 * 10.13e6
    with RunStore.open(outcome.run) as store:
        assert "cDAQ-9189" in store.manifest["instruments"]["source"]
        samples = store.table("sampling").read()
    assert not samples["flags"].any()
    assert last_sent_V(outcome.run) == dict.fromkeys(CHANNELS, 0.0)
    bench = powered(str((outcome.run / "bench.yaml").resolve()))
    outputs = bench.instruments["cards"].outputs
    assert [outputs[k].at(bench.clock.now) for k in CHANNELS] == pytest.approx([0.0] * 8, abs=5e-3)
    for k in range(7):
        record = outputs[k].record
        assert -1.0 <= record.lowest_V < record.highest_V <= 0.5
        assert record.largest_step_V <= 60.0 * 40e-6 + 5e-3


def test_a_signal_ends_with_all_outputs_at_rest(tmp_path: Path) -> None:
    experiment = make_card_lab(tmp_path / "lab", **{"batches: 6": "batches: 400"})
    process = start_and_wait(experiment, 2)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 143, said
    (folder,) = (experiment.parent / "runs").iterdir()
    assert last_sent_V(folder) == dict.fromkeys(CHANNELS, 0.0)
    assert f"hil calibrate {folder}" in " ".join(said.split())


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    experiment = make_card_lab(tmp_path / "lab")
    process = start_and_wait(experiment, 2)
    process.kill()
    process.communicate()
    (folder,) = (experiment.parent / "runs").iterdir()
    before = committed(folder.parent)
    outcome = hil.sample(folder)
    assert outcome.steps["sample"] == "done"
    assert committed(folder.parent) > before


def test_the_check_drives_nothing_and_finds_the_cards(tmp_path: Path) -> None:
    make_card_lab(tmp_path / "lab")
    path = tmp_path / "lab" / "bench.yaml"
    result = hil.check(path)
    assert result.exit_code == 0, result.items
    findings = {item.what: item.finding for item in result.items}
    assert "NI 9264" in findings["identity of cards"]
    assert findings["outputs"] == "all electrodes at rest"
    assert findings["self-test of cards"] == "passed"
    outputs = powered(str(path.resolve())).instruments["cards"].outputs
    assert all(output.record.largest_step_V == 0.0 for output in outputs)


def test_the_cards_get_no_visa_library(tmp_path: Path) -> None:
    make_card_lab(tmp_path / "lab")
    path = tmp_path / "lab" / "bench.yaml"
    assert "visalib" not in station_configuration(load_rack(path), path)


def test_a_bench_whose_driver_needs_a_trigger_cable_must_name_it(tmp_path: Path) -> None:
    hil.init("dnpu", tmp_path / "lab")
    path = tmp_path / "lab" / "bench.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "trigger: {" not in line))
    result = hil.check(path)
    assert result.exit_code == 2
    assert any("chip.trigger is missing" in item.finding for item in result.items)
