"""A mesh on a bench: what drivers read of it against the model, its heat, its heaters, its wires."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from drivers.errors import TripError
from simulators.bench import BenchError
from simulators.bench.chips import CHIPS
from simulators.models.mesh import Fabrication, PhotonicSpecimen, fabricate
from tests.simulators.bench.optics.mesh_bench import LAYOUT, PORTS, SEED, WIRES, Lab, emulated, model

THERMAL_s = 5e-3
HALF = 10.0**-0.3


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab(emulated())
    yield lab
    lab.close()


@pytest.fixture
def broken() -> Iterator[Lab]:
    lab = Lab(emulated(options={"open": ["t1_1"], "shorted": ["p2_0"], "dead": ["out1"]}))
    yield lab
    lab.close()


def shares(lab: Lab) -> np.ndarray:
    with torch.no_grad():
        return model()(lab.modulator_V, lab.heater_V).numpy() / 1e-3


@pytest.mark.parametrize("setting", range(4))
def test_the_stock_meters_read_the_models_light(lab, setting):
    rng = np.random.default_rng(setting)
    lab.modulate(*rng.uniform(0.0, 3.0, PORTS))
    lab.heat(*rng.uniform(0.0, 7.0, 6))
    lab.wait(0.2)
    readings = [lab.watts(port, power.power()) for port, power in enumerate(lab.powers)]
    expected_W = lab.lit_W * shares(lab) * np.array([1.0, 1.0, HALF])
    assert np.ptp(expected_W) > 10.0 * lab.noise_W(0)
    for port in range(PORTS):
        assert readings[port] == pytest.approx(expected_W[port], abs=lab.noise_W(port), rel=1e-4)


def test_a_photoreceiver_makes_a_voltage_of_it(lab):
    lab.modulate(3.0, 1.0, 2.0)
    lab.heat(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    lab.wait(0.2)
    volts = float(lab.meter.query("READ?"))
    assert volts == pytest.approx(20e3 * lab.lit_W * shares(lab)[2], rel=5e-4, abs=1e-4)


def test_a_reading_that_comes_too_early_is_that_of_a_chip_on_its_way(lab):
    lab.modulate(3.0, 0.5, 0.0)
    lab.heat(*[0.0] * 6)
    lab.wait(1.0)
    chip = model()
    cold_W = chip.heaters.powers(lab.heater_V)
    lab.heaters.write("V0=5.0")
    path = lab.bench.instruments["heaters"].channels[0].knots(lab.now - 0.5, lab.now)
    moved_s = float(np.mean(path.times_s[1:3]))  # the middle of 40 us: far below what the meter resolves
    lab.powers[0].visa_handle.write("READ?")
    start_s = lab.now
    early = lab.watts(0, float(lab.powers[0].visa_handle.read())) / lab.lit_W
    tolerance = lab.noise_W(0) / lab.lit_W
    warm_W, volts = chip.heaters.powers(lab.heater_V), lab.modulator_V

    def share(instant: float) -> float:
        felt_W = warm_W + (cold_W - warm_W) * np.exp((moved_s - instant) / THERMAL_s)
        with torch.no_grad():
            return float(chip.shares(volts, chip.heaters.phases(felt_W))[0])

    expected = quad(share, start_s, start_s + 3e-3, epsrel=1e-6)[0] / 3e-3
    assert abs(expected - share(start_s + 1.0)) > 50.0 * tolerance
    assert early == pytest.approx(expected, abs=tolerance, rel=1e-3)


def test_a_reading_during_which_heaters_are_set_is_the_mean_of_what_was_there(lab):
    lab.modulate(3.0, 0.5, 1.0)
    lab.heat(*[0.0] * 6)
    lab.wait(1.0)
    chip, channels = model(), lab.bench.instruments["heaters"].channels[:6]
    cold_W, start_s = chip.heaters.powers(lab.heater_V), lab.now
    for k, volts in enumerate((5.0, 3.0, 6.0, 4.0, 2.0, 7.0)):
        channels[k].set_voltage(volts)
        lab.wait(0.7e-3 if k % 2 else 1e-7)
    lab.wait(20e-3)
    moves_s = [np.mean(channel.knots(start_s - 0.1, lab.now).times_s[1:3]) for channel in channels]
    warm_W, volts = chip.heaters.powers(lab.heater_V), lab.modulator_V
    since_s = torch.tensor(np.array(moves_s))

    def share(instant: float) -> float:
        left = torch.where(instant > since_s, torch.exp((since_s - instant) / THERMAL_s), 1.0)
        with torch.no_grad():
            return float(chip.shares(volts, chip.heaters.phases(warm_W + (cold_W - warm_W) * left))[0])

    stop_s = start_s + 12e-3
    expected = quad(share, start_s, stop_s, points=sorted(set(moves_s)), epsrel=1e-7)[0] / 12e-3
    light = lab.bench.instruments["power0"]._light
    found = light.means(np.array([start_s]), np.array([stop_s]))[0] / lab.lit_W
    assert abs(found - share(stop_s + 1.0)) > 1e-3
    assert found == pytest.approx(expected, rel=2e-4)
    halves = light.means(np.array([start_s, start_s + 5e-3]), np.array([start_s + 5e-3, stop_s])) / lab.lit_W
    assert halves @ [5.0 / 12.0, 7.0 / 12.0] == pytest.approx(expected, rel=2e-4)


def test_voltages_are_what_the_supplys_converter_makes_of_them(lab):
    step_V = 12.0 / (2**16 - 1)
    lab.heat(*([3.0] * 6))
    lab.wait(0.1)
    first = lab.heater_V
    lab.heat(*([3.0 + 0.2 * step_V] * 6))
    lab.wait(0.1)
    assert torch.equal(lab.heater_V, first)
    lab.heat(*([3.0 + step_V] * 6))
    lab.wait(0.1)
    np.testing.assert_allclose((lab.heater_V - first).numpy(), step_V, rtol=0.01)


def test_currents_read_back_as_the_heaters_draw_them(lab):
    lab.heat(1.0, 2.0, 3.0, 5.0, 7.0, 9.0)
    lab.wait(0.1)
    drawn_A = model().heaters.currents(lab.heater_V).detach().numpy()
    np.testing.assert_allclose(lab.heaters.read_currents()[:6], drawn_A, rtol=5e-3, atol=3e-6)
    lab.heat(*[0.0] * 6)


def test_a_heater_that_is_given_too_much_is_switched_off(lab):
    lab.heaters.set_limit(2, amperes=3e-3)
    with pytest.raises(TripError, match="over-current"):
        lab.heaters.set_voltages({2: 5.0})
    assert lab.heaters.read_voltage(2) == pytest.approx(0.0, abs=2e-3)
    lab.heaters.set_limit(2, amperes=24e-3)


def test_what_is_broken_shows_itself(broken):
    lab = broken
    lab.modulate(3.0, 3.0, 3.0)
    names = LAYOUT.shifters
    lab.heaters.set_voltages({names.index("t1_1"): 6.0})
    lab.wait(0.2)
    assert abs(lab.heaters.read_current(names.index("t1_1"))) < 5e-6
    opened = [float(power.ask("READ?")) for power in lab.powers]
    lab.heaters.set_voltages({names.index("t1_1"): 0.0})
    lab.wait(0.2)
    again = [float(power.ask("READ?")) for power in lab.powers]
    for port in range(PORTS):
        assert opened[port] == pytest.approx(again[port], abs=2.0 * lab.noise_W(port), rel=1e-4)
    assert abs(opened[1]) < 2e-8
    assert opened[0] > 1e-5
    with pytest.raises(TripError, match="shorted"):
        lab.heaters.set_voltages({names.index("p2_0"): 5.0})


def test_a_chip_drifts_from_hour_to_hour():
    lab = Lab(emulated(noise=0.0, imperfections={"drift": "100 mrad"}))
    try:
        lab.modulate(3.0, 2.0, 3.0)
        lab.wait(10.0)
        chip = model(drift_rad=0.1)
        found = []
        for hours in (0, 1, 5):
            lab.wait(3600.0 * hours)
            reading = lab.watts(0, float(lab.powers[0].ask("READ?")))
            drift = torch.tensor(lab.bench.specimen.drift(np.array([lab.now])))
            phases = chip.heaters.phases(chip.heaters.powers(lab.heater_V)) + drift
            with torch.no_grad():
                expected_W = lab.lit_W * float(chip.shares(lab.modulator_V, phases)[0, 0])
            assert reading == pytest.approx(expected_W, rel=2e-4)
            found.append(reading / lab.lit_W)
        assert np.min(np.abs(np.diff(found))) > 1e-3 * found[0]
    finally:
        lab.close()


def test_a_modulator_that_moves_within_a_reading_is_averaged_over():
    bench = emulated(noise=0.0)
    lab = Lab(bench)
    try:
        lab.modulate(0.0, 2.0, 2.0)
        lab.wait(1.0)
        start_s = lab.now
        channel = bench.instruments["dac"].channel(1)
        channel.dc.set_slew(500.0)
        channel.dc.set_level(1.5)
        window = np.array([start_s]), np.array([start_s + 4e-3])
        lab.wait(5e-3)
        light = bench.instruments["power0"]._light
        found = light.means(*window)[0] / lab.lit_W
        chip, heaters_V, after = model(), lab.heater_V, lab.modulator_V

        def share(instant: float) -> float:
            volts = after.clone()
            volts[0] = float(channel.knots(instant, instant).values[0])
            with torch.no_grad():
                return float(chip(volts, heaters_V)[0]) / 1e-3

        expected = quad(share, window[0][0], window[1][0], points=[start_s + 3e-3], epsrel=1e-7)[0] / 4e-3
        assert found == pytest.approx(expected, rel=1e-4)
        parts = np.linspace(start_s, start_s + 4e-3, 41)
        assert np.mean(light.means(parts[:-1], parts[1:])) / lab.lit_W == pytest.approx(expected, rel=1e-4)
    finally:
        lab.close()


@pytest.mark.parametrize(
    ("gone", "added", "words"),
    [
        ("heaters.0..5", ["heaters.0..4 -> chip.shifters"], ["a ribbon of 5", "of 6"]),
        ("dac.1..3", ["dac.1..2 -> chip.m0..1"], ["modulator chip.m2 is not wired", "chip.m2 -> ground"]),
        ("heaters.0..5", ["heaters.0 -> chip.t0_0"], ["heater chip.t1_1 is not wired"]),
        ("laser", [], ["no light", "laser.output -> chip.light"]),
        ("none", ["dac.4 -> chip.t0_0"], ["chip.t0_0 is fed by both heaters.0 and dac.4"]),
        ("none", ["chip.t0_0 -> ground"], ["chip.t0_0 is fed by heaters.0 and grounded"]),
        ("none", ["dac.4 -> chip.t9_9"], ["chip.t9_9: no such terminal", "chip.t1_1", "chip.m0"]),
        ("none", ["chip.out7 -> power0.input"], ["chip.out7: no such terminal", "chip.out0"]),
        ("none", ["chip.out0 -> meter.current"], ["meter.current: no such terminal"]),
        ("20 kV/W", ["chip.out0 -> meter.input"], ["takes a voltage", "chip.out0 -> 20 kV/W -> meter.input"]),
        ("none", ["dac.4 -> chip.light"], ["chip.light: no such terminal"]),
        ("none", ["dac.4 -> 20 kV/W -> meter.input"], ["gives a voltage", "photoreceiver"]),
        ("none", ["laser.output -> chip.m0"], ["takes light there: chip.light"]),
        ("none", ["chip.out0 -> 1 kOhm -> power0.input"], ["gives light"]),
        ("none", ["chip.readout -> amplifier.in"], ["chip.readout: no such terminal"]),
    ],
)
def test_a_wire_that_makes_no_sense_says_why(gone, added, words):
    wires = [wire for wire in WIRES if not (wire.startswith(gone) or f" {gone} " in wire)]
    with pytest.raises(BenchError) as caught:
        emulated([*wires, *added])
    for word in words:
        assert word in str(caught.value)


def test_outputs_may_end_in_the_air_and_a_heater_may_be_grounded():
    wires = [wire for wire in WIRES if not wire.startswith(("chip.out", "heaters"))]
    driven = [f"heaters.{k} -> chip.{name}" for k, name in enumerate(LAYOUT.shifters[:-1])]
    bench = emulated([*wires, *driven, "chip.p2_0 -> ground"])
    assert [str(wire) for wire in bench.wires][-1] == "chip.p2_0 -> ground"


def test_another_package_may_bring_a_photonic_chip(monkeypatch):
    specimen = PhotonicSpecimen(fabricate(LAYOUT, Fabrication(), SEED), 0.0, SEED)
    monkeypatch.setitem(CHIPS, "theirs", lambda config, folder: specimen)
    bench = emulated(model="theirs", options={})
    assert bench.specimen is specimen
