"""The mesh driver on the emulated bench, through the drivers that a real one would have."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from calibration.device import Device
from drivers.errors import EnvelopeError, InstrumentError, InstrumentTimeout, SafeStateError, TripError
from drivers.mesh import PhotonicMesh
from tests.conformance.device import DeviceConformance
from tests.drivers.optical_bench import SHIFTERS, TIMING, OpticalLab, optical_laboratory
from tests.simulators.bench.optics.mesh_bench import PORTS, model

VOLTS = np.array([3.0, 4.0, 5.0, 1.0, 0.0, 6.0])


@pytest.fixture(scope="module")
def bench() -> Iterator[OpticalLab]:
    with optical_laboratory() as lab:
        yield lab


@pytest.fixture
def lab(bench: OpticalLab) -> Iterator[OpticalLab]:
    """The bench at rest, as every test has to leave it."""
    yield bench
    bench.bench.faults.clear()
    bench.mesh.light(True)
    bench.mesh.rest()


class TestConformance(DeviceConformance):
    """Each reading of each port has noise of its own, and the laser warms up meanwhile."""

    repeatability = 2e-5

    @pytest.fixture(autouse=True)
    def _bench(self, lab: OpticalLab) -> None:
        self.mesh = lab.mesh

    def create_device(self) -> Device:
        return self.mesh


def test_powers_are_those_of_the_settled_chip(lab: OpticalLab) -> None:
    chip = model(drift_rad=0.0)
    lab.mesh.set_controls(VOLTS)
    for point in np.random.default_rng(3).uniform(0.5, 4.0, (4, PORTS)):
        read = lab.mesh.run(point[None, None])
        expected, watts = lab.true_W(chip, read.outputs[0, 0])
        np.testing.assert_allclose(watts, expected, rtol=3e-3, atol=1e-6)
        drawn_A = chip.heaters.currents(_tensor(lab.heater_V())).detach().numpy()
        np.testing.assert_allclose(read.taps["heater_currents"][0, 0], drawn_A, rtol=5e-3, atol=5e-6)


def test_a_sweep_of_a_heater_is_read_when_it_has_settled(lab: OpticalLab) -> None:
    chip = model(drift_rad=0.0)
    lab.mesh.set_controls(VOLTS)
    view = lab.mesh.with_inputs(["t0_0"])
    view.set_controls(np.concatenate([np.full(PORTS, 3.0), VOLTS[1:]]))
    spread = []
    for volts in (0.0, 4.0, 8.0, 2.0):
        read = view.run(np.full((1, 1, 1), volts)).outputs[0, 0]
        expected, watts = lab.true_W(chip, read)
        np.testing.assert_allclose(watts, expected, rtol=3e-3, atol=1e-6)
        spread.append(expected)
    assert np.ptp(spread, axis=0).max() > 1e-4


def test_settling_passes_on_the_benchs_clock_and_nobody_sleeps(lab: OpticalLab) -> None:
    lab.mesh.set_controls(VOLTS)
    lab.mesh.run(np.full((1, 1, PORTS), 2.0))
    view = lab.mesh.with_inputs(list(SHIFTERS))
    points = np.random.default_rng(1).uniform(0.0, 6.0, (1, 20, len(SHIFTERS)))
    began_s, began = lab.now, time.perf_counter()
    view.run(points)
    each_s = (lab.now - began_s) / 20
    assert each_s > TIMING.thermal_s + TIMING.averaging_s
    assert each_s < 1.3 * (TIMING.thermal_s + TIMING.averaging_s), "and little else"
    assert time.perf_counter() - began < 20 * each_s


def test_darks_and_light(lab: OpticalLab) -> None:
    lab.mesh.run(np.full((1, 1, PORTS), 3.0))
    assert lab.emits()
    lab.mesh.light(False)
    assert not lab.emits()
    assert np.abs(lab.mesh.run(np.full((1, 1, PORTS), 3.0)).outputs).max() < 2e-9
    lab.mesh.zero_meters()
    lab.mesh.light(True)
    assert lab.mesh.run(np.full((1, 1, PORTS), 3.0)).outputs.max() > 1e-5
    lab.mesh.rest()
    lab.assert_at_rest()


def test_what_is_refused_sends_no_byte(lab: OpticalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.mesh.set_controls(VOLTS)
    sent: list[bytes] = []
    for resource in lab.bench.resources.values():
        _listen(resource, sent, monkeypatch)
    for bad in ([3.0, 4.0, 9.1, 1.0, 0.0, 6.0], [8.9] * 6, [np.nan] * 6):
        with pytest.raises(EnvelopeError):
            lab.mesh.set_controls(np.array(bad))
    with pytest.raises(EnvelopeError, match=r"waveform 1: m2: 5\.1 V"):
        lab.mesh.run(np.array([[[1.0, 1.0, 1.0]], [[1.0, 1.0, 5.1]]]))
    with pytest.raises(EnvelopeError, match="laser"):
        lab.mesh.laser_power(10e-3)
    assert sent == []
    lab.mesh.run(np.full((1, 1, PORTS), 1.0))
    assert sent


@pytest.mark.parametrize("name", ["power1", "heaters", "dac", "laser"])
def test_answers_that_are_lost_are_asked_for_again(lab: OpticalLab, name: str) -> None:
    lab.mesh.set_controls(VOLTS)
    lab.mesh.run(np.full((1, 1, PORTS), 2.0))
    chip = model(drift_rad=0.0)
    lab.silence(name, 2)
    read = lab.mesh.run(np.full((1, 3, PORTS), 3.0))
    expected, watts = lab.true_W(chip, read.outputs[0, -1])
    np.testing.assert_allclose(watts, expected, rtol=3e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["power1", "laser"])
def test_an_instrument_that_is_silent_for_good_ends_in_the_safe_state(lab: OpticalLab, name: str) -> None:
    lab.mesh.set_controls(VOLTS)
    lab.mesh.run(np.full((1, 1, PORTS), 2.0))
    lab.silence(name)
    with pytest.raises(InstrumentTimeout, match="tried 3 times in vain") as caught:
        lab.mesh.run(np.full((1, 3, PORTS), 3.0))
    said = " ".join(caught.value.__notes__)
    assert ("not reached: not known to be safe: laser" if name == "laser" else "at rest") in said
    lab.assert_at_rest()  # also a laser that does not answer has heard it
    lab.bench.faults.clear()
    lab.mesh.run(np.full((1, 1, PORTS), 2.0))


def test_a_heater_that_trips_in_a_run_is_named(lab: OpticalLab) -> None:
    lab.mesh.set_controls(VOLTS)
    lab.mesh.run(np.full((1, 1, PORTS), 2.0))
    unit: Any = lab.bench.instruments["heaters"]
    lab.bench.clock.schedule(lab.now + 0.1, lambda: unit.channels[2].limit_current(1e-3))
    with pytest.raises(TripError, match=rf"heater {SHIFTERS[2]}: .*E02 on channel 2.*over-current") as caught:
        lab.mesh.run(np.random.default_rng(5).uniform(0.0, 3.0, (1, 20, PORTS)))
    assert caught.value.channels == (2,)
    lab.assert_at_rest()
    lab.mesh.set_controls(VOLTS)  # its limits are the mesh's again
    assert lab.heater_V()[2] == pytest.approx(VOLTS[2], rel=5e-3)


def test_light_that_goes_out_in_a_run_is_noticed(lab: OpticalLab) -> None:
    lab.mesh.run(np.full((1, 1, PORTS), 2.0))
    laser: Any = lab.bench.instruments["laser"]
    lab.bench.clock.schedule(lab.now + 0.1, lambda: laser.set_emitting(False))
    with pytest.raises(InstrumentError, match="light went out"):
        lab.mesh.run(np.random.default_rng(5).uniform(0.0, 3.0, (1, 10, PORTS)))
    lab.assert_at_rest()


def test_the_safe_state_goes_from_the_light_to_the_heaters(lab: OpticalLab) -> None:
    lab.mesh.set_controls(VOLTS)
    lab.mesh.run(np.full((1, 1, PORTS), 3.0))
    began_W, seen = lab.laser_W(), []
    resting = False

    def look() -> None:
        seen.append((lab.laser_W(), lab.modulator_V().min(), lab.heater_V().max()))
        if not resting:
            lab.bench.clock.schedule(lab.now + 1e-4, look)

    look()
    lab.mesh.rest()
    resting = True
    first = [next(k for k, now in enumerate(seen) if now[what] < level) for what, level in
             enumerate((0.99 * began_W, 2.99, 5.9))]  # fmt: skip
    assert 0 < first[0] < first[1] < first[2]
    lab.assert_at_rest()


def test_the_supplys_own_protection_has_the_heaters_limits(lab: OpticalLab) -> None:
    assert lab.instruments.heaters.limits(3) == pytest.approx((9.0, 12e-3), rel=1e-3)


def test_heaters_that_do_not_answer_on_the_way_to_rest_are_named(lab: OpticalLab) -> None:
    lab.mesh.set_controls(VOLTS)
    lab.silence("heaters")
    with pytest.raises(SafeStateError, match="heaters: "):
        lab.mesh.rest()
    np.testing.assert_array_equal(lab.heater_V(), 0.0)
    lab.bench.faults.clear()
    lab.mesh.rest()


def test_who_is_on_the_bench(lab: OpticalLab) -> None:
    who = lab.mesh.identity
    assert "TSL-570" in who["laser"]
    assert "QDAC-II" in who["modulators"]
    assert who["heaters"].startswith("Q8iv-")
    assert who["meters"].count("PM100D") == PORTS
    assert isinstance(lab.mesh, PhotonicMesh)


def _listen(resource: Any, sent: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    write = resource.write

    def heard(data: bytes, end: bool = True) -> None:
        sent.append(data)
        write(data, end)

    monkeypatch.setattr(resource, "write", heard)


def _tensor(values: np.ndarray) -> Any:
    import torch

    return torch.as_tensor(values)
