"""A run's samples for other programs."""

from pathlib import Path

from hil.store.samples_export import export_samples


def export(run: Path | str, path: Path | str) -> Path:
    """Write a run's samples to `path` as HDF5 (.h5), netCDF (.nc) or npz, with units and channel names.

    Raises ConfigError for an unknown ending, RunError for a run that cannot be read.
    """
    return export_samples(Path(run), Path(path))
