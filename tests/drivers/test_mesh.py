"""The mesh driver on a photonic bench of fakes that keeps its own log."""

import gc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from calibration.device import Device, Flag, Shuttered
from drivers.errors import (
    EnvelopeError,
    GarbledAnswer,
    IdentityError,
    InstrumentError,
    InstrumentTimeout,
    ReadbackError,
    SafeStateError,
    ShapeError,
    TripError,
)
from drivers.mesh import PhotonicMesh
from drivers.mesh_layout import Heater, MeshLimits, MeshTiming, Port
from tests.conformance.device import DeviceConformance
from tests.drivers.optical_fakes import (
    DARK_W,
    HEATERS,
    LASER_W,
    SATURATION_W,
    TIMING,
    TOTAL_W,
    Bench,
    fake_mesh,
)

Array = np.ndarray


@pytest.fixture(autouse=True)
def _close_chips() -> Iterator[None]:
    yield
    PhotonicMesh.close_all()
    gc.collect()


VOLTS = np.array([2.0, 3.0, 0.0, 5.0])


def light(*volts: float) -> Array:
    return np.array([[volts]], dtype=float)


class _Conformance(DeviceConformance):
    def control_values(self, device: Device) -> Array:
        """All controls together within the joint power."""
        group = device.controls
        return np.asarray(group.low + 0.6 * (group.high - group.low))


class TestConformance(_Conformance):
    def create_device(self) -> Device:
        return fake_mesh()[0]


class TestConformanceWithHeatersAsInputs(_Conformance):
    def create_device(self) -> Device:
        return fake_mesh(limits=MeshLimits(1.0, 2e-3))[0].with_inputs(["t0_2", "m1"])


# Readings -------------------------------------------------------------------------------------------------


def test_powers_are_those_of_the_settled_chip() -> None:
    mesh, bench = fake_mesh()
    mesh.set_controls(VOLTS)
    points = np.array([[[1.0, 2.0, 3.0], [4.0, 0.5, 0.0]], [[3.0, 3.0, 3.0], [0.0, 1.0, 5.0]]])
    read = mesh.run(points)
    for point, watts in zip(points.reshape(-1, 3), read.outputs.reshape(-1, 3), strict=True):
        np.testing.assert_allclose(watts, bench.settled(point, VOLTS), rtol=1e-6)
    np.testing.assert_allclose(read.taps["heater_currents"][1, 1], VOLTS / 1e3, rtol=1e-9)
    assert not read.flags.any()


def test_heaters_as_inputs_take_their_settling_at_every_sample() -> None:
    mesh, bench = fake_mesh()
    mesh.set_controls(VOLTS)
    view = mesh.with_inputs(["t0_1"])
    assert view.controls.names == ("m0", "m1", "m2", "t0_0", "t0_2", "t0_3")
    view.set_controls(np.array([3.0, 3.0, 3.0, *VOLTS[[0, 2, 3]]]))
    sweep = np.linspace(0.0, 8.0, 9)
    began = bench.now
    read = view.run(sweep[None, :, None])
    assert bench.now - began > 8 * (TIMING.thermal_s + TIMING.averaging_s)
    assert view.sample_rate_Hz == pytest.approx(1.0 / 63e-3)
    assert mesh.sample_rate_Hz == pytest.approx(1.0 / 4e-3)
    for volts, watts in zip(sweep, read.outputs[0], strict=True):
        np.testing.assert_allclose(watts, bench.settled(np.full(3, 3.0), [2.0, volts, 0.0, 5.0]), rtol=1e-6)
    np.testing.assert_allclose(read.taps["heater_currents"][0, :, 1], sweep / 1e3, rtol=1e-9, atol=1e-12)


def test_readings_before_the_heat_has_settled_would_be_wrong() -> None:
    mesh, bench = fake_mesh(timing=replace(TIMING, thermal_s=0.5e-3))
    mesh.run(light(3.0, 3.0, 3.0))
    mesh.set_controls(VOLTS)
    read = mesh.run(light(3.0, 3.0, 3.0)).outputs[0, 0]
    assert np.abs(read / bench.settled(np.full(3, 3.0), VOLTS) - 1.0).max() > 1e-2


