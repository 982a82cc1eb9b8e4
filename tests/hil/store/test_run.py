"""What a run folder holds, and what is said of one that is not as it should be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr

from hil.errors import (
    ConfigError,
    DamagedRun,
    DiskFull,
    HilError,
    NewerFormat,
    NotARun,
    RunBusy,
    RunConflict,
    RunError,
    RunExists,
)
from hil.store import ColumnSpec, RunStore
from hil.store.index import list_runs
from hil.store.lines import encode
from tests.hil.store.batches import COLUMNS, ROWS, make_batch


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A closed run of three batches, one step and a few lines."""
    with RunStore.create(
        tmp_path / "runs" / "a", name="a run", seed=5, files={"bench.yaml": "name: bench\n"}, chip="fake"
    ) as store:
        with store.step("sample"):
            table = store.table("sampling", COLUMNS, ROWS, sample_rate_Hz=1000.0)
            for k in range(3):
                table.append(k, make_batch(k), seed=k, meta={"device_s": 0.5 * k})
        store.event("note", text="first")
        store.metric("sample", rows_per_s=np.float64(1000.0), bad=float("nan"))
        store.write_json("metrics.json", {"rmse_nA": 0.7})
    return store.folder


def test_a_run_says_what_it_is(run: Path) -> None:
    store = RunStore.open(run)
    assert (store.name, store.seed, store.manifest["chip"]) == ("a run", 5, "fake")
    assert store.manifest["format"] == "hil-run/1"
    assert {"python", "numpy", "zarr", "torch", "qcodes"} <= set(store.manifest["versions"])
    assert (run / "bench.yaml").read_text() == "name: bench\n"
    assert store.status("sample") == "done"
    assert store.status("fit") == "pending"
    assert [event["kind"] for event in store.events()] == ["step", "step", "note"]
    assert [metric["bad"] for metric in store.metrics()] == [None]
    assert store.read_json("metrics.json") == {"rmse_nA": 0.7}
    assert store.verify() == {"sampling": 3}
    table = store.table("sampling")
    assert table.attributes == {"sample_rate_Hz": 1000.0}
    assert table.columns == COLUMNS
    assert [batch.meta["device_s"] for batch in table.iter_batches()] == [0.0, 0.5, 1.0]


def test_columns_and_batches_are_picked(run: Path) -> None:
    table = RunStore.open(run).table("sampling")
    picked = table.read(["time", "outputs"], slice(1, 3))
    assert list(picked) == ["time", "outputs"]
    assert np.array_equal(picked["outputs"], np.concatenate([make_batch(k)["outputs"] for k in (1, 2)]))
    assert picked["time"].dtype == np.float32
    backwards = table.read(["flags"], slice(None, None, -2))["flags"]
    assert np.array_equal(backwards, np.concatenate([make_batch(k)["flags"] for k in (2, 0)]))
    assert table.read(batches=slice(3, None))["inputs"].shape == (0, 3)
    assert np.array_equal(table.batch(1).arrays["inputs"], make_batch(1)["inputs"])
    with pytest.raises(RunConflict, match="no column 'voltage'; there are inputs, outputs, flags, time"):
        table.read(["voltage"])
    with pytest.raises(RunConflict, match="holds batches 0 to 2, not 3"):
        table.batch(3)


def test_a_user_reads_with_zarr_or_xarray_alone(run: Path) -> None:
    group = zarr.open_group(run / "data" / "sampling.zarr", mode="r")
    assert group["inputs"].attrs["units"] == "V"
    assert np.array_equal(group["outputs"][:ROWS], make_batch(0)["outputs"])
    assert group["outputs"].shape == (3 * ROWS, 1)
    # The three lines of the documentation of hil.store.table, which serve while the run is written, too.
    rows = json.loads((run / "data" / "sampling.commit.json").read_text())["rows"]
    inputs, outputs = group["inputs"][:rows], group["outputs"][:rows]
    assert np.array_equal(inputs, np.concatenate([make_batch(k)["inputs"] for k in range(3)]))
    assert outputs.shape == (1500, 1)
    labelled = xarray.open_zarr(run / "data" / "sampling.zarr", consolidated=False)
    assert labelled["inputs"].dims == ("row", "inputs_channel")


