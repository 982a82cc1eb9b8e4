"""Measured samples as brainspy-smg writes them, made into a run.

Two forms are read: IO.dat (text, one sample a line: the voltages, then the outputs in nA) and
postprocessed_data.npz (the same after the peer's clipping), both with or without the sampling configuration
that lies beside them, which is YAML whatever its name says.
"""

import hashlib
import io
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.device import Flag
from hil.errors import ImportRefused, RunExists
from hil.imports.data_summary import ADC_LIMIT_V, DataImport, summarise
from hil.imports.numpy_forms import as_json
from hil.imports.restricted_unpickler import load_pickle
from hil.imports.sampling_config import SamplingConfig, read_config
from hil.imports.yaml_numpy import load_yaml
from hil.store import ColumnSpec, RunStore
from hil.store.lines import plain

Floats = npt.NDArray[np.float64]
ROWS_WITHOUT_CONFIG = 10_000
_CONFIG_LIMIT = 10_000_000


def import_brainspy_data(files: Path | str | Sequence[Path | str], run_folder: Path | str) -> DataImport:
    """Read measured samples and write them as a run with the table `sampling`.

    Args:
        files: IO.dat or postprocessed_data.npz, and the sampling configuration if there is one, in any
            order; or the folder that they lie in.
        run_folder: the new run; absent or empty.

    The table's columns are inputs (V), outputs (A) and flags; rows that fill no whole batch are in the table
    `sampling_rest`. Raises ImportRefused, with nothing executed and nothing written, for files that are
    malformed, foreign, cut short or ask for more than plain values; RunExists, DiskFull.
    """
    run_folder = Path(run_folder)
    if run_folder.exists() and (not run_folder.is_dir() or any(run_folder.iterdir())):
        raise RunExists(f"{run_folder} holds something already: choose another folder")
    data, config = _sort(files)
    voltages, outputs_nA, config = _read(data, config)
    partial = run_folder.with_name(f".{run_folder.name}.{os.getpid()}.importing")
    try:
        summary = _write(partial, run_folder, data, voltages, outputs_nA, config)
        if run_folder.exists():
            run_folder.rmdir()
        os.replace(partial, run_folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return summary


def _sort(files: Path | str | Sequence[Path | str]) -> tuple[Path, SamplingConfig | None]:
    """The file with the samples, and the configuration if there is one."""
    paths = [Path(files)] if isinstance(files, Path | str) else [Path(file) for file in files]
    if len(paths) == 1 and paths[0].is_dir():
        folder = paths[0]
        known = ("IO.dat", "postprocessed_data.npz")
        samples = [folder / name for name in known if (folder / name).exists()][:1]
        configs = sorted(folder.glob("sampl*_configs.*"))[:1]
        if not samples:
            raise ImportRefused(f"{folder} holds neither IO.dat nor postprocessed_data.npz")
        paths = samples + configs
    data = [path for path in paths if path.suffix in (".dat", ".txt", ".npz")]
    texts = [path for path in paths if path.suffix in (".yaml", ".yml", ".json")]
    if len(data) != 1 or len(texts) > 1 or len(data) + len(texts) != len(paths):
        names = ", ".join(path.name for path in paths) or "none"
        raise ImportRefused(
            "give one file of samples (.dat, .txt or .npz) and at most one sampling configuration "
            f"(.yaml or .json), not: {names}"
        )
    if not texts:
        return data[0], None
    if _bytes(texts[0]) > _CONFIG_LIMIT:
        raise ImportRefused(f"{texts[0]} is too large for a sampling configuration")
    return data[0], read_config(load_yaml(texts[0].read_bytes(), str(texts[0])), str(texts[0]))


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ImportRefused(f"cannot read {path}: {error.strerror}") from None


def _read(path: Path, config: SamplingConfig | None) -> tuple[Floats, Floats, SamplingConfig | None]:
    """Voltages (rows, n_in) in V, outputs (rows, n_out) in nA, and the file's own configuration if any."""
    _bytes(path)
    if path.suffix == ".npz":
        voltages, outputs, own = _read_npz(path)
        config = config or own
    else:
        voltages, outputs = _read_text(path)
    if not np.isfinite(voltages).all() or not np.isfinite(outputs).all():
        row = int(np.argmin(np.isfinite(voltages).all(1) & np.isfinite(outputs).all(1)))
        raise ImportRefused(f"{path}: row {row} holds a value that is not finite")
    if config is not None and config.n_inputs not in (None, voltages.shape[1]):
        raise ImportRefused(
            f"{path} has {voltages.shape[1]} inputs, its configuration says {config.n_inputs}: "
            "these files do not belong together"
        )
    return voltages, outputs, config


def _read_text(path: Path) -> tuple[Floats, Floats]:
    with open(path, encoding="utf-8", errors="replace") as file:
        header = file.readline()
    names = [name.strip() for name in header.removeprefix("#").split(",")]
    n_in = sum(name.startswith("Input ") for name in names)
    n_out = sum(name.startswith("Output ") for name in names)
    if not header.startswith("#") or not n_in or not n_out or n_in + n_out != len(names):
        raise ImportRefused(
            f"{path} does not begin as brainspy-smg writes it ('# Input 0, ... Output 0'): {header[:60]!r}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a file without rows: refused below
            rows = np.loadtxt(path, dtype=np.float64, comments="#", ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{path} is cut short or altered: {error}") from None
    if not rows.size or rows.shape[1] != len(names):
        raise ImportRefused(f"{path} has {rows.shape} values where its header names {len(names)} columns")
    return rows[:, :n_in], rows[:, n_in:]


def _read_npz(path: Path) -> tuple[Floats, Floats, SamplingConfig | None]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            if missing := [name for name in ("inputs.npy", "outputs.npy") if name not in sizes]:
                raise ImportRefused(f"{path} holds no {missing[0]}: it is not of brainspy-smg")
            voltages, outputs = (
                np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
                for name in ("inputs.npy", "outputs.npy")
            )
            own = None
            if sizes.get("sampling_configs.npy", _CONFIG_LIMIT) < _CONFIG_LIMIT:
                own = archive.read("sampling_configs.npy")
    except ImportRefused:
        raise
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
        raise ImportRefused(f"{path} is cut short or altered: {error}") from None
    if voltages.ndim != 2 or outputs.ndim != 2 or len(voltages) != len(outputs) or not len(voltages):
        raise ImportRefused(f"{path}: inputs {voltages.shape} and outputs {outputs.shape} are no samples")
    if voltages.dtype.kind != "f" or outputs.dtype.kind != "f":
        raise ImportRefused(f"{path}: inputs {voltages.dtype} and outputs {outputs.dtype} are no floats")
    config = read_config(_unpickled(own, path), str(path)) if own is not None else None
    return voltages.astype(np.float64), outputs.astype(np.float64), config


def _unpickled(data: bytes, path: Path) -> Any:
    """The object in a .npy file of one pickled object."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, _, dtype = read_header[version](stream)
    except (ValueError, KeyError) as error:
        raise ImportRefused(f"{path}: sampling_configs.npy is cut short or altered: {error}") from None
    if shape != () or dtype.kind != "O":
        raise ImportRefused(f"{path}: sampling_configs.npy holds {dtype} {shape}, not one dictionary")
    return load_pickle(stream.read(), f"{path}: sampling_configs.npy")


def _write(
    partial: Path,
    folder: Path,
    data: Path,
    voltages: Floats,
    outputs_nA: Floats,
    config: SamplingConfig | None,
) -> DataImport:
    rows = len(voltages)
    batch_rows = (config.rows_per_batch if config is not None else None) or min(rows, ROWS_WITHOUT_CONFIG)
    batch_rows = min(batch_rows, rows)
    limits_nA = _limits(config, outputs_nA.shape[1])
    flags = np.zeros(rows, np.uint8)
    clipped: npt.NDArray[np.bool_] | None = None
    if limits_nA is not None:
        clipped = np.asarray((np.abs(outputs_nA) >= limits_nA).any(axis=1))
        flags[clipped] = Flag.CLIPPED
    summary = summarise(folder, data, voltages, outputs_nA, clipped, batch_rows, config)
    columns = {
        "inputs": ColumnSpec(voltages.shape[1], unit="V", channels=_names("e", voltages.shape[1])),
        "outputs": ColumnSpec(outputs_nA.shape[1], unit="A", channels=_names("out", outputs_nA.shape[1])),
        "flags": ColumnSpec(dtype="uint8"),
    }
    described = plain(asdict(summary))
    with RunStore.create(
        partial,
        name=data.stem,
        seed=0,
        files={}
        if config is None
        else {"sampling_configs.json": json.dumps(as_json(config.stored), indent=2)},
        kind="import",
        source={"file": data.name, "sha256": hashlib.sha256(data.read_bytes()).hexdigest()},
        imported=described,
    ) as store:
        with store.step("import"):
            for name, first, size in _parts(rows, batch_rows):
                table = store.table(name, columns, size, sample_rate_Hz=summary.sample_rate_Hz)
                end = rows if name == "sampling_rest" else rows - rows % batch_rows
                for k, start in enumerate(range(first, end, size)):
                    part = slice(start, start + size)
                    arrays: dict[str, npt.ArrayLike] = {
                        "inputs": voltages[part],
                        "outputs": outputs_nA[part] * 1e-9,
                        "flags": flags[part],
                    }
                    table.append(k, arrays)
        store.write_json("metrics.json", {"samples": rows, "clipped": summary.clipped, **summary.output_nA})
    return summary


def _parts(rows: int, batch_rows: int) -> Iterator[tuple[str, int, int]]:
    """Name, first row and rows a batch of each table."""
    yield "sampling", 0, batch_rows
    if rest := rows % batch_rows:
        yield "sampling_rest", rows - rest, rest


def _names(stem: str, n: int) -> tuple[str, ...]:
    return tuple(f"{stem}{k + 1}" for k in range(n))


def _limits(config: SamplingConfig | None, n_out: int) -> Floats | None:
    """Where each output clips, in nA."""
    if config is None or config.amplification is None:
        return None
    gain = np.abs(np.asarray(config.amplification, dtype=np.float64)).reshape(-1)
    if gain.size not in (1, n_out):
        raise ImportRefused(f"the configuration has {gain.size} amplifications for {n_out} outputs")
    return np.broadcast_to(gain, n_out) * ADC_LIMIT_V
