"""Stages from nothing but the design: what they find is the hidden truth, and every stage brings the twin nearer."""

import numpy as np
import pytest

from calibration.errors import NotEnoughData
from calibration.mesh import MeshCalibration
from calibration.mesh.plan import sweep_stages
from simulators.models.mesh import Kind, heater_places
from tests.calibration.mesh.lab import Lab

CASES = [("rectangular", n) for n in (2, 3, 4, 5, 8)] + [("triangular", n) for n in (4, 8)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def calibrated(request: pytest.FixtureRequest) -> tuple[Lab, list[MeshCalibration]]:
    kind, ports = request.param
    lab = Lab(kind, ports)
    return lab, lab.calibrated()


Calibrated = tuple[Lab, list[MeshCalibration]]


def test_every_shifter_can_be_trusted(calibrated: Calibrated) -> None:
    lab, known = calibrated
    assert [shifter.reason for shifter in known[-1].shifters if not shifter.ok] == []
    for stage in sweep_stages(layout=lab.layout):
        more = sum(name.startswith("way") for name in lab.seen[stage.name])
        assert len(lab.seen[stage.name]) - more == stage.blocks, stage.name
    assert set(known[-1].figures) == {stage.name for stage in sweep_stages()}
    spent = sum(known[-1].figures[name]["readings"] for name in known[-1].figures)
    assert spent == lab.device.cost.readings
    assert spent < 80 * lab.ports**2


def test_internal_phases_are_the_true_ones(calibrated: Calibrated) -> None:
    lab, known = calibrated
    errors = lab.phase_errors(known[-1])
    assert np.median(errors) < 0.015
    assert errors.max() < 0.05


def test_heaters_are_the_true_ones(calibrated: Calibrated) -> None:
    lab, known = calibrated
    found, true = known[-1].twin.heaters, lab.chip.heaters
    np.testing.assert_allclose(found.gamma_rad_per_W, true.gamma_rad_per_W, rtol=0.01)
    np.testing.assert_allclose(found.resistance_ohm, true.resistance_ohm, rtol=1e-6)
    np.testing.assert_allclose(found.rise_per_W, true.rise_per_W, rtol=1e-6)


def test_ports_are_the_true_ones(calibrated: Calibrated) -> None:
    lab, known = calibrated
    parts, true = known[-1].twin.modulators, lab.chip.modulators
    np.testing.assert_allclose(parts.closed_V, true.closed_V, atol=0.01)
    np.testing.assert_allclose(parts.half_wave_V, true.half_wave_V, atol=0.01)
    ratio = (known[-1].twin.port_transmission / lab.chip.port_transmission).numpy()
    # the way of a row through a triangle is longer or shorter, and has so much more or less loss
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.04 if lab.kind == "rectangular" else 0.08)
    assert known[-1].figures["ports"]["dark_by"] == "laser"
    np.testing.assert_allclose(known[-1].dark_W, 2e-10, atol=3e-10)
    assert known[-1].figures["ports"]["relative_noise"] == pytest.approx(1e-3, rel=0.5)


def test_crosstalk_of_nearest_neighbours_is_the_true_one(calibrated: Calibrated) -> None:
    lab, known = calibrated
    true, places = lab.chip.heaters.matrix().numpy(), heater_places(lab.layout)
    index = lab.layout.shifters.index
    near = [pair for pair in known[-1].figures["crosstalk"]["pairs"] if pair["distance"] == 1.0]
    assert len(near) > len(places) / 2
    ratios = np.array([p["rad_per_W"] / true[index(p["shifter"]), index(p["heater"])] for p in near])
    np.testing.assert_allclose(ratios, 1.0, atol=0.2)
    assert abs(np.median(ratios) - 1.0) < 0.05
    twin = known[-1].twin.heaters.matrix().numpy()
    assert [twin[index(p["shifter"]), index(p["heater"])] for p in near] == [p["rad_per_W"] for p in near]


def test_every_stage_brings_the_twin_nearer(calibrated: Calibrated) -> None:
    lab, known = calibrated
    fidelity = [lab.fidelity(one) for one in known]
    internal, external, crosstalk = fidelity[3:]
    assert internal > fidelity[0]
    # at two ports the light of one input is shared out by the internal phase alone
    assert external > internal - (1e-4 if lab.ports == 2 else 0.0)
    assert crosstalk > external - 1e-4
    assert crosstalk > 0.993


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rectangular", "triangular"])
def test_sixteen_ports_where_no_light_comes_through_at_first(kind: Kind) -> None:
    lab = Lab(kind, 16, splitter_rad=0.05)
    known = lab.calibrated()
    assert [shifter.reason for shifter in known[-1].shifters if not shifter.ok] == []
    assert lab.phase_errors(known[-1]).max() < 0.1
    assert lab.fidelity(known[-1]) > 0.97


def test_without_splitter_errors_nothing_is_left() -> None:
    lab = Lab(splitter_rad=0.0, ports=5)
    known = lab.calibrated()
    assert lab.phase_errors(known[-1]).max() < 0.01
    assert lab.fidelity(known[-1]) > 0.9998


def test_splitters_show_in_the_darkest_points() -> None:
    lab = Lab(ports=5)
    known = lab.calibrated()[-1]
    both = (lab.chip.mesh.splitter_in + lab.chip.mesh.splitter_out).abs().tolist()
    apart = (lab.chip.mesh.splitter_in - lab.chip.mesh.splitter_out).abs().tolist()
    for shifter, total, difference in zip(known.shifters, both, apart, strict=False):
        assert shifter.figures["splitter_sum_rad"] == pytest.approx(total, abs=0.015)
        assert shifter.figures["splitter_difference_rad"] == pytest.approx(difference, abs=0.015)


@pytest.mark.parametrize("kind", ["rectangular", "triangular"])
def test_a_stage_that_is_resumed_ends_as_if_it_had_not_stopped(kind: Kind) -> None:
    lab, again = Lab(kind, 3, noise=False), Lab(kind, 3, noise=False)
    whole = lab.calibrated()
    for stage, start, end in zip(sweep_stages(), whole, whole[1:], strict=False):
        blocks = lab.seen[stage.name]
        half = dict(list(blocks.items())[: len(blocks) // 2])
        resumed = again.run(stage, start, half)
        assert again.seen[stage.name].keys() == blocks.keys() - half.keys()
        assert resumed.figures[stage.name] == end.figures[stage.name]
        assert resumed.shifters == end.shifters
        for name, tensor in end.twin.state_dict().items():
            np.testing.assert_array_equal(tensor, resumed.twin.state_dict()[name], err_msg=name)


def test_all_blocks_known_nothing_is_read() -> None:
    lab = Lab(ports=3)
    known = lab.calibrated()
    before, blocks = lab.device.cost.readings, dict(lab.seen)
    for stage, start, end in zip(sweep_stages(), known, known[1:], strict=False):
        assert lab.run(stage, start, blocks[stage.name]).figures == end.figures
    assert lab.device.cost.readings == before


def test_a_stage_before_its_turn_is_refused() -> None:
    lab = Lab(ports=2)
    with pytest.raises(NotEnoughData, match="run the stage 'ports' first"):
        lab.run(sweep_stages()[2], lab.blank(), {})


def test_a_result_before_the_end_is_refused() -> None:
    for stage in sweep_stages():
        with pytest.raises(RuntimeError, match="has not run"):
            stage.result()
