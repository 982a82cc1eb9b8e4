"""Racks without a chip, and what wires can lead to besides a chip's electrodes."""

import time

import numpy as np
import pytest
import pyvisa

from simulators.bench import BenchError, EmulatorConfig, build
from simulators.bench.wires import Wire, read_wire
from simulators.instruments.loads import Loads, Resistance
from simulators.visa import HilVisaLibrary

DAC, METER = "TCPIP0::192.168.8.17::5025::SOCKET", "TCPIP0::192.168.8.18::inst0::INSTR"


def rack(*wires, folder=".", **more):
    section = {
        "seed": 1,
        "instruments": {
            "dac": {"model": "qdac2", "noise": 0},
            "meter": {"model": "keysight_34465a", "noise": 0},
        },
        "wires": list(wires),
        **more,
    }
    return build(EmulatorConfig.model_validate(section), {"dac": DAC, "meter": METER}, folder)


def ask(bench, address, message):
    instrument = bench.resources[address]
    instrument.write(message)
    if not message.rstrip().endswith(b"?"):
        return None
    while True:
        try:
            return float(instrument.read(1000)[0])
        except Exception as nothing:
            bench.clock.advance_to(nothing.ready_at)


def test_a_meter_reads_a_source_without_any_chip():
    bench = rack("dac.3 -> meter.input")
    ask(bench, DAC, b"sour3:volt 1.25\n")
    bench.clock.advance(0.1)
    assert ask(bench, METER, b"READ?\n") == pytest.approx(1.25, abs=2e-4)
    assert bench.specimen is None
    assert bench.amplifier is None


def test_a_resistor_to_ground_is_a_load_that_a_current_sensor_sees():
    bench = rack("dac.3 -> 10 kOhm -> ground", "dac.3 -> 40 kOhm -> ground")
    ask(bench, DAC, b"sour3:volt 2\n")
    bench.clock.advance(0.1)
    assert ask(bench, DAC, b"read3?\n") == pytest.approx(2.0 / 8e3, rel=1e-3)


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ("dac.3 -> ground", ["needs a resistor", "dac.3 -> 100 MOhm -> ground"]),
        ("dac.3 -> 3 dB -> meter.input", ["gives a voltage", "light"]),
        ("dac.3 -> 10 kOhm -> meter.input", ["leads to ground"]),
        ("ground -> meter.input", ["write ground last"]),
        ("chip.e8 -> amplifier.in", ["no chip"]),
        ("amplifier.out -> meter.input", ["amplifier.out"]),
        ("dac.1 -> chip.e1", ["chip.e1"]),
        ("dac.trigger1 -> 10 kOhm -> meter.trigger", ["nothing can stand in the middle"]),
    ],
)
def test_a_wire_that_makes_no_sense_says_why(wire, words):
    with pytest.raises(BenchError) as caught:
        rack(wire)
    for word in words:
        assert word in str(caught.value)


def test_an_option_that_a_model_does_not_take_is_named():
    with pytest.raises(BenchError, match=r"emulator\.instruments\.dac\.options.*chanels.*takes none"):
        rack(instruments={"dac": {"model": "qdac2", "options": {"chanels": 3}}})


def test_an_attenuation_in_decibels():
    wire = read_wire("laser.output -> 3 dB -> power.input")
    assert isinstance(wire, Wire)
    assert wire.transmission == pytest.approx(0.501187, rel=1e-5)
    assert read_wire("laser.output -> power.input").transmission == 1.0


def test_the_voltage_at_which_loads_draw_a_current():
    loads = Loads([Resistance(1e3), Resistance(3e3)])
    assert loads.voltage_V(4e-3, -10.0, 10.0, 0.0) == pytest.approx(3.0, rel=1e-9)
    assert loads.voltage_V(1.0, -10.0, 10.0, 0.0) == 10.0
    assert Loads().voltage_V(1e-9, -2.0, 2.0, 0.0) == 2.0

    class Step:
        def drawn_A(self, volts, instant):
            return float(np.sign(volts - 0.3))

    assert Loads([Step()]).voltage_V(0.5, -1.0, 1.0, 0.0) == pytest.approx(0.3, abs=1e-9)


@pytest.mark.parametrize("clock", ["virtual", "wall"])
def test_what_a_script_sleeps_passes_on_a_bench_with_the_walls_clock(clock):
    bench = rack("dac.3 -> meter.input", clock=clock)
    manager = pyvisa.ResourceManager(HilVisaLibrary.for_bench(bench))
    dac = manager.open_resource(DAC, read_termination="\n", write_termination="\n")
    dac.write("sour3:volt:slew 20")
    dac.write("sour3:volt 1")  # 50 ms away
    before_s = bench.clock.now
    time.sleep(0.06)
    after_V = float(dac.query("sour3:volt:last?"))
    if clock == "wall":
        assert after_V == 1.0
        assert bench.clock.now - before_s >= 0.06
    else:
        assert after_V < 0.1
    manager.close()
