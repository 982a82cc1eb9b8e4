"""The output of a source-measure unit against circuits that can be solved by hand, and its ranges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.bench.analog.currents import ElectrodeLoad
from simulators.clock import VirtualClock
from simulators.instruments.loads import Resistance
from simulators.instruments.path import Knots
from simulators.instruments.source_measure.output import EDGE_S, Drive, OutputTerminal
from simulators.instruments.source_measure.ranges import Converter, Integration, Scale

VOLTS, AMPS = Drive.VOLTS, Drive.AMPS


class Slope:
    """A resistor to a voltage that moves along corners."""

    def __init__(self, ohm, times_s, volts):
        self.ohm, self.times_s, self.volts = ohm, np.array(times_s), np.array(volts)

    def drawn_A(self, volts, instant):
        return (volts - np.interp(instant, self.times_s, self.volts)) / self.ohm

    def corners_s(self, start_s, stop_s):
        return self.times_s[(self.times_s > start_s) & (self.times_s < stop_s)]


class Mesh:
    """Resistors between electrodes and to ground: the Laplacian of a graph."""

    def __init__(self, between_S, ground_S):
        between_S = np.asarray(between_S, dtype=float)
        self.matrix = np.diag(between_S.sum(axis=1) + ground_S) - between_S
        self.asked = 0

    def drawn(self, volts):
        self.asked += 1
        return self.matrix @ volts


def output(*loads, reach_V=210.0, clock=None):
    made = OutputTerminal(clock or VirtualClock(), reach_V)
    for load in loads:
        made.add_load(load)
    return made


def settled(made, drive, level, limit):
    made.source(drive, level, limit)
    made.clock.advance(1e-3)
    return made.point(made.clock.now)


@pytest.mark.parametrize(
    ("drive", "level", "limit", "ohm", "expected"),
    [
        (VOLTS, 5.0, 0.1, 1e3, (5.0, 5e-3, False)),
        (VOLTS, 5.0, 1e-3, 1e3, (1.0, 1e-3, True)),
        (VOLTS, -5.0, 1e-3, 1e3, (-1.0, -1e-3, True)),
        (AMPS, 1e-3, 10.0, 2e3, (2.0, 1e-3, False)),
        (AMPS, 1e-2, 10.0, 2e3, (10.0, 5e-3, True)),
        (AMPS, -1e-2, 10.0, 2e3, (-10.0, -5e-3, True)),
        (AMPS, 1e-9, 10.0, 1e6, (1e-3, 1e-9, False)),
    ],
)
def test_a_resistor_obeys_ohm_and_the_limit(drive, level, limit, ohm, expected):
    point = settled(output(Resistance(ohm)), drive, level, limit)
    assert point[:2] == pytest.approx(expected[:2], rel=1e-9, abs=1e-9)
    assert point.limited is expected[2]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_current_into_an_open_end_runs_into_the_limit(sign):
    assert settled(output(), AMPS, sign * 1e-6, 21.0) == (sign * 21.0, 0.0, True)
    assert settled(output(), AMPS, 0.0, 21.0) == (0.0, 0.0, False)


def test_an_open_relay_floats_to_where_its_loads_draw_nothing():
    battery = Slope(1e3, [0.0], [0.3])
    made = output(battery, Resistance(2e3))
    settled(made, VOLTS, 5.0, 0.1)
    made.open()
    assert made.point(made.clock.now).volts == 5.0, "an open relay has its effect from now on"
    made.clock.advance(1e-3)
    assert made.point(made.clock.now) == (pytest.approx(0.2, rel=1e-9), 0.0, False)
    assert settled(output(), VOLTS, 5.0, 0.1).volts == 5.0
    assert output().point(0.0) == (0.0, 0.0, False)


def test_a_limit_is_met_only_while_the_load_asks_for_it():
    # 1 V over 1 kohm against a voltage that falls from 0 V to -2 V within 2 s: 1 mA at 0 s, 3 mA at 2 s
    made = output(Slope(1e3, [1.0, 3.0], [0.0, -2.0]))
    made.source(VOLTS, 1.0, 2e-3)
    made.clock.advance(4.0)
    corners = made.knots(0.5, 4.0)
    assert corners.at(np.array([0.7, 1.9])) == pytest.approx([1.0, 1.0])
    assert corners.at(np.array([2.5, 3.5])) == pytest.approx([0.5, 0.0], abs=2e-2)
    assert [made.point(t).limited for t in (0.7, 1.9, 2.1, 3.5)] == [False, False, True, True]
    average = made.average(1.0, 3.0)
    assert average.amps == pytest.approx(0.5 * (1.5e-3 + 2e-3), rel=5e-3)
    assert average.volts == pytest.approx(0.5 * (1.0 + 0.5), rel=5e-3)
    assert average.limited


def test_the_current_of_a_load_that_moves_is_averaged_along_its_corners():
    made = output(Slope(1e3, [1.0, 1.001, 1.002], [0.0, 1.0, 0.0]))  # a spike in a long window
    made.source(VOLTS, 0.0, 0.1)
    made.clock.advance(3.0)
    assert made.average(0.5, 2.5).amps == pytest.approx(-1e-3 * 1e-3 / 2.0, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_outputs_on_one_chip_agree_with_the_linear_circuit(seed):
    rng = np.random.default_rng(seed)
    between = np.triu(rng.uniform(0.1, 1.0, (4, 4)), 1) * 1e-3
    mesh = Mesh(between + between.T, 1e-4)
    clock = VirtualClock()
    outputs = [output(clock=clock) for _ in range(4)]
    for k, made in enumerate(outputs):
        made.add_load(ElectrodeLoad(mesh.drawn, outputs, k))
    outputs[0].source(VOLTS, 2.0, 1.0)  # a stiff voltage
    outputs[1].source(AMPS, 3e-4, 20.0)  # a current
    outputs[2].source(VOLTS, -9.0, 5e-4)  # a voltage that cannot be held: a current of -limit
    clock.advance(1.0)  # the fourth is open: no current
    free, fixed = [1, 2, 3], [0]
    amps = np.array([3e-4, -5e-4, 0.0])
    expected = np.linalg.solve(
        mesh.matrix[np.ix_(free, free)], amps - mesh.matrix[np.ix_(free, fixed)] @ np.array([2.0])
    )
    assert expected[1] > -9.0, "else the limit would not be met"
    for first in range(4):  # whoever is asked first
        order = np.roll(np.arange(4), first)
        volts = {k: outputs[k].knots(clock.now, clock.now).values[0] for k in order}
        assert [volts[k] for k in free] == pytest.approx(expected, abs=1e-6)
        clock.advance(1.0)
    assert outputs[2].point(clock.now).limited
    assert not outputs[1].point(clock.now).limited


def test_many_stiff_outputs_ask_the_chip_a_few_times_only():
    mesh = Mesh(1e-3 * (1.0 - np.eye(7)), 1e-4)
    clock = VirtualClock()
    outputs = [output(clock=clock) for _ in range(7)]
    for k, made in enumerate(outputs):
        made.add_load(ElectrodeLoad(mesh.drawn, outputs, k))
        made.source(VOLTS, 0.1 * k, 1.0)
    clock.advance(1.0)
    assert [made.point(1.0).volts for made in outputs] == pytest.approx(0.1 * np.arange(7))
    assert mesh.asked < 7 * 7 * 4


def test_an_output_feels_another_source_move():
    mesh = Mesh([[0.0, 1e-3], [1e-3, 0.0]], 1e-3)
    clock = VirtualClock()
    made, other = output(clock=clock), output(clock=clock)
    made.add_load(ElectrodeLoad(mesh.drawn, [made, other], 0))
    made.source(VOLTS, 1.0, 2.5e-3)
    other.source(VOLTS, 0.0, 1.0)
    clock.advance(1.0)
    other.source(VOLTS, -2.0, 1.0, over_s=1.0)
    clock.advance(2.0)
    # it draws 2 mS * v - 1 mS * other: beyond 2.5 mA once the other is below -0.5 V
    assert [made.point(1.0 + t).limited for t in (0.2, 0.3)] == [False, True]
    assert made.point(3.0).volts == pytest.approx((2.5e-3 - 2e-3) / 2e-3)


def test_levels_ramp_and_the_past_stays():
    made = output(Resistance(1e3))
    made.source(VOLTS, 1.0, 1.0)
    made.clock.advance(1.0)
    made.source(VOLTS, 3.0, 1.0, over_s=2.0)
    assert made.point(2.0).volts == pytest.approx(2.0)
    made.clock.advance(1.0)
    made.source(VOLTS, 0.0, 1.0)
    made.clock.advance(1.0)
    corners = made.knots(0.5, 3.0)
    assert corners.at(np.array([0.7, 1.5, 2.0, 2.1])) == pytest.approx([1.0, 1.5, 2.0, 0.0])
    assert corners.opens[np.isin(corners.times_s, [0.5, 1.0, 2.0])].all()
    assert np.all(np.diff(corners.times_s) > 0.0)
    made.source(AMPS, 5e-3, 10.0)
    made.clock.advance(1.0)
    assert made.point(1.5).volts == pytest.approx(1.5)
    assert made.knots(3.0, 4.0).at(np.array([3.0 + 2 * EDGE_S])) == pytest.approx(5.0)


def test_a_plan_is_followed():
    made = output()
    made.source(VOLTS, 0.0, 1.0)
    made.clock.advance(1.0)
    made.plan(Knots(np.array([1.0, 2.0, 3.0]), np.array([0.0, 4.0, -4.0]), np.array([True, True, False])))
    assert made.knots(1.0, 4.0).at(np.array([1.5, 2.5, 3.5])) == pytest.approx([2.0, 0.0, -4.0])


def test_a_readouts_current_is_sunk_and_limited():
    made = output()
    made.inflow_A = lambda start_s, stop_s: 3e-9
    made.source(VOLTS, 0.0, 1e-6)
    made.clock.advance(1.0)
    assert made.average(0.5, 1.0)[1:] == (-3e-9, False)
    made.source(VOLTS, 0.0, 1e-9)
    made.clock.advance(1.0)
    assert made.average(1.5, 2.0)[1:] == (-1e-9, True)
    made.open()
    made.clock.advance(1.0)
    assert made.average(2.5, 3.0).amps == 0.0


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-20.0, 20.0),
    st.floats(1e-6, 1.0),
    st.lists(st.tuples(st.floats(1.0, 1e9), st.floats(-5.0, 5.0)), min_size=1, max_size=3),
)
def test_whatever_hangs_on_it_the_limit_holds_and_kirchhoff_too(level, limit, branches):
    made = output(*[Slope(ohm, [0.0], [volts]) for ohm, volts in branches])
    point = settled(made, VOLTS, level, limit)
    assert abs(point.amps) <= limit * (1.0 + 1e-9)
    drawn = sum((point.volts - volts) / ohm for ohm, volts in branches)
    assert drawn == pytest.approx(point.amps, rel=1e-6, abs=1e-9)
    assert point.limited or point.volts == level


SCALE = Scale.of((0.2, 1e-6, 1e-4, 3e-4), (2.0, 1e-5, 1e-4, 3e-4), (20.0, 1e-4, 1e-4, 1e-3))


def test_ranges_hold_a_little_more_than_their_span():
    assert [SCALE.holding(v).span for v in (0.0, 0.21, 0.211, -2.1, 21.0, 99.0)] == [0.2, 0.2, 2, 2, 20, 20]
    assert [SCALE.nominal(v).span for v in (0.2, 0.21, 2.0, 21.0)] == [0.2, 2, 2, 20]
    assert SCALE.largest == 21.0


def test_a_converter_stays_within_its_data_sheet_and_overloads():
    for seed in range(20):
        converter = Converter(SCALE, np.random.default_rng(seed))
        for span in SCALE.ranges:
            value = 0.9 * span.span
            bound = span.gain * value + span.offset + span.resolution
            assert abs(converter.read(value, span, 0.0) - value) <= bound
            assert abs(converter.generated(-value, span) + value) <= bound
            assert converter.read(-1.1 * span.span, span, 0.0) == -math.inf
    assert (
        len({Converter(SCALE, np.random.default_rng(s)).generated(1.0, SCALE.ranges[1]) for s in (1, 2)}) == 2
    )


def test_noise_falls_with_the_integration_as_the_table_says():
    integration = Integration((0.01, 0.1, 1.0), (1e-3, 1e-4, 1e-5))
    assert integration.relative_noise(0.1) == pytest.approx(1e-4)
    assert integration.relative_noise(4.0) == pytest.approx(0.5e-5)
    converter = Converter(SCALE, np.random.default_rng(3))
    readings = [converter.read(1.0, SCALE.ranges[1], integration.relative_noise(0.01)) for _ in range(2000)]
    assert np.std(readings) == pytest.approx(2e-3, rel=0.06)