def test_what_does_not_move_is_not_waited_for_nor_sent_again() -> None:
    mesh, bench = fake_mesh()
    mesh.set_controls(VOLTS)
    mesh.run(light(1.0, 2.0, 3.0))
    waits, told = len(bench.meters.waits), len(bench.log)
    mesh.run(np.tile([1.0, 2.0, 3.0], (1, 5, 1)))
    assert len(bench.meters.waits) == waits
    assert len(bench.log) == told
    mesh.run(light(1.0, 2.0, 3.1))
    assert bench.meters.waits[waits:] == [TIMING.electrical_s]


def test_saturated_and_over_range_ports_are_flagged_and_stay_finite() -> None:
    mesh, bench = fake_mesh()
    bench.meters.most_W = 0.9e-3
    read = mesh.run(np.array([[[5.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]))
    assert read.flags.tolist() == [[Flag.CLIPPED, 0]]
    assert read.outputs[0, 0, 0] == SATURATION_W
    bench.meters.most_W = 5e-3
    mesh.laser_power(2e-3)
    assert mesh.run(light(0.0, 5.0, 0.0)).flags.tolist() == [[Flag.CLIPPED]]


def test_in_the_dark_only_the_meters_are_read_and_a_zero_takes_that_off() -> None:
    mesh, bench = fake_mesh()
    assert isinstance(mesh, Shuttered)
    view = mesh.with_inputs(["t0_0"])
    assert isinstance(view, Shuttered)
    mesh.run(light(3.0, 3.0, 3.0))
    mesh.light(False)
    assert not bench.laser.open, "at once"
    mesh.rest()
    for _ in range(2):
        np.testing.assert_allclose(mesh.run(light(3.0, 3.0, 3.0)).outputs, DARK_W)
    mesh.zero_meters()
    np.testing.assert_allclose(mesh.run(light(3.0, 3.0, 3.0)).outputs, 0.0, atol=1e-20)
    assert not bench.laser.open, "as it was wished before"
    view.light(True)
    assert mesh.run(light(3.0, 3.0, 3.0)).outputs.max() > 1e-4


def test_the_laser_is_set_up_before_it_is_let_out_and_only_when_a_run_needs_it() -> None:
    mesh, bench = fake_mesh(timing=replace(TIMING, optical_s=0.2))
    mesh.set_controls(VOLTS)
    assert not bench.told("laser")
    mesh.run(light(1.0, 1.0, 1.0))
    assert bench.told("laser") == [LASER_W, 1550e-9, True]
    assert bench.meters.waits == [0.2]
    assert bench.meters.wavelength_m == 1550e-9
    bench.laser.level_W = 5e-3  # somebody turned it up
    mesh.run(light(1.0, 1.0, 1.0))
    assert bench.told("laser")[3:] == [LASER_W, True]


# Limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("controls", "message", "channel", "limit"),
    [
        ([1.0, 8.6, 1.0, 1.0], r"t0_1: 8\.6 V is outside .*where it draws 0\.0085 A into 1000", "t0_1", 8.5),
        ([1.0, 1.0, -0.1, 1.0], r"t0_2: -0\.1 V", "t0_2", 0.0),
        ([7.0, 7.0, 7.5, 7.0], r"joint power: 0\.20325 W exceeds 0\.15 W", "joint power", TOTAL_W),
        ([1.0, np.nan, 1.0, 1.0], r"t0_1: nan is not a voltage", "t0_1", None),
    ],
)  # fmt: skip
def test_a_setting_beyond_a_limit_is_refused_without_an_exchange(
    controls: list[float], message: str, channel: str, limit: float | None
) -> None:
    mesh, bench = fake_mesh()
    mesh.set_controls(VOLTS)
    now = bench.now
    with pytest.raises(EnvelopeError, match=message) as caught:
        mesh.set_controls(np.array(controls))
    assert caught.value.channel == channel
    assert limit is None or caught.value.limit == limit
    with pytest.raises(EnvelopeError, match=rf"{channel}: .* at sample 1 .*nothing was sent"):
        mesh.with_inputs(["t0_0", "t0_1", "t0_2", "t0_3"]).run(np.array([[VOLTS, controls]]))
    assert bench.now == now, "not even a question"


def test_the_joint_power_counts_what_the_other_heaters_hold() -> None:
    mesh, bench = fake_mesh()
    mesh.set_controls(np.array([7.0, 7.0, 7.0, 0.0]))
    told = len(bench.log)
    view = mesh.with_inputs(["t0_3"])
    with pytest.raises(EnvelopeError, match=r"waveform 1: joint power.* exceeds 0\.15 W"):
        view.run(np.array([[[1.0]], [[5.0]]]))
    with pytest.raises(EnvelopeError, match="joint power"):
        mesh.t0_3.voltage(5.0)
    assert len(bench.log) == told


def test_heaters_that_fall_go_before_those_that_rise() -> None:
    mesh, bench = fake_mesh()
    for volts in ([8.0, 8.0, 0.0, 0.0], [0.0, 0.0, 8.0, 8.0], [8.0, 0.0, 8.0, 0.0]):
        mesh.set_controls(np.array(volts))
        np.testing.assert_array_equal(bench.heaters.volts[-1][4:8], volts)
    assert bench.heaters.most_W() <= TOTAL_W


def test_heaters_with_a_slew_go_there_and_to_rest_in_steps() -> None:
    slow = [replace(heater, max_slew_V_per_s=20.0) for heater in HEATERS]
    mesh, bench = fake_mesh(heaters=slow)
    assert mesh.controls.max_slew.tolist() == [20.0] * 4
    mesh.set_controls(np.array([4.0, 2.0, 0.0, 6.0]))
    mesh.t0_0.voltage(1.0)
    mesh.rest()
    times, volts = np.array(bench.heaters.times), np.array(bench.heaters.volts)
    for first in range(len(times) - 1):
        for later in range(first + 1, len(times)):
            step = np.abs(volts[later] - volts[first]).max()
            assert step <= 20.0 * (times[later] - times[first] + 0.021) + 1e-9
    assert volts[-1].max() == 0.0
    assert len(times) > 2 * 0.3 / 0.02


def test_the_laser_has_a_cap() -> None:
    with pytest.raises(EnvelopeError, match=r"laser: 0\.005 W is outside 1e-05 W to 0\.002 W"):
        fake_mesh(laser_power_W=5e-3)
    mesh, bench = fake_mesh()
    now = bench.now
    for bad in (2.1e-3, 1e-6, np.nan):
        with pytest.raises(EnvelopeError, match="laser"):
            mesh.laser_power(bad)
    assert bench.now == now
    mesh.laser_power(2e-3)
    mesh.run(light(1.0, 1.0, 1.0))
    assert bench.laser.level_W == 2e-3


def test_limits_are_passed_on_when_connecting_and_nothing_moves() -> None:
    _, bench = fake_mesh()
    assert bench.heaters.caps == dict.fromkeys((4, 5, 6, 7), (9.0, 0.0085))
    assert bench.source.confined == {1: (-1.0, 5.0), 2: (-1.0, 5.0), 3: (-1.0, 5.0)}
    assert bench.log == []
    assert len(bench.heaters.volts) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heaters": [*HEATERS, Heater("m0", 9, 1.0, 1e-3, 1e3)]}, "m0: both a modulator and a heater"),
        ({"heaters": [*HEATERS, Heater("t9", 4, 1.0, 1e-3, 1e3)]}, "heater channel 4 is used more than once"),
        ({"heaters": [*HEATERS, Heater("a b", 9, 1.0, 1e-3, 1e3)]}, "'a b' cannot be used"),
        ({"heaters": [*HEATERS, Heater("light", 9, 1.0, 1e-3, 1e3)]}, "light is taken by the driver"),
        ({"heaters": [*HEATERS, Heater("t9", 9, 13.0, 1e-3, 1e3)]}, "beyond full scale"),
        ({"expect": {"camera": "x"}}, "expected of camera; there are laser, modulators, heaters, meters"),
    ],
)
def test_a_description_that_cannot_work_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises((ShapeError, EnvelopeError), match=message):
        fake_mesh(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Heater("t", 0, 9.0, 0.0, 1e3),
        lambda: Heater("t", 0, 9.0, 1e-3, float("nan")),
        lambda: Port("out0", 0, 0.0),
        lambda: MeshLimits(0.0, 1.0),
        lambda: MeshTiming(0.0, 1e-3, 1e-3),
        lambda: MeshTiming(1e-3, -1e-3, 1e-3),
    ],
)
def test_layouts_refuse_what_is_no_limit(make: object) -> None:
    with pytest.raises((ShapeError, EnvelopeError)):
        make()  # type: ignore[operator]