def test_rows_that_were_not_written_read_as_no_measurement(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run", name="r", seed=0) as store:
        table = store.table("sampling", COLUMNS, ROWS)
        table.append(0, make_batch(0))
        group = zarr.open_group(store.folder / "data" / "sampling.zarr", mode="r")
        assert np.isnan(group["outputs"][ROWS : 2 * ROWS]).all()
        assert (group["flags"][ROWS : 2 * ROWS] == 255).all()


def test_batches_equal_to_the_fill_value_are_stored_too(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run", name="r", seed=0) as store:
        table = store.table("t", {"x": ColumnSpec()}, 4)
        table.append(0, {"x": np.full(4, np.nan)})
    assert np.isnan(RunStore.open(store.folder).table("t").read()["x"]).all()


def test_arrays_grow_past_what_was_grown_ahead(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run", name="r", seed=0) as store:
        table = store.table("t", {"x": ColumnSpec()}, 2)
        for k in range(130):
            table.append(k, {"x": np.array([k, -k])})
        assert np.array_equal(table.read()["x"][::2], np.arange(130))
    with RunStore.open(store.folder, writable=True) as store:
        store.table("t").append(130, {"x": np.zeros(2)})
    assert RunStore.open(store.folder).table("t").rows == 262


@pytest.mark.parametrize(
    ("k", "change", "message"),
    [
        (0, {}, "holds 1 batches: the next is 1, not 0"),
        (2, {}, "holds 1 batches: the next is 1, not 2"),
        (1, {"inputs": np.zeros((ROWS, 2))}, r"takes \(500, 3\) values a batch, not \(500, 2\)"),
        (1, {"flags": np.zeros(ROWS)}, "holds uint8, not float64"),
        (1, {"extra": np.zeros(ROWS)}, "no column 'extra'"),
        (1, {"inputs": None}, "lacks column 'inputs'"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(tmp_path: Path, k: int, change: dict, message: str) -> None:
    with RunStore.create(tmp_path / "run", name="r", seed=0) as store:
        table = store.table("sampling", COLUMNS, ROWS)
        table.append(0, make_batch(0))
        arrays = {**make_batch(1), **change}
        with pytest.raises(RunConflict, match=message):
            table.append(k, {name: array for name, array in arrays.items() if array is not None})
        table.append(1, make_batch(1))
        assert store.verify() == {"sampling": 2}


def test_a_table_keeps_its_shape(run: Path) -> None:
    with RunStore.open(run, writable=True) as store:
        assert store.table("sampling", COLUMNS, ROWS).committed == 3
        with pytest.raises(RunConflict, match="500 rows a batch, not 100"):
            store.table("sampling", COLUMNS, 100)
        with pytest.raises(RunConflict, match="other columns"):
            store.table("sampling", {"x": ColumnSpec()}, ROWS)
        with pytest.raises(RunConflict, match="no table 'reference'; there are: sampling"):
            store.table("reference")
        with pytest.raises(RunConflict, match="cannot name a table"):
            store.table("../reference", COLUMNS, ROWS)


def test_reading_changes_nothing(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    store = RunStore.open(run)
    store.verify()
    for attempt in (
        lambda: store.event("x"),
        lambda: store.write_json("x.json", {}),
        lambda: store.table("sampling").append(3, make_batch(3)),
        lambda: store.describe(x=1),
    ):
        with pytest.raises(RunError, match="opened for reading"):
            attempt()
    store.close()
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_run_is_begun_only_where_there_is_nothing(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunExists, match="holds a run already"):
        RunStore.create(run, name="b", seed=1)
    other = tmp_path / "other"
    other.mkdir()
    RunStore.create(other, name="b", seed=1).close()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(RunExists, match="something else"):
        RunStore.create(tmp_path / "full", name="b", seed=1)
    with pytest.raises(ConfigError, match="cannot read"):
        RunStore.create(tmp_path / "new", name="b", seed=1, files={"bench.yaml": tmp_path / "absent.yaml"})
    with pytest.raises(ConfigError, match="'versions' of its own"):
        RunStore.create(tmp_path / "new", name="b", seed=1, versions=1)
    assert not (tmp_path / "new").exists()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run", name="r", seed=0) as store:
        with pytest.raises(RunBusy, match=f"process {os.getpid()}"):
            RunStore.open(store.folder, writable=True)
        assert RunStore.open(store.folder).name == "r"
        assert list_runs(tmp_path)[0].active
    RunStore.open(store.folder, writable=True).close()
    assert not list_runs(tmp_path)[0].active


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os, signal; from hil.store import RunStore;"
        f"s = RunStore.create({str(tmp_path / 'run')!r}, name='r', seed=0);"
        "c = s.step('sample'); c.__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert list_runs(tmp_path)[0].steps == {"sample": "interrupted"}
    with RunStore.open(tmp_path / "run", writable=True) as store:
        assert store.state["sample"].status == "interrupted"
        assert store.state["sample"].reason == "the process ended without a word"


def test_a_step_ends_as_it_ended(tmp_path: Path) -> None:
    class Refused(HilError):
        exit_status = 3

    with RunStore.create(tmp_path / "run", name="r", seed=0) as store:
        with pytest.raises(Refused), store.step("sample"):
            raise Refused(store.status("sample"))
        sample = store.state["sample"]
        assert (sample.status, sample.reason, sample.exit_status) == ("failed", "Refused: running", 3)
        with pytest.raises(KeyboardInterrupt), store.step("sample"):
            raise KeyboardInterrupt
        sample = store.state["sample"]
        assert (sample.status, sample.attempts, sample.exit_status) == ("interrupted", 2, 130)
        with store.step("sample") as step:
            step.interrupted("stopped after batch 7", 130)
        assert store.state["sample"].reason == "stopped after batch 7"
        with store.step("sample"):
            pass
        sample = store.state["sample"]
        assert (sample.status, sample.attempts, sample.reason, sample.exit_status) == ("done", 4, None, 0)


def test_the_manifest_learns_but_never_changes(run: Path) -> None:
    with RunStore.open(run, writable=True) as store:
        store.describe(instruments={"dac": "QDevil, QDAC-II, 123"})
        store.describe(instruments={"dac": "QDevil, QDAC-II, 123"}, seed=5)
        with pytest.raises(RunConflict, match="begin a new run"):
            store.describe(instruments={"dac": "QDevil, QDAC-II, 124"})
    assert RunStore.open(run).manifest["instruments"] == {"dac": "QDevil, QDAC-II, 123"}


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "manifest.json", "state.json", "data/x", "."])
def test_what_is_the_stores_own_is_not_written_over(run: Path, name: str) -> None:
    with RunStore.open(run, writable=True) as store, pytest.raises(ConfigError):
        store.write_bytes(name, b"")


def test_a_torn_last_line_is_passed_over_and_then_cut_off(run: Path) -> None:
    lines = run / "events.jsonl"
    whole = lines.read_bytes()
    lines.write_bytes(whole + b'{"t": "2026')
    assert len(list(RunStore.open(run).events())) == 3
    with RunStore.open(run, writable=True) as store:
        assert lines.read_bytes() == whole
        store.event("after")
        assert [event["kind"] for event in store.events()][-1] == "after"
    lines.write_bytes(b'{"t"\n' + whole)
    with pytest.raises(DamagedRun, match=r"events\.jsonl, line 1: not a JSON object"):
        list(RunStore.open(run).events())


def _cut(path: Path, size: int) -> None:
    os.truncate(path, size)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: _cut(run / "manifest.json", 40), r"manifest\.json is cut short or altered at 40 bytes"),
        (lambda run: _cut(run / "state.json", 40), r"state\.json is cut short"),
        (
            lambda run: (run / "bench.yaml").write_text("name: other\n"),
            r"bench\.yaml is not what the run was",
        ),
        (lambda run: (run / "bench.yaml").unlink(), r"bench\.yaml is missing"),
        (lambda run: _cut(run / "data/sampling.commit.json", 9), r"sampling\.commit\.json is cut short"),
        (
            lambda run: _cut(run / "data/sampling.batches.jsonl", 9),
            r"sampling\.batches\.jsonl is cut short: 9 of \d+ bytes",
        ),
        (
            lambda run: _cut(run / "data/sampling.zarr/outputs/c.1.0", 80),
            "batch 1 of 3, column 'outputs', is cut",
        ),
        (
            lambda run: (run / "data/sampling.zarr/flags/c.2").unlink(),
            "batch 2 of 3, column 'flags', is missing",
        ),
        (lambda run: (run / "data/sampling.zarr/zarr.json").unlink(), r"zarr\.json is missing"),
    ],
)
def test_a_run_cut_short_is_named(run: Path, damage, message: str) -> None:
    damage(run)
    for writable in (False, True):
        with pytest.raises(DamagedRun, match=message):
            RunStore.open(run, writable=writable)
    (summary,) = list_runs(run.parent)
    assert summary.problem is not None


def test_an_altered_batch_is_found_when_it_is_read(run: Path) -> None:
    _flip(run / "data/sampling.zarr/inputs/c.1.0")
    store = RunStore.open(run)
    assert store.table("sampling").read(batches=slice(0, 1))["inputs"].shape == (ROWS, 3)
    with pytest.raises(DamagedRun, match=r"batch 1: column 'inputs' is not what was written"):
        store.table("sampling").read()
    with pytest.raises(DamagedRun, match="batch 1"):
        store.verify()


def test_foreign_and_newer_folders_are_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(NotARun, match="is not a folder"):
        RunStore.open(tmp_path / "absent")
    with pytest.raises(NotARun, match=r"holds no manifest\.json"):
        RunStore.open(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "format": "hil-run/12"}))
    with pytest.raises(NewerFormat, match="hil-run/12; this hil reads hil-run/1: use a newer hil"):
        RunStore.open(run)
    (run / "manifest.json").write_text(json.dumps({"format": "chrome-extension/3"}))
    with pytest.raises(NotARun, match="of another program"):
        RunStore.open(run, writable=True)
    (run / "manifest.json").write_text(json.dumps({**manifest, "format": "hil-run/one"}))
    with pytest.raises(DamagedRun, match="format 'hil-run/one'"):
        RunStore.open(run)


