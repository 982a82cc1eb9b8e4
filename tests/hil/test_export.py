"""What is exported is what was stored, with its units and names, in every format."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

from hil.api.export import export
from hil.errors import ConfigError, RunConflict
from hil.store import RunStore
from tests.hil.store.batches import COLUMNS, ROWS, make_batch


@pytest.fixture
def run(tmp_path: Path) -> RunStore:
    with RunStore.create(tmp_path / "run", name="r", seed=7) as store:
        for name, batches in (("sampling", 3), ("reference", 1)):
            table = store.table(name, COLUMNS, ROWS, sample_rate_Hz=1000.0)
            for k in range(batches):
                table.append(k, make_batch(k), seed=k)
    return RunStore.open(store.folder)


def expected(column: str) -> np.ndarray:
    return np.concatenate([make_batch(k)[column] for k in range(3)])


def test_hdf5(run: RunStore, tmp_path: Path) -> None:
    with h5py.File(export(run, tmp_path / "run.h5"), "r") as file:
        assert json.loads(file.attrs["manifest"])["seed"] == 7
        assert set(file) == {"sampling", "reference"}
        group = file["sampling"]
        assert json.loads(group.attrs["batch_seeds"]) == [0, 1, 2]
        assert json.loads(group.attrs["attributes"]) == {"sample_rate_Hz": 1000.0}
        assert list(group["inputs"].attrs["channels"]) == ["e1", "e2", "e3"]
        assert group["outputs"].attrs["units"] == "A"
        for column in COLUMNS:
            assert group[column].dtype == expected(column).dtype
            assert np.array_equal(group[column][:], expected(column))


def test_netcdf(run: RunStore, tmp_path: Path) -> None:
    path = export(run.folder, tmp_path / "run.nc")
    assert json.loads(xarray.load_dataset(path, engine="h5netcdf").attrs["manifest"])["name"] == "r"
    data = xarray.load_dataset(path, group="sampling", engine="h5netcdf")
    assert data["inputs"].sel(inputs_channel="e2").attrs["units"] == "V"
    assert np.array_equal(data["inputs"].sel(inputs_channel="e2"), expected("inputs")[:, 1])
    assert data.attrs["rows_per_batch"] == ROWS
    assert np.array_equal(np.unique(data["batch"]), [0, 1, 2])
    for column in COLUMNS:
        assert np.array_equal(data[column], expected(column))
    assert xarray.load_dataset(path, group="reference", engine="h5netcdf").sizes["row"] == ROWS


def test_netcdf_of_a_run_with_one_table_needs_no_group(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run", name="r", seed=7) as store:
        store.table("sampling", COLUMNS, ROWS).append(0, make_batch(0))
    data = xarray.load_dataset(export(tmp_path / "run", tmp_path / "run.nc"), engine="h5netcdf")
    assert json.loads(data.attrs["manifest"])["name"] == "r"
    assert np.array_equal(data["outputs"], make_batch(0)["outputs"])


def test_npz(run: RunStore, tmp_path: Path) -> None:
    with np.load(export(run, tmp_path / "run.npz"), allow_pickle=False) as file:
        assert json.loads(str(file["manifest"]))["seed"] == 7
        notes = json.loads(str(file["sampling.notes"]))
        assert notes["units_and_channels"]["inputs"] == ["V", ["e1", "e2", "e3"]]
        for column in COLUMNS:
            assert np.array_equal(file[f"sampling.{column}"], expected(column))


def test_what_cannot_be_exported_leaves_nothing(run: RunStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'run\.csv': the suffix must be one of \.h5, \.hdf5, \.nc, \.npz"):
        export(run, tmp_path / "run.csv")
    (tmp_path / "there.h5").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        export(run, tmp_path / "there.h5")
    assert (tmp_path / "there.h5").read_text() == "mine"
    with h5py.File(export(run, tmp_path / "there.h5", overwrite=True), "r") as file:
        assert "sampling" in file
    RunStore.create(tmp_path / "empty", name="e", seed=0).close()
    with pytest.raises(RunConflict, match="holds no data"):
        export(tmp_path / "empty", tmp_path / "empty.npz")
    (run.folder / "data/sampling.zarr/inputs/c.0.0").write_bytes(bytes(ROWS * 3 * 8))
    with pytest.raises(ValueError, match="batch 0"):
        export(run, tmp_path / "damaged.nc")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "run", "there.h5"]
