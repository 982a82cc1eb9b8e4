"""Wires and ribbons of them, as they are written."""

import re

import pytest

from simulators.bench import BenchError
from simulators.bench.wires import read_wire, read_wires


def group(terminal):
    return ("t0_0", "p0_0") if str(terminal) == "chip.shifters" else ()


@pytest.mark.parametrize(
    ("text", "wires"),
    [
        ("dac.1 -> chip.e1", ["dac.1 -> chip.e1"]),
        ("dac.9..11 -> chip.m0..2", ["dac.9 -> chip.m0", "dac.10 -> chip.m1", "dac.11 -> chip.m2"]),
        ("chip.out1..0 -> 3 dB -> power0..1.input", ["chip.out1 -> 3 dB -> power0.input",
                                                    "chip.out0 -> 3 dB -> power1.input"]),
        ("heaters.4..5 -> chip.shifters", ["heaters.4 -> chip.t0_0", "heaters.5 -> chip.p0_0"]),
        ("dac.1 -> chip.m0..1", ["dac.1 -> chip.m0", "dac.1 -> chip.m1"]),
        ("chip.shifters -> ground", ["chip.t0_0 -> ground", "chip.p0_0 -> ground"]),
        ("chip.out0 -> 20 kV/W -> cards.ai0", ["chip.out0 -> 20000 V/W -> cards.ai0"]),
    ],
)  # fmt: skip
def test_a_ribbon_is_as_many_wires(text, wires):
    assert [str(wire) for wire in read_wires(text, group)] == wires


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dac.1..3 -> chip.m0..1", "a ribbon of 3 at its start and of 2 at its end"),
        ("heaters.0..7 -> chip.shifters", "a ribbon of 8 at its start and of 2 at its end"),
        ("dac.1.. -> chip.m0", "'dac.1..' is not a terminal"),
        ("chip.out0 -> 20 kV -> cards.ai0", "photoreceiver in V/W"),
        ("chip.out0 -> -2 dB -> cards.ai0", "not negative"),
        ("chip.out0 -> 0 V/W -> cards.ai0", "a gain is positive"),
        ("chip.out0 -> dB -> cards.ai0", "not in dB"),
    ],
)
def test_what_is_no_ribbon_is_named(text, words):
    with pytest.raises(BenchError, match=re.escape(words)):
        read_wires(text, group)


def test_a_photoreceiver_has_a_gain_and_no_attenuation():
    wire = read_wire("chip.out0 -> 20 kV/W -> cards.ai0")
    assert wire.gain_V_per_W == pytest.approx(20e3)
    assert wire.attenuation_dB is None
