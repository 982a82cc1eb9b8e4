import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.errors import PlanError
from calibration.surrogate import SurrogateNetwork
from calibration.tasks import (
    GATES,
    Search,
    SearchPlan,
    boolean_gate,
    labelled_points,
    truth_table,
)
from simulators.models.model import ElectrodeModel
from tests.calibration.tasks.synthetic import BEST_XOR, HIGH, LEVELS, LOW, NAMES, UNIT_A, BumpModel

SMALL = {"restarts": 48, "steps": 150}


def chip() -> ElectrodeModel:
    return BumpModel().with_inputs(["a", "b"])


def searched(tasks, model=None, **options) -> Search:
    search = Search(model or chip(), tasks, SearchPlan(**{**SMALL, **options}))
    for _ in search:
        pass
    return search


def test_all_gates_reach_their_known_best():
    search = searched([boolean_gate(gate, *LEVELS) for gate in GATES], guard=0.0)
    best = {gate: search.solutions(gate)[0] for gate in GATES}
    known = {"XOR": 1.0, "AND": 0.5, "NOR": 0.5, "OR": 1.0, "NAND": 1.0}
    for gate, margin in known.items():
        assert best[gate].accuracy == 1.0, gate
        assert 0.93 * margin < best[gate].margin_A / UNIT_A <= margin, gate
        assert search.success(gate).any()
    assert best["XNOR"].accuracy < 1.0
    assert best["XNOR"].margin_A < 0.0
    assert not search.success("XNOR").any()


def test_xor_is_found_where_it_is():
    solution = searched([boolean_gate("XOR", *LEVELS)]).solutions("XOR")[0]
    for name, voltage in zip(solution.controls, solution.controls_V, strict=True):
        assert voltage == pytest.approx(BEST_XOR[name], abs=0.02)
    np.testing.assert_allclose(
        solution.predicted_A, UNIT_A * np.array([0.0, 1.0, 1.0, 0.0]), atol=0.05 * UNIT_A
    )
    assert solution.threshold_A == pytest.approx(0.5 * UNIT_A, rel=0.1)
    assert solution.inputs == ("a", "b")


def test_with_either_polarity_xnor_is_xor_upside_down():
    solution = searched([boolean_gate("XNOR", *LEVELS)], polarity="either").solutions("XNOR")[0]
    assert solution.accuracy == 1.0
    assert solution.high == 0
    assert solution.margin_A > 0.9 * UNIT_A


class Plane(ElectrodeModel):
    """Current equal to the controls' sum times the input: the best controls are the highest there are."""

    def __init__(self, low, high) -> None:
        super().__init__(
            ("x", "c", "d"), *(torch.tensor(limit, dtype=torch.float64) for limit in (low, high))
        )

    def current(self, voltages):
        return 1e-6 * (voltages[..., :1] * (voltages[..., 1:2] + voltages[..., 2:]))


@settings(max_examples=15, deadline=None)
@given(
    low=st.lists(st.floats(-2, 1), min_size=2, max_size=2),
    width=st.lists(st.floats(1e-3, 2), min_size=2, max_size=2),
    guard=st.sampled_from([0.0, 0.02, 0.2]),
    rate=st.sampled_from([0.1, 50.0]),
)
def test_controls_never_leave_their_ranges(low, width, guard, rate):
    high = [bottom + extent for bottom, extent in zip(low, width, strict=True)]
    model = Plane([-1.0, *low], [1.0, *high]).with_inputs(["x"])
    task = labelled_points("step", [[0.0], [1.0]], [0, 1])
    search = Search(model, [task], SearchPlan(restarts=8, steps=25, guard=guard, rate=rate))
    bottom = np.array(low) + guard * (np.array(high) - np.array(low))
    top = np.array(high) - guard * (np.array(high) - np.array(low))
    for _ in search:
        for solution in search.solutions("step"):
            assert (solution.controls_V >= bottom).all()
            assert (solution.controls_V <= top).all()
            assert (solution.controls_V >= low).all()
            assert (solution.controls_V <= high).all()


def test_a_solution_that_clips_is_none():
    task = boolean_gate("XOR", *LEVELS)
    free = searched([task]).solutions("XOR")[0]
    limit = 0.4 * UNIT_A
    assert np.abs(free.predicted_A).max() > limit
    bound = searched([task], clipping_A=limit).solutions("XOR")
    assert bound
    for solution in bound:
        assert np.abs(solution.predicted_A).max() <= limit
    assert bound[0].accuracy == 1.0
    assert bound[0].margin_A > 0.75 * limit
    assert (
        searched([truth_table("big", [1, 0, 0, 1], *LEVELS)], clipping_A=1e-30, steps=5).solutions("big")
        == []
    )


