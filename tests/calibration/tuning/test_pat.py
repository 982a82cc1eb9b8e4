"""Physics-aware training, with and without states measured inside the chip."""

from dataclasses import replace
from math import nan

import pytest

from calibration.errors import PlanError
from calibration.tuning import Method, Pat, Tuner, TuningPlan, Update
from calibration.tuning.updates import halved
from hil.devices import EmulatedMeshNetwork
from simulators.models.mesh import Fabrication, MeshLayout
from simulators.models.optical import ElectroOptic, fabricate_network
from tests.conformance.method import MethodConformance, small_lab


class TestPat(MethodConformance):
    readings = 2500

    def create_method(self) -> Method:
        return Pat(Update("adam", 0.1), batch=64)


class TestPatOnOutputsAlone(MethodConformance):
    readings = 2500

    def create_method(self) -> Method:
        return Pat(Update("adam", 0.1), batch=64, internal_states="no")


def test_what_does_not_fit_is_refused_before_a_reading() -> None:
    lab = small_lab()
    plan = TuningPlan(2500, checks=2)
    with pytest.raises(PlanError, match="needs a differentiable model"):
        Tuner(lab.device, replace(lab.problem, model=None), Pat(), plan, lab.start)
    blind = EmulatedMeshNetwork(
        fabricate_network(
            MeshLayout("rectangular", 4),
            Fabrication.perfect(),
            0,
            meshes=2,
            activation=ElectroOptic(),
            readout=2,
        ),
        taps=False,
    )
    with pytest.raises(PlanError, match="does not read mesh0"):
        Tuner(blind, lab.problem, Pat(internal_states="yes"), plan, lab.start)
    Tuner(blind, lab.problem, Pat(), plan, lab.start)  # takes what there is
    assert lab.device.cost.readings == blind.cost.readings == 0


@pytest.mark.parametrize("settings", [{"batch": 0}, {"internal_states": "some"}, {"halving_epochs": nan}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError):
        Pat(**settings)  # type: ignore[arg-type]


def test_a_rate_is_halved_from_time_to_time() -> None:
    assert [halved(epoch, 10.0) for epoch in (0.0, 9.9, 10.0, 35.0)] == [1.0, 1.0, 0.5, 0.125]
    assert halved(1000.0, 0.0) == 1.0
