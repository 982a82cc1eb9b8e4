"""The sampling configuration of brains-py: what of it matters, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.errors import ImportRefused

_WAVEFORMS = {"sawtooth": "triangle", "sine": "sine"}  # the peers' sawtooth rises as long as it falls


@dataclass(frozen=True)
class SamplingConfig:
    """How the samples were taken, as far as the file says; `stored` is all that it says."""

    source: str
    stored: Mapping[Any, Any]
    n_inputs: int | None = None
    sample_rate_Hz: float | None = None
    rows_per_batch: int | None = None
    samples: int | None = None
    low_V: tuple[float, ...] | None = None
    high_V: tuple[float, ...] | None = None
    amplification: tuple[float, ...] | None = None
    clipping: tuple[float, ...] | None = None
    waveform: str | None = None


def read_config(stored: Any, source: str) -> SamplingConfig:
    """Find the sampling rate, ranges, amplification and waveform in `stored`; raises ImportRefused."""
    if not isinstance(stored, Mapping) or not isinstance(stored.get("input_data"), Mapping):
        raise ImportRefused(f"{source} is no sampling configuration of brains-py: it has no input_data")
    wave = stored["input_data"]
    driver = _mapping(stored.get("driver", stored.get("processor")))
    setup = _mapping(driver.get("instruments_setup"))
    rate = _number(setup.get("activation_sampling_frequency", driver.get("sampling_frequency")), source)
    batch_s, batches = _number(wave.get("batch_time"), source), _number(wave.get("number_batches"), source)
    rows = round(rate * batch_s) if rate and batch_s else None
    amplitude, offset = _row(wave.get("amplitude"), source), _row(wave.get("offset"), source)
    low = high = None
    if amplitude is not None and offset is not None and len(amplitude) == len(offset):
        low = tuple(middle - half for middle, half in zip(offset, amplitude, strict=True))
        high = tuple(middle + half for middle, half in zip(offset, amplitude, strict=True))
    n_inputs = _number(wave.get("activation_electrode_no", wave.get("input_electrodes")), source)
    if low is not None and n_inputs is not None and len(low) != n_inputs:
        raise ImportRefused(f"{source}: {len(low)} amplitudes for {n_inputs:g} electrodes")
    outputs = _mapping(_mapping(stored.get("electrode_info")).get("output_electrodes"))
    return SamplingConfig(
        source,
        stored,
        None if n_inputs is None else int(n_inputs),
        rate,
        rows or None,
        None if rows is None or batches is None else rows * int(batches),
        low,
        high,
        _row(driver.get("amplification"), source),
        _row(outputs.get("clipping_value"), source),
        _WAVEFORMS.get(str(wave.get("input_distribution"))),
    )


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any, source: str) -> float | None:
    row = _row(value, source)
    if row is None:
        return None
    if len(row) != 1 or not np.isfinite(row[0]) or row[0] <= 0:
        raise ImportRefused(f"{source}: {value!r:.60} should be one positive number")
    return row[0]


def _row(value: Any, source: str) -> tuple[float, ...] | None:
    if value is None or isinstance(value, str):
        return None
    try:
        return tuple(np.asarray(value, dtype=np.float64).reshape(-1).tolist())
    except (TypeError, ValueError):
        raise ImportRefused(f"{source}: {value!r:.60} should be numbers") from None
