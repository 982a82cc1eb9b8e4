"""Every fault in a file is named by file, line, key, value and remedy, before anything is driven."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml

import hil
from hil.config import load_bench, load_experiment
from hil.config.bench import BenchFile, load_rack, station_configuration
from hil.config.yaml_file import load
from hil.errors import ConfigError
from hil.feasible import check_together


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    hil.init("dnpu", tmp_path / "lab")
    return tmp_path / "lab"


def altered(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def line_of(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_the_example_files_are_good(lab: Path) -> None:
    bench, experiment = load_bench(lab / "bench.yaml"), load_experiment(lab / "experiment.yaml")
    assert bench.chip.electrodes["e1"].low == -1.2
    assert bench.chip.readout.gain == 1e7
    check_together(experiment, bench, lab / "experiment.yaml")


def test_the_example_of_a_rack_is_good_and_wired_to_drivers_that_are_there(tmp_path: Path) -> None:
    hil.init("rack", tmp_path / "rack")
    rack = load_rack(tmp_path / "rack" / "bench.yaml")  # switches the emulator on, wires and all
    assert rack.chip is None
    assert len(rack.station.instruments) == 12
    for name, instrument in rack.station.instruments.items():
        module, _, kind = instrument.type.rpartition(".")
        assert isinstance(getattr(import_module(module), kind), type), name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sample_rate: 1 kHz", "sample_rat: 1 kHz", ["chip.sample_rat", "did you mean 'sample_rate'"]),
        ("low: -1.2 V", "low: -1.2", ["chip.electrodes.e1.low", "-1.2 has no unit", '"1 V"']),
        ("low: -1.2 V", "low: -1.2 A", ["chip.electrodes.e1.low", "-1.2 A", "not in V"]),
        ("low: -1.2 V", "low: 0.2 V", ["chip.electrodes.e1", "0.2 V to 0.6 V", "0 V", "widen"]),
        ("low: -1.2 V", "low: nan V", ["chip.electrodes.e1", "nan V"]),
        ("low: -1.2 V", "low: -inf V", ["chip.electrodes.e1", "-inf V"]),
        ("max_slew: 60 V/s", "max_slew: -60 V/s", ["chip.electrodes.e1.max_slew", "more than zero"]),
        ("source: dac", "source: dca", ["chip.source", "'dca'", "dac, meter"]),
        ("channel: 2,", "channel: 1,", ["e2", "channel 1", "e1"]),
        ("channel: 7,", "channel: 8,", ["e7", "channel 8", "readout.reference"]),
        ("format: hil-bench/1", "format: hil-bench/2", ["hil-bench/2", "hil-bench/1"]),
        ("max_slew: 60 V/s", "max_slew: 60 V/s, low: 0 V", ["'low' is given twice"]),
        ("sample_rate: 1 kHz", "sample_rate: 5 kHz", ["5", "aperture", "lower sample_rate"]),
        ("electrode: e8", "electrode: e7", ["e7 is the readout"]),
        ("tolerance: 0.1 %, ", "", ["chip.readout.reference.tolerance: missing; add it"]),
        (
            "type: qcodes.instrument_drivers.Keysight.Keysight34465A",
            "type: Keysight34465A",
            ["full dotted name"],
        ),
    ],
)
def test_a_faulty_bench_is_named(lab: Path, old: str, new: str, said: list[str]) -> None:
    path = altered(lab / "bench.yaml", old, new)
    with pytest.raises(ConfigError) as error:
        load_bench(path)
    assert str(path) in str(error.value)
    for words in said:
        assert words in str(error.value)


def test_the_line_is_the_one_in_the_file(lab: Path) -> None:
    path = altered(lab / "bench.yaml", "high: 0.3 V", "high: 0.3")
    with pytest.raises(
        ConfigError, match=rf"bench\.yaml:{line_of(path, 'high: 0.3,')}: chip\.electrodes\.e6"
    ):
        load_bench(path)


def test_every_fault_is_told_at_once(lab: Path) -> None:
    path = altered(lab / "bench.yaml", "sample_rate: 1 kHz", "sample_rate: 1")
    altered(path, "aperture: 200 us", "aperture: 200 V")
    with pytest.raises(ConfigError) as error:
        load_bench(path)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gates: [AND", "gates: [ANDD", ["search.gates", "ANDD"]),
        ("seed: 1 ", "seed: -1 ", ["seed", "-1"]),
        ("batch_time: 2 s", "batch_time: 2", ["sampling.batch_time", "no unit"]),
        ("waveform: triangle", "waveform: square", ["sampling.waveform", "square", "sine"]),
        ("tasks: [AND, OR, NAND, NOR]", "tasks: [AND, MAJ]", ["acceptance.tasks", "MAJ"]),
        ("levels: [-0.6 V, 0.2 V]", "levels: [0.2 V, 0.2 V]", ["same voltage"]),
        ("inputs: [e3, e4]", "inputs: [e3]", ["two inputs", "truth_tables"]),
    ],
)
def test_a_faulty_experiment_is_named(lab: Path, old: str, new: str, said: list[str]) -> None:
    path = altered(lab / "experiment.yaml", old, new)
    with pytest.raises(ConfigError) as error:
        load_experiment(path)
    for words in said:
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("inputs: [e3, e4]", "inputs: [e3, e9]", "e9"),
        ("levels: [-0.6 V, 0.2 V]", "levels: [-0.6 V, 2 V]", "outside e3's range"),
    ],
)
def test_what_the_bench_cannot_do_is_refused(lab: Path, old: str, new: str, said: str) -> None:
    path = altered(lab / "experiment.yaml", old, new)
    with pytest.raises(ConfigError, match=said):
        check_together(load_experiment(path), load_bench(lab / "bench.yaml"), path)


@pytest.mark.parametrize(
    "text", ["", "- 1\n", "a: [1\n", "a: b: c\n", "\x00", "x: !!python/object:os.system {}\n"]
)
def test_what_is_no_settings_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bench\.yaml"):
        load(path, BenchFile)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hil init"):
        load(tmp_path / "nothing.yaml", BenchFile)


def test_the_station_configuration_is_one_qcodes_reads(lab: Path) -> None:
    path = lab / "bench.yaml"
    written = yaml.safe_load(station_configuration(load_bench(path), path))
    assert written["instruments"]["dac"]["init"]["visalib"] == f"{path.resolve()}@hil"
    assert set(written) == {"instruments"}
