"""What recorded samples are worth: their ranges, their waveform, and what they can and cannot support."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hil.imports.sampling_config import SamplingConfig
from hil.imports.waveforms import recognise

Floats = npt.NDArray[np.float64]
Clipped = npt.NDArray[np.bool_] | None
ADC_LIMIT_V = 4.0
"""The peers' converters read ±4 V at most of the amplifier; beyond that a sample is clipped."""
ENOUGH_FOR_A_SURROGATE = 20_000
"""The surrogate-training guide's smallest set, 23,000 samples, already costs three times the best error."""


@dataclass(frozen=True)
class ElectrodeData:
    """One electrode as it was driven: range asked for, values seen, and the waveform recognised in them."""

    low_V: float | None
    high_V: float | None
    seen_low_V: float
    seen_high_V: float
    coverage: float | None
    kind: str
    frequency_Hz: float | None
    periods: float | None


@dataclass(frozen=True)
class DataImport:
    """What was found in the files and written as a run.

    `clipped` counts the samples beyond amplification × ±4 V; `supports` and `lacks` say what the data can and
    cannot be used for; `warnings` what in the files does not agree with itself.
    """

    folder: str
    sources: tuple[str, ...]
    samples: int
    batches: int
    rows_per_batch: int
    sample_rate_Hz: float | None
    duration_s: float | None
    amplification_nA_per_V: float | None
    electrodes: tuple[ElectrodeData, ...]
    output_nA: Mapping[str, float]
    clipped: int | None
    waveform: str | None
    supports: tuple[str, ...]
    lacks: tuple[str, ...]
    warnings: tuple[str, ...]


def summarise(
    folder: Path,
    data: Path,
    voltages: Floats,
    outputs_nA: Floats,
    clipped: Clipped,
    batch_rows: int,
    config: SamplingConfig | None,
) -> DataImport:
    """The summary of `voltages` (rows, n_in) in V and `outputs_nA` (rows, n_out) as they are imported."""
    rows, rate = len(voltages), config.sample_rate_Hz if config is not None else None
    electrodes = tuple(
        _electrode(voltages[:batch_rows, k], voltages[:, k], k, config) for k in range(voltages.shape[1])
    )
    kinds = {electrode.kind for electrode in electrodes}
    waveform = kinds.pop() if len(kinds) == 1 else None
    noted = _warnings(data, rows, outputs_nA, batch_rows, waveform, config)
    supports, lacks = _judge(rows, electrodes, clipped, config)
    return DataImport(
        folder=str(folder),
        sources=(str(data),) if config is None or config.source == str(data) else (str(data), config.source),
        samples=rows,
        batches=rows // batch_rows,
        rows_per_batch=batch_rows,
        sample_rate_Hz=rate,
        duration_s=rows / rate if rate else None,
        amplification_nA_per_V=config.amplification[0]
        if config is not None and config.amplification
        else None,
        electrodes=electrodes,
        output_nA={
            "output_min_nA": float(outputs_nA.min()),
            "output_median_nA": float(np.median(outputs_nA)),
            "output_max_nA": float(outputs_nA.max()),
            "output_std_nA": float(outputs_nA.std()),
        },
        clipped=None if clipped is None else int(clipped.sum()),
        waveform=waveform,
        supports=supports,
        lacks=lacks,
        warnings=noted,
    )


def _electrode(batch: Floats, whole: Floats, k: int, config: SamplingConfig | None) -> ElectrodeData:
    low, high, amplitude, rate = None, None, None, 1.0
    if config is not None:
        rate = config.sample_rate_Hz or 1.0
        if config.low_V is not None and config.high_V is not None:
            low, high = config.low_V[k], config.high_V[k]
            amplitude = (high - low) / 2
    found = recognise(batch, rate, amplitude)
    seen_low, seen_high = float(whole.min()), float(whole.max())
    known = config is not None and config.sample_rate_Hz is not None
    return ElectrodeData(
        low,
        high,
        seen_low,
        seen_high,
        (seen_high - seen_low) / (high - low) if low is not None and high is not None else None,
        found.kind,
        found.frequency_Hz if known else None,
        found.periods,
    )


def _warnings(
    data: Path,
    rows: int,
    outputs_nA: Floats,
    batch_rows: int,
    waveform: str | None,
    config: SamplingConfig | None,
) -> tuple[str, ...]:
    said = []
    if config is None:
        return (
            f"{data.name} comes without a sampling configuration: sample rate, ranges and gain are unknown",
        )
    if config.samples is not None and config.samples != rows:
        said.append(f"the configuration promises {config.samples} samples, {data.name} holds {rows}")
    if rows % batch_rows:
        said.append(f"{rows % batch_rows} rows at the end fill no batch of {batch_rows}")
    if config.waveform is not None and waveform not in (None, config.waveform):
        said.append(f"the configuration says {config.waveform}, the voltages are {waveform}")
    if (
        config.clipping is not None
        and config.amplification is not None
        and data.suffix == ".npz"
        and max(map(abs, config.clipping)) < max(map(abs, config.amplification)) * ADC_LIMIT_V
        and np.abs(outputs_nA).max() <= max(map(abs, config.clipping))
    ):
        reach_nA = config.amplification[0] * ADC_LIMIT_V
        said.append(
            f"the peer's post-processing took its clipping values {list(config.clipping)} for nA: samples "
            f"beyond them were dropped although the converter reaches {reach_nA:g} nA"
        )
    return tuple(said)


def _judge(
    rows: int,
    electrodes: Sequence[ElectrodeData],
    clipped: Clipped,
    config: SamplingConfig | None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the samples can and cannot be used for."""
    supports, lacks = ["reading the format, the units and the scale of the output"], []
    if rows >= ENOUGH_FOR_A_SURROGATE:
        supports.append(f"fitting a surrogate ({rows:,} samples)")
    else:
        lacks.append(
            f"fitting a surrogate: {rows:,} samples of {len(electrodes)} voltages; "
            f"the smallest set known to serve has {ENOUGH_FOR_A_SURROGATE:,}"
        )
    partial = [f"e{k + 1}" for k, e in enumerate(electrodes) if e.coverage is not None and e.coverage < 0.9]
    if partial:
        share = min(e.coverage for e in electrodes if e.coverage is not None)
        lacks.append(
            f"anything about the whole range of {', '.join(partial)}: "
            f"as little as {share:.0%} of it was swept"
        )
    brief = [f"e{k + 1}" for k, e in enumerate(electrodes) if e.periods is not None and e.periods < 1]
    if brief:
        lacks.append(f"hysteresis and settling: less than one period of {', '.join(brief)} was recorded")
    lacks.append("repeatability and drift: no stimulus was repeated")
    if config is None:
        lacks.append("time: the sample rate is unknown")
    if clipped is None:
        lacks.append("clipping: the amplification is unknown, so no sample is flagged")
    return tuple(supports), tuple(lacks)
