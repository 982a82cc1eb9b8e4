import numpy as np
import pytest

from calibration.errors import PlanError
from calibration.tasks import GATES, boolean_gate, labelled_points, task_from, truth_table


@pytest.mark.parametrize(
    ("gate", "rule"),
    [
        ("AND", lambda x, y: x and y),
        ("OR", lambda x, y: x or y),
        ("NAND", lambda x, y: not (x and y)),
        ("NOR", lambda x, y: not (x or y)),
        ("XOR", lambda x, y: x != y),
        ("XNOR", lambda x, y: x == y),
    ],
)
def test_gates_are_what_their_names_say(gate, rule):
    task = boolean_gate(gate.lower(), -0.3, 0.5)
    assert len(task) == 4
    assert task.name == gate
    for (x, y), label in zip(task.points > 0.0, task.labels, strict=True):
        assert bool(rule(x, y)) == bool(label)
    assert set(task.points.ravel().tolist()) == {-0.3, 0.5}
    assert set(GATES) >= {gate}


def test_each_input_may_have_its_own_levels():
    task = boolean_gate("AND", [-0.3, -0.1], [0.5, 0.2])
    np.testing.assert_allclose(task.points, [[-0.3, -0.1], [-0.3, 0.2], [0.5, -0.1], [0.5, 0.2]])


def test_tables_of_three_inputs_and_of_words():
    majority = truth_table("majority", [0, 0, 0, 1, 0, 1, 1, 1], 0.0, 1.0)
    assert majority.n_inputs == 3
    np.testing.assert_array_equal(majority.labels, majority.points.sum(axis=1) >= 2)
    words = {format(k, "03b"): int(format(k, "03b").count("1") >= 2) for k in (7, 3, 1, 0)}
    partial = truth_table("partial", words, 0.0, 1.0)
    assert partial.names == ("000", "001", "011", "111")
    assert partial.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "give one of gate, table and points"),
        ({"gate": "XOR", "table": [0, 1]}, "give one of gate"),
        ({"gate": "XOR", "low_V": 0}, "high_V is missing"),
        ({"gate": "MAYBE", "low_V": 0, "high_V": 1}, "gate 'MAYBE': choose one of AND"),
        ({"gate": "XOR", "low_V": 0, "high_V": 1, "lo": 2}, "unknown key 'lo'"),
        ({"gate": "XOR", "low_V": 1, "high_V": 1}, "low_V and high_V are equal"),
        ({"gate": "XOR", "low_V": [0, 0, 0], "high_V": 1}, "low_V .* one for each of 2 inputs"),
        ({"gate": "XOR", "low_V": "cold", "high_V": 1}, "low_V 'cold'"),
        ({"table": [0, 1, 1], "low_V": 0, "high_V": 1}, r"table of 3 outputs; n inputs have 2\^n"),
        ({"table": {0: 0, 1: 1}, "low_V": 0, "high_V": 1}, "table key 0 .* quote it in YAML"),
        ({"table": {"00": 0, "1": 1}, "low_V": 0, "high_V": 1}, "table key '1' has 1 inputs, the others 2"),
        ({"table": [0, 0, 0, 0], "low_V": 0, "high_V": 1}, "labels are all 0"),
        ({"table": [0, 2, 0, 0], "low_V": 0, "high_V": 1}, "label 2 of 01"),
        ({"points": [[0, 1], [1]], "labels": [0, 1]}, "points must be rows"),
        ({"points": [0, 1], "labels": [0, 1]}, r"points of shape \(2,\)"),
        ({"points": [[0], [1]], "labels": [0]}, "2 points but 1 labels"),
        ({"points": [[0], [float("nan")]], "labels": [0, 1]}, "finite"),
        ({"points": [[0], [1]]}, "labels is missing"),
    ],
)
def test_a_wrong_description_is_named(description, message):
    with pytest.raises(PlanError, match=message):
        task_from("t", description)


def test_descriptions_make_the_same_tasks():
    levels = {"low_V": -0.2, "high_V": 0.2}
    direct = boolean_gate("XOR", -0.2, 0.2)
    for task in (
        task_from("x", {"gate": "XOR", **levels}),
        task_from("x", {"table": [0, 1, 1, 0], **levels}),
        task_from("x", {"table": {"10": 1, "00": 0, "01": 1, "11": 0}, **levels}),
        task_from("x", {"points": direct.points.tolist(), "labels": [0, 1, 1, 0]}),
    ):
        np.testing.assert_array_equal(task.points, direct.points)
        np.testing.assert_array_equal(task.labels, direct.labels)
        assert task.name == "x"


def test_a_point_outside_the_range_is_named():
    task = labelled_points("ring", [[0.0, 0.0], [0.0, 0.7]], [0, 1])
    low, high = np.array([-0.5, -0.5]), np.array([0.5, 0.5])
    with pytest.raises(PlanError, match=r"point 1: 0.7 V on e2 is outside its range of -0.5 V to 0.5 V"):
        task.check_range(("e1", "e2"), low, high)
    with pytest.raises(PlanError, match="2 inputs a point, but electrodes"):
        task.check_range(("e1",), low[:1], high[:1])
