"""Measured samples of the peers become runs; what they are worth is said."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import signal

from calibration.device import Flag
from hil.errors import ImportRefused, RunExists
from hil.imports import import_brainspy_data
from hil.imports.waveforms import recognise
from hil.store import RunStore
from hil.store.index import list_runs

RATE = 1000.0
FREQUENCIES = 0.001 * RATE * np.sqrt([2, 3, 5])
AMPLITUDE, OFFSET = np.array([0.9, 0.5, 0.7]), np.array([-0.1, 0.0, 0.2])
GAIN = 39.5


def config(batches: int = 4, batch_time: float = 2.5, **wave: Any) -> dict[str, Any]:
    return {
        "driver": {
            "amplification": [GAIN],
            "instruments_setup": {"activation_sampling_frequency": int(RATE)},
        },
        "input_data": {
            "activation_electrode_no": 3,
            "amplitude": AMPLITUDE,
            "offset": OFFSET,
            "batch_time": batch_time,
            "number_batches": batches,
            "input_distribution": "sawtooth",
            **wave,
        },
        "electrode_info": {"output_electrodes": {"clipping_value": [-4, 4]}},
    }


def samples(rows: int = 10_000, kind: str = "triangle", seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Voltages of one endless multi-tone and an output in nA whose tail clips."""
    phase = 2 * np.pi * FREQUENCIES * np.arange(rows)[:, None] / RATE + np.array([0.2, -0.3, 0.4])
    wave = signal.sawtooth(phase, width=0.5) if kind == "triangle" else np.sin(phase)
    rng = np.random.default_rng(seed)
    return OFFSET + AMPLITUDE * wave, rng.normal(size=(rows, 1)) * 60.0


