import pytest

from simulators.bench import BenchError, EmulatorConfig, build, load
from simulators.faults.line import FaultyLine
from tests.simulators.bench.linear import DAC, METER, TEXT, write_bench

CHANGES = {
    "  seed: 20": ("  seed: -1", "emulator.seed", ":13: "),
    "  link: {latency: 200 us,": ("  link: {latency: 200,", "emulator.link.latency", ":14: ", "no unit"),
    "clock_error: 8 ppm": ("clock_eror: 8 ppm", "emulator.instruments.meter.clock_eror", "unknown key"),
    "model: qdac2": ("model: qdac3", "emulator.instruments.dac.model", ":16: ", "qdac3", "qdac2"),
    "file: chip": ("file: chop", "emulator.chip.file", ":18: ", "chop"),
    "model: network": ("model: netwrk", "emulator.chip.model", "netwrk", "network"),
    "gain: 10.13 MV/A": ("gain: 10.13 MV", "emulator.amplifier.gain", ":20: ", "V/A"),
    "    - dac.3 -> chip.e3\n": ("", "emulator.wires", "electrode chip.e3 is not wired"),
    "dac.3 -> chip.e3": ("dac.3 -> chip.e2", ":29: ", "chip.e2 is driven by both dac.2 and dac.3"),
    "dac.4 -> chip.e4": ("dac.44 -> chip.e4", "dac.44", "no such terminal", "dac.24"),
    "dac.5 -> chip.e5": ("dca.5 -> chip.e5", "did you mean 'dac'"),
    "dac.6 -> chip.e6": ("dac.6 -> chip.e66", "chip.e66: no such terminal"),
    "dac.7 -> chip.e7": ("dac.7 to chip.e7", "is not a wire", "dac.1 -> chip.e1"),
    "chip.e8 -> amplifier.in": ("chip.e7 -> amplifier.in", "chip.e7 is a driven electrode"),
    "    - chip.e8 -> amplifier.in\n": ("", "the chip is not read"),
    "100.03 MOhm": ("100.03", ":35: ", "middle of a wire", "no unit"),
    "dac.8 -> 100.03 MOhm -> amplifier.in": ("dac.8 -> amplifier.in", "needs a resistor"),
    "amplifier.out -> meter.input": ("amplifier.out -> meter.inptu", "meter.inptu", "meter.input"),
    "dac.trigger4 -> meter.trigger": ("dac.trigger4 -> meter.input", "takes a trigger", "meter.trigger"),
    "@hil": ('@hil"\nvisa: "@py', "'visa' is given twice, first on line 3"),
    "192.168.8.18::inst0::INSTR": ("192.168.8.17::5025::SOCKET", "shares its address"),
    "emulator:\n": ("emulated:\n", "no section 'emulator'"),
    "station:\n": ("stations:\n", "station.instruments.NAME.address"),
    "name: emulated\n": ("name: [emulated\n", "not YAML"),
}


@pytest.mark.parametrize("original", CHANGES, ids=[key.strip()[:30] for key in CHANGES])
def test_a_fault_is_named_with_file_and_place(original, tmp_path):
    changed, *words = CHANGES[original]
    assert TEXT.count(original) == 1
    path = write_bench(tmp_path, TEXT.replace(original, changed))
    with pytest.raises(BenchError) as caught:
        load(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_a_missing_file_and_a_list_are_refused(tmp_path):
    with pytest.raises(BenchError, match="no such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(BenchError, match="must be a mapping"):
        load(tmp_path / "list.yaml")


def test_a_bench_answers_at_its_addresses(bench_file):
    bench = load(bench_file)
    assert set(bench.resources) == {DAC, METER}
    assert bench.link.latency_s == pytest.approx(200e-6)
    assert bench.link.throughput_Bps == pytest.approx(20e6)
    line = bench.resources[DAC]
    assert isinstance(line, FaultyLine)
    assert line.instrument is bench.instruments["dac"]
    assert [str(wire) for wire in bench.wires][8] == "dac.8 -> 1.0003e+08 ohm -> amplifier.in"


def test_a_bench_can_be_built_without_a_file(bench_file):
    section = {
        "seed": 1,
        "instruments": {"dac": {"model": "qdac2"}, "meter": {"model": "keysight_34465a"}},
        "chip": {"model": "network", "file": "chip"},
        "amplifier": {"gain": "10 MV/A", "inverting": True},
        "wires": [f"dac.{k} -> chip.e{k}" for k in range(1, 8)] + ["chip.out -> amplifier.in"],
    }
    config = EmulatorConfig.model_validate(section)
    bench = build(config, {"dac": "A", "meter": "B"}, bench_file.parent)
    assert bench.amplifier.facts.gain_V_per_A == -10e6
    with pytest.raises(BenchError, match=r"station\.instruments\.meter\.address"):
        build(config, {"dac": "A"}, bench_file.parent)


def test_the_same_seed_gives_the_same_specimen(bench_file):
    def gains(bench):
        return [channel.gain_error for channel in bench.instruments["dac"].channels]

    assert gains(load(bench_file)) == gains(load(bench_file))
    other = bench_file.with_name("other.yaml")
    other.write_text(TEXT.replace("seed: 20", "seed: 21"))
    assert gains(load(other)) != gains(load(bench_file))
