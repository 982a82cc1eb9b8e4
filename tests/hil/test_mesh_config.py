"""A photonic mesh in a bench file: which shifter is on which channel, and every fault named where it stands."""

from pathlib import Path

import pytest

from hil.config.bench import BenchFile, MeshBench, RackFile, load_chip_bench, load_rack
from hil.errors import ConfigError

BENCH = """\
format: hil-bench/1
name: a mesh of three ports
visa: "@py"
station:
  instruments:
    laser: {type: some.Laser, address: GPIB0::1::INSTR}
    dac: {type: some.Dac, address: GPIB0::2::INSTR}
    heaters: {type: some.Heaters, address: ASRL1::INSTR}
    pm0: {type: some.Meter, address: GPIB0::3::INSTR}
    pm1: {type: some.Meter, address: GPIB0::4::INSTR}
    pm2: {type: some.Meter, address: GPIB0::5::INSTR}
chip:
  type: mesh
  name: chip
  layout: {kind: rectangular, ports: 3}
  laser: {instrument: laser, wavelength: 1550 nm, power: 1 mW}
  modulators: {source: dac, channels: 4, low: -1 V, high: 5 V, max_slew: 100 V/s, half_wave: 3 V}
  heaters:
    source: heaters
    first: 2
    channels: {p0_0: 17}
    unconnected: [t1_1]
    voltage: 9 V
    current: 12 mA
    total_power: 300 mW
    settling: 1 ms
    resistance: 1 kohm
    half_wave_power: 20 mW
  meters: {instruments: [pm0, pm1, pm2], averaging: 10 ms, saturation: 2 mW}
"""


def written(tmp_path: Path, old: str = "", new: str = "") -> Path:
    assert old in BENCH
    path = tmp_path / "bench.yaml"
    path.write_text(BENCH.replace(old, new, 1))
    return path


def test_shifters_take_the_supplys_channels_in_order_but_for_those_that_are_elsewhere(tmp_path: Path) -> None:
    rack = load_rack(written(tmp_path))
    assert BenchFile.of(rack) is None
    bench = MeshBench.of(rack)
    assert bench is not None
    assert bench.chip.modulator_channels == (4, 5, 6)
    assert bench.chip.heater_channels == {"t0_0": 2, "t2_0": 3, "p0_0": 17, "p1_1": 4, "p2_0": 5}
    assert bench.chip.laser.wavelength == pytest.approx(1.55e-6)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("half_wave_power", "half_power", ["chip.heaters.half_power", "did you mean 'half_wave_power'"]),
        ("voltage: 9 V", "voltage: 9", ["chip.heaters.voltage", '"1 V"']),
        ("ports: 3", "ports: 200", ["chip.layout.ports", "200"]),
        ("type: mesh", "type: mash", ["chip", "'mash'", "'dnpu', 'mesh'"]),
        ("source: dac", "source: dca", ["chip.modulators.source", "'dca'", "laser, dac"]),
        ("source: heaters", "source: haeters", ["chip.heaters.source", "'haeters'"]),
        ("p0_0: 17", "p0_0: seventeen", ["chip.heaters.channels.p0_0", "seventeen"]),
        ("p0_0: 17", "p0_0: 2", ["t0_0 and p0_0", "channel 2"]),
        ("{p0_0:", "{p9_0:", ["heaters.channels", "'p9_0'", "t0_0 to p2_0"]),
        ("unconnected: [t1_1]", "unconnected: [t1_1, p0_0]", ["both name p0_0"]),
        ("power: 1 mW", "power: 1 mW, limit: 500 uW", ["laser.power", "laser.limit"]),
        ("[pm0, pm1, pm2]", "[pm0, pm1, pm1]", ["meters.instruments", "3 different meters"]),
        ("channels: 4", "channels: [1, 2]", ["modulators.channels", "3 different outputs"]),
        ("low: -1 V, high: 5 V", "low: 1 V, high: 5 V", ["chip.modulators", "0 V, the rest voltage"]),
        ("  laser: {instrument: laser, wavelength: 1550 nm, power: 1 mW}\n", "", ["chip.laser: missing"]),
    ],
)
def test_a_faulty_mesh_is_named(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    path = written(tmp_path, old, new)
    for kind in (RackFile, MeshBench):
        with pytest.raises(ConfigError) as error:
            load_chip_bench(path, kind)
        if "mash" not in new:  # what is expected instead depends on who asks
            for words in said:
                assert words in str(error.value)
        assert "chip.mesh" not in str(error.value)  # which kind it is, is no key of the file


def test_the_line_is_the_one_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "current: 12 mA", "current: 12")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "current" in text)
    with pytest.raises(ConfigError, match=rf"bench\.yaml:{line}: chip\.heaters\.current: 12 has no unit"):
        load_rack(path)
