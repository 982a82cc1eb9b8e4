"""hil keep: a watch over a tuned chip, its record, its page, and how it goes on after an interruption."""

import json
from pathlib import Path

import pytest

import hil
from hil.errors import ConfigError, StepError
from hil.progress import Silent

DEVICE = """
format: hil-device/1
chip:
  type: mesh-network
  name: chip
  ports: 4
  meshes: 2
  readout: 2
  emulator: {seed: 7, splitter: 0.08 rad, phase: 0.25 rad, noise_relative: 0.01}
"""
EXPERIMENT = """
format: hil-tune/1
name: held
bench: device.yaml
seed: 1
task: {kind: classes, clusters: {classes: 2, samples: 200, spread: 0.3, seed: 3}, amplitude: 3}
model: ideal
start: {train: {steps: 40, rate: 0.05}}
methods: {spsa: {batch: 16}}
tuning: {readings: 600, checks: 2}
keep:
  every: 1 h
  for: 4 h
  tolerance: TOLERANCE
  readout: true
  ladder: [{method: spsa, readings: 400, checks: 1}]
"""


class Impatient(Silent):
    """Somebody who presses Ctrl-C twice after so many looks."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def advance(self, note: str = "", by: int = 1) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def laid_out(folder: Path, text: str = EXPERIMENT) -> Path:
    (folder / "device.yaml").write_text(DEVICE)
    (folder / "tune.yaml").write_text(text.replace("TOLERANCE", "0.05"))
    return folder / "tune.yaml"


def test_a_watch_is_recorded_and_has_its_page(tmp_path: Path) -> None:
    experiment = laid_out(tmp_path)
    tuned = hil.tune(experiment)
    outcome = hil.keep(experiment)
    assert outcome.steps == {"keep": "done", "report": "done"}
    watch = outcome.metrics["keeping"]
    assert [look["verdict"] for look in watch["looks"]] == ["start", *["within"] * 4]
    assert [round(look["time_s"] / 3600.0) for look in watch["looks"]] == [0, 1, 2, 3, 4]
    assert outcome.metrics["report"]["watch"]["looks"] == 5
    assert outcome.report is not None
    assert "The hours of the chip" in outcome.report.read_text()
    # it began with what was tuned
    best = json.loads(next((tuned.run / "best").glob("spsa-*.json")).read_text())
    held = json.loads((outcome.run / "best" / "keep.json").read_text())
    assert held["controls"] == pytest.approx(best["controls"])
    assert hil.report(tuned.run).report is not None
    with pytest.raises(StepError, match="hil tune"):
        hil.keep(tuned.run)
    with pytest.raises(StepError, match="hil keep"):
        hil.tune(outcome.run)


def test_a_watch_that_was_interrupted_goes_on_after_its_last_look(tmp_path: Path) -> None:
    experiment = laid_out(tmp_path)
    with pytest.raises(KeyboardInterrupt) as stopped:
        hil.keep(experiment, progress=Impatient(3))
    run = next((tmp_path / "runs").iterdir())
    assert f"hil keep {run}" in stopped.value.__notes__[0]
    before = json.loads((run / "metrics.json").read_text())["keeping"]["looks"]
    outcome = hil.keep(run)
    looks = outcome.metrics["keeping"]["looks"]
    assert len(before) < len(looks) == 5
    assert looks[: len(before)] == before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("keep:", "# keep:", "keep"),
        ("every: 1 h", "every: 5 h", "every"),
        ("every: 1 h", "every: 1", "unit"),
        ("method: spsa, readings", "method: spas, readings", "did you mean spsa"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_run_is_begun(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    text = EXPERIMENT.replace(old, new)
    if new.startswith("#"):
        text = EXPERIMENT[: EXPERIMENT.index("keep:")]
    with pytest.raises(ConfigError, match=told):
        hil.keep(laid_out(tmp_path, text))
    assert not (tmp_path / "runs").exists()