def write_text(path: Path, voltages: np.ndarray, outputs: np.ndarray) -> Path:
    names = [f"Input {k}" for k in range(voltages.shape[1])] + [
        f"Output {k}" for k in range(outputs.shape[1])
    ]
    np.savetxt(path, np.hstack((voltages, outputs)), header=", ".join(names))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as brainspy-smg leaves it: text, and YAML under the name of JSON."""
    folder = tmp_path / "peer"
    folder.mkdir()
    write_text(folder / "IO.dat", *samples())
    (folder / "sampler_configs.json").write_text(yaml.dump(config()))
    return folder


def test_a_folder_of_the_peer_becomes_a_run(folder: Path, tmp_path: Path) -> None:
    summary = import_brainspy_data(folder, tmp_path / "runs" / "a")
    voltages, outputs = samples()
    store = RunStore.open(tmp_path / "runs" / "a")
    assert store.verify() == {"sampling": 4}
    assert store.status("import") == "done"
    table = store.table("sampling")
    read = table.read()
    assert np.allclose(read["inputs"], voltages, rtol=1e-15, atol=0)
    assert np.allclose(read["outputs"], outputs * 1e-9, rtol=1e-15, atol=0)
    assert table.columns["outputs"].unit == "A"
    clipped = np.abs(outputs[:, 0]) >= GAIN * 4
    assert 0 < clipped.sum() == summary.clipped < 200
    assert np.array_equal(read["flags"] == Flag.CLIPPED, clipped)
    assert (summary.samples, summary.batches, summary.rows_per_batch) == (10_000, 4, 2500)
    assert (summary.sample_rate_Hz, summary.duration_s, summary.amplification_nA_per_V) == (
        1000.0,
        10.0,
        GAIN,
    )
    assert summary.waveform == "triangle"
    found = [electrode.frequency_Hz for electrode in summary.electrodes]
    assert found == pytest.approx(FREQUENCIES, rel=1e-6)
    assert all(electrode.coverage > 0.99 for electrode in summary.electrodes)
    assert summary.warnings == ()
    assert any("fitting a surrogate: 10,000 samples" in lack for lack in summary.lacks)
    (listed,) = list_runs(tmp_path / "runs")
    assert listed.figures["clipped"] == summary.clipped
    assert store.manifest["imported"]["samples"] == 10_000


def test_enough_samples_support_a_fit(tmp_path: Path) -> None:
    write_text(tmp_path / "IO.dat", *samples(20_000))
    (tmp_path / "c.yaml").write_text(yaml.dump(config(8)))
    summary = import_brainspy_data([tmp_path / "c.yaml", tmp_path / "IO.dat"], tmp_path / "run")
    assert "fitting a surrogate (20,000 samples)" in summary.supports
    assert not any("surrogate" in lack for lack in summary.lacks)


def test_rows_that_fill_no_batch_are_kept(folder: Path, tmp_path: Path) -> None:
    write_text(folder / "IO.dat", *samples(9_000))
    summary = import_brainspy_data(folder, tmp_path / "run")
    assert RunStore.open(tmp_path / "run").verify() == {"sampling": 3, "sampling_rest": 1}
    assert RunStore.open(tmp_path / "run").table("sampling_rest").rows == 1500
    assert summary.warnings[0] == "the configuration promises 10000 samples, IO.dat holds 9000"
    assert "1500 rows at the end fill no batch of 2500" in summary.warnings[1]


def test_without_a_configuration_nothing_is_guessed(tmp_path: Path) -> None:
    write_text(tmp_path / "IO.dat", *samples(300))
    summary = import_brainspy_data(tmp_path / "IO.dat", tmp_path / "run")
    assert summary.sample_rate_Hz is None
    assert summary.clipped is None
    assert summary.electrodes[0].frequency_Hz is None
    assert summary.waveform == "triangle"
    assert "sample rate, ranges and gain are unknown" in summary.warnings[0]
    assert not RunStore.open(tmp_path / "run").table("sampling").read()["flags"].any()


def npz(path: Path, config: Any = None, **arrays: Any) -> Path:
    voltages, outputs = samples(2500)
    np.savez(path, **{"inputs": voltages, "outputs": np.clip(outputs, -4, 4), **arrays})
    if config is not None:
        with zipfile.ZipFile(path, "a") as archive:
            stream = io.BytesIO()
            np.lib.format.write_array(stream, np.array(config, dtype=object), allow_pickle=True)
            archive.writestr("sampling_configs.npy", stream.getvalue())
    return path


def test_postprocessed_data_with_its_pickled_dictionary(tmp_path: Path) -> None:
    summary = import_brainspy_data(npz(tmp_path / "p.npz", config(1)), tmp_path / "run")
    assert summary.samples == 2500
    assert summary.amplification_nA_per_V == GAIN
    assert "took its clipping values [-4.0, 4.0] for nA" in summary.warnings[0]
    stored = (tmp_path / "run" / "sampling_configs.json").read_text()
    assert '"number_batches": 1' in stored


class Malicious:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_a_pickled_dictionary_that_acts_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    bad = npz(tmp_path / "p.npz", {"input_data": Malicious(mark)})
    with pytest.raises(ImportRefused, match=r"sampling_configs\.npy: the file asks for posix\.system"):
        import_brainspy_data(bad, tmp_path / "run")
    assert not mark.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


def _lines(change: Any) -> Any:
    def apply(folder: Path) -> None:
        lines = (folder / "IO.dat").read_text().splitlines(keepends=True)
        (folder / "IO.dat").write_text("".join(change(lines)))

    return apply


def _config(text: str) -> Any:
    return lambda folder: (folder / "sampler_configs.json").write_text(text)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_lines(lambda lines: lines[1:]), "does not begin as brainspy-smg writes it"),
        (_lines(lambda lines: lines[:1]), "header names 4 columns"),
        (_lines(lambda lines: ["# time, volts\n", *lines[1:]]), "does not begin as brainspy-smg writes it"),
        (_lines(lambda lines: [*lines[:-1], lines[-1][:60]]), "is cut short or altered"),
        (_lines(lambda lines: [*lines[:-1], "1 2 3 x\n"]), "is cut short or altered"),
        (_lines(lambda lines: [*lines[:3], "1 2 3 nan\n"]), "row 2 holds a value that is not finite"),
        (lambda folder: (folder / "IO.dat").write_bytes(b"\x89PNG\r\n\x1a\n"), "does not begin as"),
        (lambda folder: (folder / "IO.dat").unlink(), "holds neither IO.dat nor"),
        (_config("a: !!python/object/apply:os.system ['true']"), "os.system"),
        (_config("just text"), "no sampling configuration of brains-py"),
        (_config(yaml.dump(config(activation_electrode_no=7, amplitude=None))), "3 inputs, .* says 7"),
        (_config(yaml.dump(config(activation_electrode_no=7))), "3 amplitudes for 7 electrodes"),
        (_config(yaml.dump(config(batch_time=-1.0))), "should be one positive number"),
        (_config(yaml.dump(config(amplitude={"a": 1}))), "should be numbers"),
    ],
)
def test_malformed_files_are_refused_and_nothing_is_written(
    folder: Path, damage: Any, message: str, tmp_path: Path
) -> None:
    damage(folder)
    with pytest.raises(ImportRefused, match=message):
        import_brainspy_data(folder, tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["peer"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(npz(path).read_bytes()[:5000]), "is cut short or altered"),
        (lambda path: np.savez(path, x=np.zeros(3)), "holds no inputs.npy"),
        (lambda path: npz(path, inputs=np.zeros(3)), "are no samples"),
        (lambda path: npz(path, inputs=np.zeros((2500, 3), "i4")), "are no floats"),
        (lambda path: npz(path, inputs=np.array([Path("x")], dtype=object)), "is cut short or altered"),
        (lambda path: npz(path, config=[1, 2]), r"sampling_configs\.npy holds object \(2,\)"),
        (lambda path: path.write_bytes(pickle.dumps({"inputs": 1})), "is cut short or altered"),
    ],
)
def test_malformed_npz_is_refused(make: Any, message: str, tmp_path: Path) -> None:
    make(tmp_path / "p.npz")
    with pytest.raises(ImportRefused, match=message):
        import_brainspy_data(tmp_path / "p.npz", tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


def test_which_file_is_which_must_be_clear(folder: Path, tmp_path: Path) -> None:
    for files in ([folder / "IO.dat", folder / "IO.dat"], [folder / "sampler_configs.json"], [], ["x.png"]):
        with pytest.raises(ImportRefused, match="give one file of samples"):
            import_brainspy_data(files, tmp_path / "run")
    with pytest.raises(ImportRefused, match=r"cannot read .*No such file"):
        import_brainspy_data(tmp_path / "absent.dat", tmp_path / "run")
    with pytest.raises(RunExists):
        import_brainspy_data(folder, folder)


@pytest.mark.parametrize("kind", ["triangle", "sine"])
@pytest.mark.parametrize("amplitude", [True, False])
def test_waveforms_are_recognised_from_samples_alone(kind: str, amplitude: bool) -> None:
    voltages, _ = samples(5000, kind)
    for k, frequency in enumerate(FREQUENCIES):
        found = recognise(voltages[:, k], RATE, AMPLITUDE[k] if amplitude else None)
        assert found.kind == kind
        assert found.frequency_Hz == pytest.approx(frequency, rel=1e-4)
        assert found.periods == pytest.approx(5 * frequency, rel=1e-4)


def test_what_is_no_waveform_is_not_called_one() -> None:
    rng = np.random.default_rng(0)
    assert recognise(rng.normal(size=500), RATE).kind == "unknown"
    assert recognise(np.repeat(rng.normal(size=10), 50), RATE).kind == "unknown"
    assert recognise(np.full(500, 0.3), RATE).kind == "constant"
    assert recognise(np.arange(3.0), RATE).kind == "unknown"
    ramp = recognise(np.linspace(0, 1, 500), RATE)
    assert (ramp.kind, ramp.frequency_Hz) == ("triangle", None)


def test_the_measured_samples(dnpu: Path, tmp_path: Path) -> None:
    text = import_brainspy_data(
        [dnpu / "brainspy_smg_IO.dat", dnpu / "brainspy_smg_sampler_configs.yaml"], tmp_path / "text"
    )
    assert (text.samples, text.clipped, text.sample_rate_Hz) == (100, 0, 100.0)
    assert text.output_nA["output_min_nA"] == pytest.approx(-0.24, abs=0.005)
    assert text.output_nA["output_max_nA"] == pytest.approx(6.33, abs=0.005)
    assert text.waveform == "triangle"
    frequencies = [electrode.frequency_Hz for electrode in text.electrodes]
    assert frequencies == pytest.approx(0.1 * np.sqrt([2, 3, 5, 7, 13, 17, 19]), rel=1e-6)
    assert [electrode.low_V for electrode in text.electrodes] == pytest.approx(
        [-1, -0.8, -1, -1.25, -0.95, -0.85, -1.1]
    )
    assert any("fitting a surrogate: 100 samples" in lack for lack in text.lacks)
    assert any("as little as 28%" in lack for lack in text.lacks)
    processed = import_brainspy_data(dnpu / "brainspy_smg_postprocessed_data.npz", tmp_path / "processed")
    assert processed.samples == 94
    assert any("converter reaches 158 nA" in warning for warning in processed.warnings)
    kept = RunStore.open(tmp_path / "processed").table("sampling").read()["outputs"]
    whole = RunStore.open(tmp_path / "text").table("sampling").read()["outputs"]
    assert np.array_equal(kept, whole[np.abs(whole[:, 0]) <= 4e-9])