def test_identities_are_checked_before_anything_else() -> None:
    bench = Bench()
    with pytest.raises(IdentityError, match=r"fake://laser: found 'Fake, laser.*' where 'TSL' was expected"):
        fake_mesh(bench, expect={"laser": "TSL"})
    assert bench.heaters.caps == {}
    mesh, _ = fake_mesh(expect={"laser": "laser", "meters": "meters"})
    assert mesh.identity["kind"] == "mesh"
    assert mesh.identity["mesh"] == "rectangular"
    assert mesh.identity["ports"] == "3"
    assert mesh.identity["heaters"] == "Fake, heaters, 7, 1.0"
    assert mesh.identity["meters_address"] == "fake://meters"
    assert mesh.get_idn()["model"] == "mesh"


def test_the_snapshot_tells_the_limits_and_parameters_ask_the_hardware() -> None:
    mesh, bench = fake_mesh()
    mesh.m1.voltage(2.0)
    mesh.t0_3.voltage(4.0)
    assert bench.source.outputs[2].at(bench.now) == pytest.approx(2.0)
    assert mesh.t0_3.voltage() == pytest.approx(4.0, rel=1e-3)
    assert mesh.m1.voltage() == pytest.approx(2.0)
    assert mesh.t0_3.snapshot()["metadata"]["resistance_ohm"] == 1e3


