"""A run's tables in the formats of other programs: HDF5, netCDF (as xarray reads it) and numpy's npz.

Every format carries the units, the channel names, the batch seeds and the run's manifest. The file is
written beside its place and renamed, so it is there whole or not at all.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hil.errors import ConfigError, RunConflict
from hil.store.files import PARTIAL, room_for
from hil.store.lines import encode

if TYPE_CHECKING:
    import xarray

    from hil.store import BatchTable, RunStore


def export(run: "RunStore | Path | str", path: Path | str, *, overwrite: bool = False) -> Path:
    """Write every table of `run` to `path`; the suffix (.h5, .hdf5, .nc, .npz) says in which format.

    Returns the path. Raises ConfigError for another suffix or a file that is there already, RunConflict for
    a run without data, DamagedRun for one that is not what was written, DiskFull.
    """
    from hil.store import RunStore

    path = Path(path)
    if path.suffix not in _WRITERS:
        raise ConfigError(f"cannot export to {path.name!r}: the suffix must be one of {', '.join(_WRITERS)}")
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} is there already: remove it, choose another name, or ask to overwrite it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent} is not a folder; make it, or choose another place")
    store = run if isinstance(run, RunStore) else RunStore.open(run)
    tables = {name: store.table(name) for name in store.tables}
    if not tables:
        raise RunConflict(f"{store.folder} holds no data to export")
    partial = path.with_name(path.name + PARTIAL)
    try:
        with room_for(path):
            _WRITERS[path.suffix](partial, tables, encode(store.manifest))
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def dataset(table: "BatchTable") -> "xarray.Dataset":
    """A table as labelled arrays: dimensions `row` and `<column>_channel`, the units as attributes."""
    import xarray

    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    for name, values in table.read().items():
        spec = table.columns[name]
        dimensions = ("row",) if spec.width is None else ("row", f"{name}_channel")
        variables[name] = (dimensions, values, {"units": spec.unit})
        if spec.width is not None and spec.channels:
            coordinates[f"{name}_channel"] = np.array(spec.channels, dtype=np.str_)
    coordinates["batch"] = ("row", np.repeat(np.arange(table.committed), table.rows_per_batch))
    return xarray.Dataset(variables, coordinates, attrs=_notes(table))


def _notes(table: "BatchTable") -> dict[str, Any]:
    return {
        "table": table.name,
        "rows_per_batch": table.rows_per_batch,
        "batch_seeds": encode(list(table.seeds)),
        "attributes": encode(table.attributes),
    }


def _write_hdf5(path: Path, tables: Mapping[str, "BatchTable"], manifest: str) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["manifest"] = manifest
        for name, table in tables.items():
            group = file.create_group(name)
            group.attrs.update(_notes(table))
            for column, values in table.read().items():
                stored = group.create_dataset(column, data=values)
                stored.attrs["units"] = table.columns[column].unit
                stored.attrs["channels"] = list(table.columns[column].channels)


def _write_netcdf(path: Path, tables: Mapping[str, "BatchTable"], manifest: str) -> None:
    import xarray

    if len(tables) == 1:  # the usual run: its one table is what `xarray.open_dataset` finds
        (table,) = tables.values()
        dataset(table).assign_attrs(manifest=manifest).to_netcdf(path, mode="w", engine="h5netcdf")
        return
    xarray.Dataset(attrs={"manifest": manifest}).to_netcdf(path, mode="w", engine="h5netcdf")
    for name, table in tables.items():
        dataset(table).to_netcdf(path, mode="a", group=name, engine="h5netcdf")


def _write_npz(path: Path, tables: Mapping[str, "BatchTable"], manifest: str) -> None:
    arrays: dict[str, Any] = {"manifest": np.array(manifest)}
    for name, table in tables.items():
        units = {column: [spec.unit, list(spec.channels)] for column, spec in table.columns.items()}
        arrays[f"{name}.notes"] = np.array(encode({**_notes(table), "units_and_channels": units}))
        arrays |= {f"{name}.{column}": values for column, values in table.read().items()}
    with open(path, "wb") as file:
        np.savez(file, **arrays)


_WRITERS: dict[str, Callable[[Path, Mapping[str, "BatchTable"], str], None]] = {
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".nc": _write_netcdf,
    ".npz": _write_npz,
}
