"""What went wrong once in the hands of a user, and must not again."""

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import hil
from hil.errors import ConfigError, DamagedRun, DiskFull
from hil.interrupts import Interrupts, Stopped
from hil.store import RunStore
from hil.store.table import BatchTable
from simulators.models.network import NetworkChip
from simulators.visa import HilVisaLibrary
from tests.hil.lab import make_lab, rewrite, run_here


def standing(bench_path: Path) -> list[float]:
    """Where every electrode of the emulated bench that this process drove stands now."""
    bench = HilVisaLibrary(str(bench_path.resolve()))._bench
    dac = bench.instruments["dac"]
    assert dac.record(1).largest_V > 0.1, "this is not the bench that was driven"
    return [float(dac.channel(n).at(bench.clock.now)) for n in range(1, 9)]


def test_a_disk_that_stays_full_does_not_keep_the_chip_from_its_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = make_lab(tmp_path / "lab")
    event = RunStore.event

    def full(self: RunStore, kind: str, **fields: object) -> None:
        if "sampling" in self.tables and self.table("sampling").committed >= 2:  # from then on, for good
            raise DiskFull("no room for events")
        event(self, kind, **fields)

    monkeypatch.setattr(RunStore, "event", full)
    with pytest.raises(DiskFull):
        hil.sample(experiment)
    (folder,) = (experiment.parent / "runs").iterdir()
    with RunStore.open(folder) as store:
        assert store.table("sampling").committed > 0, "the disk was full too early to show anything"
    assert np.abs(standing(folder / "bench.yaml")).max() < 1e-3


def test_time_runs_on_through_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = make_lab(tmp_path / "lab")
    append = BatchTable.append

    def failing(self: BatchTable, k: int, *args: object, **kwargs: object) -> None:
        if k == 4:
            raise DiskFull("no room for the batch")
        append(self, k, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(BatchTable, "append", failing)
        with pytest.raises(DiskFull):
            hil.sample(experiment)
    (folder,) = (experiment.parent / "runs").iterdir()
    outcome = hil.sample(folder)
    times = np.array(outcome.metrics["repeatability"]["drift"]["times_s"])
    assert (np.diff(times) > 0).all()
    assert outcome.metrics["sampling"]["chip_time_s"] > 10 * 0.2


def test_a_signal_on_the_way_to_the_safe_state_is_obeyed_after_it() -> None:
    from drivers.guard import guarded

    reached = []

    class Chip:
        def safe_state(self) -> None:
            with interrupts.hold():
                signal.raise_signal(signal.SIGTERM)
                reached.append("rest")

    with pytest.raises(Stopped) as stop, Interrupts() as interrupts, guarded(Chip()):
        raise OSError("the meter is gone")
    assert reached == ["rest"]
    assert stop.value.exit_status == 143
    assert any("at rest" in note for note in stop.value.__notes__)


def test_a_run_without_its_figures_is_damaged_and_not_a_success(tmp_path: Path) -> None:
    outcome = hil.sample(make_lab(tmp_path / "lab"))
    (outcome.run / "metrics.json").unlink()
    with pytest.raises(DamagedRun, match=r"metrics\.json is missing"):
        hil.report(outcome.run)


def test_a_run_keeps_the_bench_it_began_with(tmp_path: Path) -> None:
    chip = random_chip(tmp_path / "chip")
    hil.init("dnpu", tmp_path / "lab", chip)
    experiment = make_lab_from(tmp_path / "lab")
    outcome = hil.sample(experiment)
    with (experiment.parent / "bench.yaml").open("a") as bench:
        bench.write("# a comment\n")
    hil.fit(outcome.run)
    hil.search(outcome.run)
    assert hil.verify(outcome.run).steps["verify"] == "done"
    shutil.rmtree(chip)
    assert hil.report(outcome.run).report is not None


def random_chip(folder: Path) -> Path:
    """A stored network of seven electrodes with random weights."""
    torch.manual_seed(1)
    layers = [(torch.randn(8, 7), torch.randn(8)), (torch.randn(1, 8), torch.zeros(1))]
    low, high = [-1.0] * 7, [0.5] * 7
    NetworkChip(layers, "tanh", [f"e{k}" for k in range(1, 8)], low, high, output_scale_A=1e-8).save(folder)
    return folder


def make_lab_from(folder: Path) -> Path:
    from tests.hil.lab import QUICK

    rewrite(folder / "experiment.yaml", QUICK)
    return folder / "experiment.yaml"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"plateau: 20 ms": "plateau: 0.3 ms"}, "verify"),
        ({"batch_time: 200 ms": "batch_time: 0.1 ms"}, "sampling"),
        ({"batches: 6": "batches: 2"}, "sampling"),
        ({"waveform: triangle ": "waveform: sobol\n  plateau: 2 s "}, "plateau"),
        ({"inputs: [e3, e4]": "inputs: [e3, e3]"}, "twice"),
        ({"seed: 1 ": "seed: 99999999999999999999 "}, "seed"),
        (
            {"# truth_tables: [{name: implies, table: {": 'truth_tables: [{name: implies, table: {"1": 0, '},
            "search",
        ),
    ],
)
def test_an_impossible_plan_is_found_on_paper(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    experiment = make_lab(tmp_path / "lab", **changes)
    with pytest.raises(ConfigError, match=said):
        hil.check(experiment.with_name("bench.yaml"))
    with pytest.raises(ConfigError, match=said):
        hil.calibrate(experiment)
    assert not (experiment.parent / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channel: 2,": "channel: 30,"}, "channel 30"),
        ({"trigger: {output: 4}": "trigger: {output: 9}"}, "trigger output 9"),
        ({'visa: "@hil"': 'visa: "@nope"'}, "pyvisa_nope"),
        (
            {"type: qcodes.instrument_drivers.Keysight.Keysight34465A": "type: os.system"},
            "no QCoDeS instrument",
        ),
    ],
)
def test_a_bench_that_is_not_there_is_a_matter_of_configuration(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    experiment = make_lab(tmp_path / "lab")
    rewrite(experiment.with_name("bench.yaml"), changes)
    done = run_here("sample", experiment, "--json")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["exit_code"] == 2
