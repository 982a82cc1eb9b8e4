"""The QDAC-II, driven by the stock driver of qcodes-contrib-drivers."""

import numpy as np
import pytest

from simulators.instruments.qdac2.channel import FILTERS_HZ

NO_ERROR = '0,"No error"'


def output(lab, channel):
    return lab.bench.instruments["dac"].channel(channel)


def at(lab, channel, instants):
    """What channel gave at each instant, before its own errors."""
    instants = np.asarray(instants)
    corners = output(lab, channel).generated(float(instants.min()), float(instants.max()) + 1e-9)
    return corners.at(instants)


def test_every_parameter_of_a_channel_can_be_read_and_written_back(lab):
    channel = lab.dac.ch01
    for parameter in channel.parameters.values():
        value = parameter.get() if parameter.gettable and parameter.name != "fetch_current_A" else None
        if parameter.settable and value is not None:
            parameter.set(value)
            assert parameter.get() == value, parameter.name
    for parameter in (lab.dac.ext3.width_s, lab.dac.ext3.delay_s, lab.dac.ext3.polarity):
        parameter.set(parameter.get())
    assert lab.dac.errors() == NO_ERROR
    lab.dac.snapshot(update=True)
    assert lab.dac.errors() == NO_ERROR


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("measurement_range", "low"),
        ("measurement_aperture_s", 0.005),
        ("measurement_nplc", 4),
        ("measurement_delay_s", 0.25),
        ("measurement_count", 7),
        ("output_range", "low"),
        ("output_filter", "med"),
        ("dc_constant_V", -1.25),
        ("dc_next_V", 0.75),
        ("dc_slew_rate_V_per_s", 12.5),
        ("dc_mode", "sweep"),
    ],
)
def test_a_setting_is_kept_and_reset(lab, name, value):
    parameter = lab.dac.ch07.parameters[name]
    before = parameter.get()
    parameter.set(value)
    assert parameter.get() == value
    lab.dac.write("*rst")
    assert parameter.get() == before
    assert lab.dac.errors() == NO_ERROR


def test_who_it_is(lab):
    assert lab.dac.IDN() == {
        "vendor": "QDevil",
        "model": "QDAC-II",
        "serial": "123",
        "firmware": "13-1.57",
    }
    assert lab.dac.mac().startswith("04-91-62-C")


def test_a_voltage_is_approached_at_the_slew_limit(lab):
    channel = lab.dac.ch02
    channel.dc_slew_rate_V_per_s(2.0)
    begin = lab.bench.clock.now
    channel.dc_constant_V(1.0)
    on_its_way = [channel.dc_last_V() for _ in range(3)]
    assert 0.0 < on_its_way[0] < on_its_way[1] < on_its_way[2] < 0.01
    assert channel.dc_constant_V() == 1.0
    lab.dac.ask("*opc?")
    assert channel.dc_last_V() == 1.0
    assert lab.bench.clock.now - begin == pytest.approx(0.5, abs=0.01)
    record = lab.bench.instruments["dac"].record(2)
    assert record.highest_V == 1.0
    assert record.lowest_V == 0.0


def test_a_voltage_beyond_the_range_changes_nothing(lab):
    channel = lab.dac.ch03
    channel.dc_constant_V(0.5)
    channel.output_range("low")
    lab.dac.write("sour3:volt 2.5")
    assert lab.dac.error().startswith("-222,")
    assert channel.dc_constant_V() == 0.5
    assert channel.dc_last_V() == 0.5
    lab.dac.write_floats("sour3:list:volt ", [0.0, 3.0])
    assert lab.dac.error().startswith("-222,")
    assert lab.dac.ask("sour3:list:poin?") == "0"
    channel.output_range("high")
    channel.dc_constant_V(5.0)
    channel.output_range("low")
    assert lab.dac.error().startswith("-221,")
    assert channel.output_range() == "high"
    assert float(lab.dac.ask("sour3:volt? MAX")) == 10.0


def test_a_list_is_played_from_a_trigger_at_its_dwell(lab):
    volts = [0.5, -0.25, 1.0, 0.125]
    context = lab.dac.ch04.dc_list(voltages=volts, dwell_s=2e-3, delay_s=1e-3)
    assert context.values_V() == volts
    assert context.points() == 4
    trigger = lab.dac.allocate_trigger()
    context.start_on(trigger)
    lab.dac.trigger(trigger)
    begin = lab.bench.clock.now + 1e-3
    assert context.cycles_remaining() == 1
    lab.dac.ask("*opc?")
    assert context.cycles_remaining() == 0
    assert lab.bench.clock.now >= begin + 8e-3
    instants = begin + np.array([-1e-4, 1e-3, 3e-3, 5e-3, 7e-3, 9e-3])
    np.testing.assert_allclose(at(lab, 4, instants), [0.0, *volts, 0.125])
    context.append([0.75])
    assert context.points() == 5
    context.close()
    assert lab.dac.ch04.dc_last_V() == 0.125
    assert lab.dac.errors() == NO_ERROR