def test_the_best_seen_is_never_lost():
    search = Search(chip(), [boolean_gate("XOR", *LEVELS)], SearchPlan(restarts=16, steps=80, rate=1.0))
    margins = [step.margin_A["XOR"] or 0.0 for step in search]
    assert margins == sorted(margins)
    assert margins[-1] > 0.0
    assert search.solutions("XOR")[0].margin_A == pytest.approx(margins[-1])


def test_solutions_are_distinct_and_ordered():
    solutions = searched([boolean_gate("AND", *LEVELS)]).solutions("AND", keep=4)
    assert len(solutions) == 4
    margins = [solution.margin_A for solution in solutions]
    assert margins == sorted(margins, reverse=True)
    span = (HIGH - LOW)[2:]
    for k, one in enumerate(solutions):
        for other in solutions[k + 1 :]:
            assert np.sqrt(np.mean(((one.controls_V - other.controls_V) / span) ** 2)) >= 0.05


def test_tasks_in_one_batch_do_not_disturb_one_another():
    tasks = [boolean_gate("XOR", *LEVELS), truth_table("not a", [1, 1, 0, 0], *LEVELS)]
    together = searched(tasks, restarts=8, steps=40)
    alone = searched(tasks[:1], restarts=8, steps=40)
    one, other = together.solutions("XOR")[0], alone.solutions("XOR")[0]
    np.testing.assert_allclose(one.controls_V, other.controls_V, rtol=1e-9)


def test_a_search_is_a_function_of_its_seed_and_leaves_the_model_alone():
    model = SurrogateNetwork(NAMES, LOW, HIGH, hidden=(16, 16), scale_A=1e-9, likelihood=True, seed=2)
    before = copy.deepcopy(model.state_dict())
    parted = model.with_inputs(["a", "b"])
    task = boolean_gate("AND", *LEVELS)
    first, again, other = (
        searched([task], parted, restarts=8, steps=20, seed=seed).solutions("AND")[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.controls_V, again.controls_V)
    assert not np.array_equal(first.controls_V, other.controls_V)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


def test_a_noisy_region_is_avoided_where_the_model_knows_it():
    class Noisy(SurrogateNetwork):
        """Margin grows with c, noise grows faster: the best ratio lies at a low c."""

        def current_and_noise(self, voltages):
            c = voltages[..., 2:3] + 1.0
            return 1e-9 * voltages[..., :1] * c, 1e-10 * torch.exp(3.0 * c)

        def current(self, voltages):
            return self.current_and_noise(voltages)[0]

    task = labelled_points("step", [[-0.2, 0.0], [0.2, 0.0]], [0, 1])
    options = {"hidden": (2,), "likelihood": True}
    model = Noisy(NAMES, LOW, HIGH, **options).with_inputs(["a", "b"])
    search = Search(model, [task], SearchPlan(restarts=4, steps=200, rate=0.2))
    for _ in search:
        pass
    final = search._voltages().detach()[0, :, 0]
    assert final.max() < -0.5  # c/exp(3c) falls for every c above 1/3


def test_searches_that_make_no_sense_are_refused():
    task = boolean_gate("XOR", *LEVELS)
    with pytest.raises(PlanError, match=r"0\.9 V on b is outside"):
        Search(chip(), [boolean_gate("XOR", 0.0, 0.9)])
    with pytest.raises(PlanError, match="2 inputs a point"):
        Search(BumpModel().with_inputs(["a"]), [task])
    with pytest.raises(PlanError, match="a name of its own"):
        Search(chip(), [task, task])
    with pytest.raises(PlanError, match="at least one control"):
        Search(BumpModel(), [labelled_points("all", np.eye(5)[:2] * 0.1, [0, 1])])
    with pytest.raises(PlanError, match="no task 'OR'"):
        Search(chip(), [task]).solutions("OR")
    for option in ({"restarts": 0}, {"guard": 0.5}, {"polarity": "up"}, {"noise_A": 0.0}):
        with pytest.raises(PlanError, match=next(iter(option))):
            SearchPlan(**option)
