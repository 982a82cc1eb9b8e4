"""A whole session on the emulated bench: stock drivers, hidden truth, real files."""

import json
from pathlib import Path

import numpy as np
import pytest

import hil
from hil.devices import ReplayedDevice
from hil.errors import ConfigError, NotARun, StepError
from hil.outcome import Outcome
from hil.store import RunStore
from tests.hil.lab import make_lab


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return hil.calibrate(make_lab(tmp_path_factory.mktemp("lab") / "lab"))


def test_every_step_is_done_and_told(done: Outcome) -> None:
    assert dict(done.steps) == dict.fromkeys(("sample", "fit", "search", "verify", "report"), "done")
    assert done.report is not None
    assert "<html" in done.report.read_text()
    stored = json.loads((done.run / "metrics.json").read_text())
    assert {"amplifier", "sampling", "repeatability", "surrogate", "solutions", "tasks", "report"} <= set(
        stored
    )
    assert done.exit_code == (5 if done.missed else 0)


def test_the_amplifier_is_recovered_within_its_stated_uncertainty(done: Outcome) -> None:
    """The bench hides 10.13 MV/A and -57 mV behind a resistor that is 0.03 % off its stated value."""
    found = done.metrics["amplifier"]
    assert abs(found["gain_V_per_A"] - 10.13e6) < 3 * found["gain_std"]
    assert found["gain_std"] < 0.005 * 10.13e6
    assert abs(found["offset_V"] + 57e-3) < max(5 * found["offset_std"], 50e-6)


def test_the_manifest_names_who_was_there_and_the_events_every_byte(done: Outcome) -> None:
    with RunStore.open(done.run) as store:
        assert "QDAC-II" in store.manifest["instruments"]["source"]
        assert "34465A" in store.manifest["instruments"]["digitizer"]
        writes = [event for event in store.events() if event["kind"] == "write"]
        assert store.verify() == {"sampling": 10}
    assert {event["instrument"] for event in writes} == {"dac", "meter"}
    lists = [event for event in writes if "block" in event and ":list:volt" in event["head"]]
    sent = (done.run / "events.bin").read_bytes()
    offset, length = lists[0]["block"]
    assert sent[offset : offset + length].startswith(lists[0]["head"].encode())
    assert b"#" in sent[offset : offset + 60]


def test_a_run_is_listed_with_its_figures(done: Outcome) -> None:
    (listed,) = hil.runs(done.run.parent)
    assert listed.problem is None
    assert listed.figures["surrogate"]["rmse_A"] == done.metrics["surrogate"]["rmse_A"]


def test_the_samples_replay_as_a_device(done: Outcome) -> None:
    with RunStore.open(done.run) as store:
        recorded = store.table("sampling").batch(1).arrays
    device = ReplayedDevice.of_run(done.run)
    answer = device.run(recorded["inputs"][None])
    np.testing.assert_array_equal(answer.outputs[0], recorded["outputs"])
    assert answer.taps["distance"].max() == 0


def test_steps_want_their_forerunners(tmp_path: Path) -> None:
    outcome = hil.sample(make_lab(tmp_path / "lab"))
    with pytest.raises(StepError, match="search needs fit, which is pending; run: hil fit"):
        hil.search(outcome.run)
    with pytest.raises(NotARun, match="hil runs"):
        hil.fit(tmp_path / "nowhere")
    hil.fit(outcome.run)
    assert hil.report(outcome.run).report is not None


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    runs = [hil.sample(make_lab(tmp_path / name)).run for name in ("one", "two")]
    tables = []
    for run in runs:
        with RunStore.open(run) as store:
            tables.append(store.table("sampling").read())
    for name in ("inputs", "outputs", "flags"):
        np.testing.assert_array_equal(tables[0][name], tables[1][name])


def test_init_does_not_write_over_anything(tmp_path: Path) -> None:
    hil.init("dnpu", tmp_path)
    with pytest.raises(ConfigError, match="exists and would be lost"):
        hil.init("dnpu", tmp_path)
    with pytest.raises(ConfigError, match="no kind of chip 'soen'"):
        hil.init("soen", tmp_path / "other")