def test_a_list_runs_backwards_again_and_again_and_for_ever(lab):
    twice = lab.dac.ch05.dc_list(voltages=[0.0, 0.5, 1.0], dwell_s=1e-3, repetitions=2, backwards=True)
    twice.start()
    begin = lab.bench.clock.now
    lab.dac.ask("*opc?")
    np.testing.assert_allclose(
        at(lab, 5, begin + 1e-3 * np.arange(6) + 5e-4), [1.0, 0.5, 0.0, 1.0, 0.5, 0.0], atol=1e-12
    )
    ever = lab.dac.ch05.dc_list(voltages=[0.0, 1.0], dwell_s=1e-3, repetitions=-1)
    ever.start()
    begin = lab.bench.clock.now
    lab.bench.clock.advance(0.2)
    assert ever.cycles_remaining() == -1
    np.testing.assert_allclose(at(lab, 5, begin + np.array([0.1005, 0.1015])), [0.0, 1.0], atol=1e-12)
    ever.abort()
    held = lab.dac.ch05.dc_last_V()
    lab.bench.clock.advance(0.2)
    assert lab.dac.ch05.dc_last_V() == held
    ever.close()


def test_the_slew_limit_holds_within_lists_and_sweeps(lab):
    lab.dac.ch06.dc_slew_rate_V_per_s(100.0)
    lab.dac.ch06.dc_list(voltages=[0.3, 0.0, 0.05], dwell_s=1e-3).start()
    begin = lab.bench.clock.now
    lab.dac.ask("*opc?")
    np.testing.assert_allclose(
        at(lab, 6, begin + np.array([5e-4, 1e-3, 2e-3, 2.25e-3, 2.6e-3])),
        [0.05, 0.1, 0.0, 0.025, 0.05],
        atol=1e-9,
    )
    lab.dac.ch06.dc_sweep(start_V=0.05, stop_V=1.05, points=11, dwell_s=1e-3, stepped=True).start()
    lab.dac.ask("*opc?")
    corners = output(lab, 6).generated(begin, lab.bench.clock.now)
    steps = np.diff(corners.times_s)
    fastest = np.max(np.abs(np.diff(corners.values))[steps > 0] / steps[steps > 0])
    assert fastest == pytest.approx(100.0, rel=1e-6)


def test_steps_of_a_list_wait_for_their_triggers(lab):
    context = lab.dac.ch07.dc_list(voltages=[0.1, 0.2, 0.3], stepped=True)
    trigger = lab.dac.allocate_trigger()
    context.start_on(trigger)
    seen = []
    for _ in range(4):
        lab.dac.trigger(trigger)
        lab.bench.clock.advance(0.1)
        seen.append(lab.dac.ch07.dc_last_V())
    np.testing.assert_allclose(seen, [0.1, 0.2, 0.3, 0.1], atol=1e-7)
    context.close()


def test_a_sweep_in_steps_and_as_a_line(lab):
    sweep = lab.dac.ch08.dc_sweep(start_V=-1.0, stop_V=1.0, points=5, dwell_s=1e-2, stepped=True)
    assert sweep.time_s() == pytest.approx(0.05)
    np.testing.assert_allclose(sweep.values_V(), [-1, -0.5, 0, 0.5, 1])
    sweep.start()
    begin = lab.bench.clock.now
    lab.dac.ask("*opc?")
    middles = begin + 1e-2 * np.arange(5) + 5e-3
    np.testing.assert_allclose(at(lab, 8, middles), [-1, -0.5, 0, 0.5, 1], atol=1e-9)
    line = lab.dac.ch08.dc_sweep(
        start_V=-1.0, stop_V=1.0, points=5, dwell_s=1e-2, stepped=False, backwards=True
    )
    line.start()
    begin = lab.bench.clock.now
    lab.dac.ask("*opc?")
    np.testing.assert_allclose(
        at(lab, 8, begin + 1e-2 * np.arange(1, 5) + 5e-3), [0.75, 0.25, -0.25, -0.75], atol=1e-9
    )
    assert line.cycles_remaining() == 0