# Faults ---------------------------------------------------------------------------------------------------


def _at_rest(bench: Bench) -> None:
    assert not bench.laser.open
    assert all(abs(bench.source.outputs[k].at(bench.now)) < 1e-3 for k in (1, 2, 3))
    assert not bench.heaters.volts[-1].any()


def _driven() -> tuple[PhotonicMesh, Bench]:
    mesh, bench = fake_mesh()
    mesh.set_controls(VOLTS)
    mesh.run(light(3.0, 2.0, 1.0))
    bench.log.clear()
    return mesh, bench


def test_the_safe_state_has_its_order() -> None:
    mesh, bench = _driven()
    stopped: list[str] = []
    abort = bench.source.abort
    bench.source.abort = lambda channels: (bench.tell("modulators", "off"), abort(channels))[1]  # type: ignore[method-assign]
    mesh.safe_state()
    stopped = [who for _, who, what in bench.log if what == "off"]
    assert stopped == ["laser", "modulators", "heaters"]
    _at_rest(bench)
    mesh.safe_state()


def test_whatever_fails_on_the_way_all_of_it_is_tried() -> None:
    mesh, bench = _driven()
    bench.laser.faults.silent = bench.source.faults.silent = True
    with pytest.raises(SafeStateError, match=r"laser: .*no answer.*modulators: .*m0.*m1.*m2") as caught:
        mesh.rest()
    assert "heaters" not in str(caught.value)
    assert not bench.heaters.volts[-1].any()
    bench.laser.faults.silent = bench.source.faults.silent = False
    bench.heaters.faults.silent = True
    with pytest.raises(SafeStateError, match=r"heaters: .*no answer"):
        mesh.rest()
    assert not bench.laser.open
    bench.heaters.faults.silent = False
    mesh.rest()
    _at_rest(bench)


@pytest.mark.parametrize("where", ["laser", "heaters", "meters", "source"])
def test_a_lines_trouble_is_tried_again(where: str) -> None:
    mesh, bench = _driven()
    method = {"laser": "shines", "heaters": "check_trips", "meters": "read", "source": "set_static"}[where]
    getattr(bench, where).faults.raising[method] = [GarbledAnswer("cut"), InstrumentTimeout("late")]
    points = np.array([[[1.0, 2.0, 3.0], [2.0, 2.0, 3.0]]])
    read = mesh.run(points)
    for point, watts in zip(points[0], read.outputs[0], strict=True):
        np.testing.assert_allclose(watts, bench.settled(point, VOLTS), rtol=1e-6)
    assert mesh.cost.readings == 3