def test_a_newer_table_is_named(run: Path) -> None:
    marker = run / "data" / "sampling.commit.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "format": "hil-table/2"}))
    with pytest.raises(NewerFormat, match="hil-table/2"):
        RunStore.open(run)


def test_the_index_lists_everything(run: Path) -> None:
    folder = run.parent
    (folder / "photos").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "note.txt").write_text("")
    RunStore.create(folder / "b", name="second", seed=1).close()
    _cut(folder / "b" / "manifest.json", 3)
    first, *others = list_runs(folder)
    assert (first.name, first.steps, first.batches, first.figures) == (
        "a run",
        {"sample": "done"},
        {"sampling": 3},
        {"rmse_nA": 0.7},
    )
    assert first.size_bytes > 3 * ROWS * 37
    assert first.problem is None
    problems = {summary.folder.name: summary.problem for summary in others}
    assert problems.keys() == {"b", "photos"}
    assert "cut short" in problems["b"]
    assert "not a run" in problems["photos"]
    with pytest.raises(ConfigError, match="is not a folder"):
        list_runs(folder / "absent")


def test_a_reader_follows_its_writer(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run", name="r", seed=0) as store:
        table = store.table("sampling", COLUMNS, ROWS)
        reader = RunStore.open(store.folder).table("sampling")
        assert reader.committed == 0
        table.append(0, make_batch(0))
        reader.refresh()
        assert reader.committed == 1
        assert np.array_equal(reader.read()["time"], make_batch(0)["time"])


def test_no_room_is_one_error_that_says_what_to_do(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunStore.open(run, writable=True) as store:
        before = (run / "events.jsonl").read_bytes()

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(DiskFull, match=r"MB free; No space left on device.*resume the run") as caught:
                store.event("x")
            assert isinstance(caught.value, OSError)
            assert caught.value.errno == 28
            with pytest.raises(DiskFull):
                store.table("sampling").append(3, make_batch(3))
            with pytest.raises(DiskFull):
                store.write_json("metrics.json", {})
        assert (run / "events.jsonl").read_bytes() == before
        assert store.read_json("metrics.json") == {"rmse_nA": 0.7}
        store.table("sampling").append(3, make_batch(3))
        assert store.verify() == {"sampling": 4}


def test_json_is_strict() -> None:
    assert encode({"a": np.arange(2), "b": b"\x00", "c": Path("x"), "d": np.bool_(True), "e": np.inf}) == (
        '{"a": [0, 1], "b": {"base64": "AA=="}, "c": "x", "d": true, "e": null}'
    )
    with pytest.raises(TypeError, match="complex 1j cannot be written"):
        encode({"a": 1j})