def test_waves_are_added_to_the_direct_voltage(lab):
    channel = lab.dac.ch09
    channel.dc_constant_V(1.0)
    with channel.sine_wave(frequency_Hz=100.0, span_V=0.4, offset_V=0.1, repetitions=3) as sine:
        sine.start()
        begin = lab.bench.clock.now
        assert sine.cycles_remaining() == 3
        lab.dac.ask("*opc?")
        phases = np.linspace(0.01, 2.99, 200)
        expected = 1.1 + 0.2 * np.sin(2 * np.pi * phases)
        seen = at(lab, 9, begin + 0.01 * phases)
        np.testing.assert_allclose(seen[phases > 0.02], expected[phases > 0.02], atol=3e-4)
        assert sine.cycles_remaining() == 0
    with channel.square_wave(period_s=0.01, span_V=0.2, kind="positive", duty_cycle_percent=20) as square:
        square.start()
        begin = lab.bench.clock.now
        lab.bench.clock.advance(0.1)
        np.testing.assert_allclose(
            at(lab, 9, begin + np.array([0.051, 0.0519, 0.0521, 0.059])), [1.2, 1.2, 1, 1]
        )
    with channel.triangle_wave(period_s=0.01, span_V=0.2, inverted=True) as triangle:
        triangle.start()
        begin = lab.bench.clock.now
        lab.bench.clock.advance(0.1)
        np.testing.assert_allclose(
            at(lab, 9, begin + 0.05 + 0.01 * np.array([0.0, 0.25, 0.5, 0.75])),
            [1.0, 0.9, 1.0, 1.1],
            atol=1e-9,
        )
    lab.bench.clock.advance(1e-3)
    assert at(lab, 9, [lab.bench.clock.now - 1e-4])[0] == 1.0
    assert lab.dac.errors() == NO_ERROR


def test_a_trace_is_played_at_a_megasample(lab):
    values = np.sin(np.arange(500) / 20.0).astype(np.float32)
    trace = lab.dac.allocate_trace("wave", 500)
    trace.waveform(values)
    assert lab.dac.traces() == ['"wave"']
    trigger = lab.dac.allocate_trigger()
    with lab.dac.ch10.arbitrary_wave("wave", scale=0.5, offset_V=-0.1, repetitions=2) as wave:
        wave.start_on(trigger)
        wave.start()
        begin = lab.bench.clock.now
        lab.dac.ask("*opc?")
        ends = begin + 1e-6 * np.arange(1, 1001)
        np.testing.assert_allclose(at(lab, 10, ends), 0.5 * np.tile(values, 2) - 0.1, atol=1e-6)
    with pytest.raises(ValueError, match="does not match"):
        trace.waveform([0.0])
    lab.dac.write_floats('trac:data "wave",', [0.0, 1.0])
    assert lab.dac.error().startswith("-223,")
    lab.dac.remove_traces()
    assert lab.dac.traces() == []
    lab.dac.write('sour10:awg:def "wave"')
    assert lab.dac.error().startswith("-224,")


def test_one_bus_trigger_starts_everything_that_waits_for_it(lab):
    contexts = [lab.dac.channel(n).dc_list(voltages=[0.1 * n], dwell_s=1e-3) for n in (11, 12)]
    assert lab.dac.ch11.dc_last_V() == 0.0
    lab.dac.start_all()
    lab.dac.ask("*opc?")
    np.testing.assert_allclose([lab.dac.ch11.dc_last_V(), lab.dac.ch12.dc_last_V()], [1.1, 1.2], rtol=1e-7)
    for context in contexts:
        context.close()


def test_markers_chain_generators_and_reach_the_outputs(lab):
    pulses = []
    socket = lab.bench.instruments["dac"].terminals.trigger_outputs["trigger2"]
    socket.listeners.append(lambda pulse: pulses.append(pulse.start_s))
    first = lab.dac.ch13.dc_list(voltages=[0.1, 0.2, 0.3], dwell_s=1e-3, repetitions=2)
    lab.dac.connect_external_trigger(2, first.step_start_marker())
    second = lab.dac.ch14.dc_list(voltages=[0.5], dwell_s=1e-3)
    second.start_on(first.end_marker())
    first.start()
    begin = lab.bench.clock.now
    lab.dac.ask("*opc?")
    lab.bench.clock.advance(5e-3)
    np.testing.assert_allclose(pulses, begin + 1e-3 * np.arange(6), atol=1e-9)
    np.testing.assert_allclose(at(lab, 14, begin + np.array([5.9e-3, 6.1e-3])), [0.0, 0.5])
    socket.listeners.clear()
    first.close()
    second.close()


def test_an_external_input_starts_a_list(lab):
    context = lab.dac.ch15.dc_list(voltages=[0.4])
    context.start_once_on_external(3)
    lab.bench.instruments["dac"].lines.fire("EXT2")
    lab.bench.clock.advance(0.01)
    assert lab.dac.ch15.dc_last_V() == 0.0
    lab.bench.instruments["dac"].lines.fire("EXT3")
    lab.bench.clock.advance(0.01)
    assert lab.dac.ch15.dc_last_V() == pytest.approx(0.4)
    context.close()