@pytest.mark.parametrize("where", ["laser", "heaters", "meters", "source"])
def test_an_instrument_that_does_not_answer_ends_in_the_safe_state(where: str) -> None:
    mesh, bench = _driven()
    method = {"laser": "shines", "heaters": "check_trips", "meters": "read", "source": "set_static"}[where]
    faults = getattr(bench, where).faults
    faults.raising[method] = [InstrumentTimeout(f"fake://{where}: no answer")] * (
        9 if where == "source" else 3
    )
    with pytest.raises(InstrumentTimeout, match=rf"{where}: no answer \(tried 3 times in vain\)") as caught:
        mesh.run(light(1.0, 2.0, 3.0))
    assert caught.value.__notes__ == ["the chip is at rest, in its safe state"]
    _at_rest(bench)
    mesh.run(light(1.0, 2.0, 3.0))


def test_a_meter_that_is_gone_for_good_does_not_keep_the_rest_from_resting() -> None:
    slow = [replace(heater, max_slew_V_per_s=200.0) for heater in HEATERS]
    mesh, bench = fake_mesh(heaters=slow)
    mesh.set_controls(VOLTS)
    bench.meters.faults.silent = True
    with pytest.raises(InstrumentTimeout):
        mesh.run(light(1.0, 2.0, 3.0))
    _at_rest(bench)


def test_a_heater_that_trips_in_a_run_is_named_and_everything_rests() -> None:
    mesh, bench = _driven()
    bench.heaters.trips_at = {5: bench.now + 20e-3}
    with pytest.raises(TripError, match=r"heater t0_1: E02 on channel 5") as caught:
        mesh.run(np.random.default_rng(1).uniform(0.0, 3.0, (1, 30, 3)))
    assert caught.value.channels == (5,)
    _at_rest(bench)
    bench.heaters.caps.clear()  # the unit was off for a moment
    mesh.set_controls(VOLTS)
    assert bench.heaters.caps[5] == (9.0, 8.5e-3)


def test_light_that_goes_out_in_a_run_makes_it_void() -> None:
    mesh, bench = _driven()
    read = bench.meters.read

    def opened(averaging_s: float) -> Array:
        bench.laser.open = False  # an interlock
        return read(averaging_s)

    bench.meters.read = opened  # type: ignore[method-assign]
    with pytest.raises(InstrumentError, match=r"the light went out during the run.*interlock"):
        mesh.run(light(1.0, 2.0, 3.0))
    _at_rest(bench)


def test_a_heater_that_does_not_follow_is_named() -> None:
    mesh, bench = _driven()
    bench.heaters.stuck = {6}
    with pytest.raises(ReadbackError, match="t0_2 at 0 V, sent 3 V"):
        mesh.with_inputs(["t0_2"]).run(np.full((1, 1, 1), 3.0))
    bench.heaters.stuck = set()
    mesh.rest()
    _at_rest(bench)


def test_heaters_standing_outside_their_limits_are_not_moved_from_there() -> None:
    mesh, bench = fake_mesh()
    bench.heaters.volts[-1][5] = 9.5
    with pytest.raises(EnvelopeError, match=r"already stand outside .*t0_1.*rest\(\)"):
        mesh.set_controls(VOLTS)
    assert bench.log == []
    mesh.rest()
    mesh.set_controls(VOLTS)


@pytest.mark.parametrize("where", ["laser", "source", "heaters"])
def test_an_interrupt_on_the_way_to_rest_is_held_back(where: str) -> None:
    mesh, bench = _driven()
    method = "abort" if where == "source" else "safe_state"
    getattr(bench, where).faults.raising[method] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        mesh.rest()
    _at_rest(bench)


def test_closing_rests_and_leaves_the_instruments_open() -> None:
    mesh, bench = _driven()
    with mesh:
        pass
    _at_rest(bench)
    assert bench.told("meters") == ["close"]
    assert "close" not in bench.told("laser")
    mesh.close()
