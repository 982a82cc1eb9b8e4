"""The bench file of a diffractive network: the example checks, and what is wrong in it is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hil
from drivers.diffractive import Diffractive
from hil.chips.diffractive import open_diffractive
from hil.config.bench import RackFile, load_rack
from hil.config.diffractive_chip import DiffractiveSection
from hil.connection import open_station
from hil.errors import ConfigError
from simulators.visa.library import power_off, powered
from tests.hil.lab import rewrite


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    hil.init("diffractive", tmp_path)
    return tmp_path / "bench.yaml"


def section(rack: RackFile) -> DiffractiveSection:
    assert isinstance(rack.chip, DiffractiveSection)
    return rack.chip


def test_check_shows_identities_sizes_refresh_and_a_dry_run_and_shows_nothing(bench: Path) -> None:
    result = hil.check(bench)
    assert result.exit_code == 0
    assert result.summary == "nothing was shown"
    items = {item.what: item.finding for item in result.items}
    assert items["identity of slm"] == "hil, SLM 192x64, 2077, 1.0"
    assert "64 x 192, 256 levels, refreshed at 60 Hz, settled after 35.4 ms" in items["frames of slm"]
    assert "80 x 80, counts up to 4095" in items["frames of camera"]
    assert "3 planes of 64 x 64" in items["optics"]
    assert "64 inputs, 3072 controls, 10 detectors" in items["dry run"]
    emulated: Any = powered(str(bench.resolve()))
    assert emulated.instruments["slm"].shows == emulated.instruments["pattern"].shows == 0
    power_off()


def test_the_chip_opens_reads_light_and_rests(bench: Path) -> None:
    rack = load_rack(bench)
    chip = section(rack)
    with open_station(rack, bench) as station, open_diffractive(chip, bench, station) as driver:
        assert isinstance(driver, Diffractive)
        driver.measure_dark()
        driver.set_controls(np.zeros(3072))
        read = driver.run(np.stack([np.zeros(64), np.ones(64)])[:, None])
        noise = driver.outputs.noise
        assert noise is not None
        assert np.abs(read.outputs[0]).max() < 10.0 * noise
        assert read.outputs[1].min() > 0.0
        assert read.outputs[1].sum() < chip.power
    power_off()


def test_a_measured_look_up_table_is_taken_from_its_file(bench: Path) -> None:
    (bench.parent / "lut.txt").write_text(
        "\n".join(f"{phase:.5f}" for phase in 6.2 * np.linspace(0, 1, 256) ** 1.1)
    )
    rewrite(bench, {"table: {stroke: 6.2587 rad}": "table: {file: lut.txt}"})
    assert hil.check(bench).ok
    (bench.parent / "lut.txt").write_text("0.0\n1.0\n")
    result = hil.check(bench)
    assert result.exit_code == 2
    assert "one for each of 256 levels" in result.items[-1].finding
    power_off()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("distances: [20 mm, 20 mm, 20 mm, 20 mm]    #", "distances: [20 mm, 20 mm]    #", "2 distances and 3 planes"),
        ("rows: 32\n    columns: 32\n    table: {stroke: 6", "rows: 30\n    columns: 32\n    table: {stroke: 6",
         "planes: 30 x 32 settings do not part 64 x 64"),
        ("table: {stroke: 6.2587 rad}", "table: {}", "a stroke or a file"),
        ("instrument: slm\n    corners", "instrument: slm2\n    corners", "chip.planes.instrument is 'slm2'"),
        ("pitch: 8 um  ", "pitch: 8  ", "no unit"),
        ("planes: {instrument: slm,", "planes: {instrument: camera,",
         "'camera' is no instrument of model slm; there are pattern, slm"),
        ("corners: [[0, 0], [0, 64], [0, 128]], height",
         "corners: [[0, 0], [0, 64], [0, 140]], height",
         "planes.corners 2: .* columns 140 to 203"),
        ("columns: 80, bits", "columns: 60, bits", "camera: 64 x 64 pixels do not fit 80 x 60"),
        ("    pitch: 8 um\n    distances: [20 mm", "    pitch: 8 um\n    distances: [2 m",
         "is too far .* beyond 0.1232 m"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_named(bench: Path, old: str, new: str, says: str) -> None:
    rewrite(bench, {old: new})
    with pytest.raises(ConfigError, match=says):
        load_rack(bench)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("corners: [[0, 0], [0, 64], [0, 128]]     #",
         "corners: [[0, 0], [0, 32], [0, 128]]     #",
         "planes 0 and 1 lie on"),
        ("digit9: {top: 54", "digit9: {top: 76", "detector digit9: rows 76 to 83"),
        ("digit9: {top: 54", "digit9: {top: 2", "detector digit9: rows -6 to 1"),
        ("distances: [20 mm, 20 mm, 20 mm, 20 mm]    #", "distances: [20 mm, 20 mm, 20 mm, 2 m]    #", "too far"),
        ("exposure: 1 ms", "exposure: 20 s", "exposure of 20 s"),
        ('camera: "330"', 'camera: "331"', "331"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_devices_is_found_by_the_check(
    bench: Path, old: str, new: str, says: str
) -> None:
    rewrite(bench, {old: new})
    result = hil.check(bench)
    assert not result.ok
    assert says in " ".join(item.finding for item in result.items if not item.ok)
    power_off()


def test_without_the_emulator_the_message_says_what_to_install(bench: Path) -> None:
    text = bench.read_text().replace('visa: "@hil"', 'visa: ""')
    bench.write_text(text[: text.index("# What only the emulator knows")])
    result = hil.check(bench)
    assert result.exit_code == 4
    assert "no package has registered the backend 'frames'" in result.items[-1].finding


LASER = {
    "    camera: {type": "    laser: {type: drivers.santec_tsl570.SantecTSL570, address: GPIB0::10::INSTR}\n"
    "    camera: {type",
    "    camera: {model": "    laser: {model: santec_tsl570}\n    camera: {model",
    "  power: 20 nW ": "  laser: laser\n  power: 20 nW ",
    "    power: 20 nW\n": "    laser: {instrument: laser, transmission: 5e-7}\n",
}


def test_a_laser_that_the_computer_switches_is_shut_for_the_dark_and_at_rest(bench: Path) -> None:
    rewrite(bench, LASER)
    text = bench.read_text().replace("532 nm", "1550 nm").replace("20 mm", "7 mm")
    bench.write_text(text)
    assert hil.check(bench).ok
    rack = load_rack(bench)
    with open_station(rack, bench) as station:
        laser: Any = station.components["laser"]
        laser.set_wavelength(1550e-9)
        laser.set_power(1e-3)
        with open_diffractive(section(rack), bench, station) as driver:
            driver.measure_dark()
            assert not laser.shines()
            driver.set_controls(np.zeros(3072))
            laser.shine(True)
            station.components["pattern"].wait(3600.0)  # till it is warm
            read = driver.run(np.ones((1, 1, 64)))
            assert not read.flags.any()
            once = read.outputs
            laser.set_power(0.5e-3)
            half = driver.run(np.ones((1, 1, 64))).outputs
            assert half.sum() == pytest.approx(0.5 * once.sum(), rel=0.05)
            assert 0.0 < once.sum() < 0.5e-9
            assert laser.shines()
            driver.rest()
            assert not laser.shines()
    power_off()


def test_what_is_no_laser_is_named(bench: Path) -> None:
    rewrite(bench, {"  power: 20 nW ": "  laser: slm\n  power: 20 nW "})
    rack = load_rack(bench)
    with (
        open_station(rack, bench) as station,
        pytest.raises(ConfigError, match=r"slm is a SLM, which is no laser"),
        open_diffractive(section(rack), bench, station),
    ):
        pass
    power_off()
    rewrite(bench, {"    power: 20 nW\n": "    laser: {instrument: camera, transmission: 0.1}\n"})
    with pytest.raises(ConfigError, match=r"camera.output gives no light; what does: nothing"):
        load_rack(bench)