def test_the_next_voltage_waits_for_its_trigger(lab):
    lab.dac.ch16.dc_next_V(0.3)
    assert lab.dac.ch16.dc_last_V() == 0.0
    lab.dac.ch16.dc_initiate()
    lab.dac.ask("*opc?")
    assert lab.dac.ch16.dc_last_V() == pytest.approx(0.3)


@pytest.mark.parametrize("name", ["med", "dc"])
def test_a_filter_rounds_a_step(lab, name):
    lab.dac.ch17.output_filter(name)
    lab.dac.ch17.dc_constant_V(1.0)
    step = lab.bench.clock.now
    tau = 1 / (2 * np.pi * FILTERS_HZ[name.upper()])
    lab.bench.clock.advance(10 * tau)
    channel = output(lab, 17)
    instants = step + tau * np.array([0.5, 1.0, 2.0, 3.0])
    seen = channel.knots(step, step + 9 * tau).at(instants + 0.5e-6)  # the step itself takes 1 us
    np.testing.assert_allclose(seen, 1 - np.exp(-(instants - step) / tau), atol=8e-3)


def test_a_channel_is_slightly_off_and_steps_in_its_least_significant_bit(lab):
    lab.dac.ch18.dc_constant_V(1.0)
    lab.bench.clock.advance(1e-3)
    channel = output(lab, 18)
    now = lab.bench.clock.now
    given = channel.knots(now - 1e-4, now).values[-1]
    assert given != 1.0
    assert given == pytest.approx(1.0, abs=2e-4)
    lsb = 20 / 2**25
    assert (given - channel.offset_error_V) / (1 + channel.gain_error) / lsb == pytest.approx(
        round(1.0 / lsb), abs=1e-4
    )


def test_the_current_sensor_reads_what_the_resistor_takes(lab):
    channel = lab.dac.ch08
    channel.dc_constant_V(5.0)
    with channel.measurement(repetitions=4, current_range="low", nplc=2) as measurement:
        measurement.start()
        assert measurement.n_cycles_remaining() == 4
        lab.bench.clock.advance(0.2)
        assert measurement.n_available() == 4
        currents = measurement.available_A()
        assert measurement.n_available() == 0
    np.testing.assert_allclose(currents, 5.0 / 100.03e6, atol=2e-10)
    channel.measurement_count(1)
    assert channel.read_current_A() == pytest.approx([5.0 / 100.03e6], abs=2e-10)
    assert channel.current_last_A() == channel.fetch_current_A()[0]


def test_virtual_gates_move_together(lab):
    with lab.dac.arrange(
        contacts={"plunger": 19, "barrier": 20, "lead": 21},
        output_triggers={"scope": 5},
        internal_triggers=["row"],
        outer_trigger_channel=22,
    ) as gates:
        gates.add_correction("plunger", [1.0, 0.5, 0.0])
        gates.set_virtual_voltages({"plunger": 0.2, "barrier": -0.1})
        assert lab.dac.ch19.dc_constant_V() == pytest.approx(0.15)
        assert len(gates.currents_A()) == 3
        sweep = gates.virtual_sweep("plunger", np.linspace(0, 1, 6), step_time_s=1e-3, step_trigger="scope")
        with sweep:
            sweep.start()
            begin = lab.bench.clock.now
            lab.dac.ask("*opc?")
            np.testing.assert_allclose(
                at(lab, 19, begin + 1e-3 * np.arange(6) + 5e-4), sweep.actual_values_V("plunger"), atol=1e-6
            )
        rows = gates.virtual_sweep2d(
            "plunger",
            [0.0, 0.1],
            "barrier",
            [0.0, 0.2, 0.4],
            outer_step_trigger="row",
            inner_step_time_s=1e-3,
        )
        with rows:
            rows.start()
            lab.dac.ask("*opc?")
        gates.leakage(0.01)
    assert lab.dac.errors() == NO_ERROR


def test_the_record_never_forgets(lab):
    dac = lab.bench.instruments["dac"]
    lab.dac.ch23.dc_constant_V(-3.0)
    lab.bench.clock.advance(60.0)
    for volts in (0.1, 0.2, 0.3):
        lab.dac.ch23.dc_constant_V(volts)
        lab.bench.clock.advance(20.0)
    assert dac.channel(23).dc.path.begin_s > 1.0
    assert dac.record(23).lowest_V == -3.0
    assert dac.record(23).fastest_V_per_s == pytest.approx(3.1e6, rel=1e-3)  # 3.1 V in one update
    assert dac.record(24).largest_V == 0.0
