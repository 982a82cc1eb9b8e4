import json
from types import MethodType

import numpy as np
import pytest
import torch

from calibration.errors import NotEnoughData
from calibration.surrogate import Samples, SurrogateNetwork, build_dataset, evaluate

LOW, HIGH = np.array([-1.0, -1.0, -0.5]), np.array([1.0, 1.0, 0.5])


def chip(error) -> tuple[SurrogateNetwork, Samples, object]:
    """A network made to answer x + error(x), judged on readings of x: `error` is the truth."""
    rng = np.random.default_rng(0)
    inputs = rng.uniform(LOW, HIGH, (30, 400, 3))
    outputs = 1e-9 * inputs[..., :1]
    dataset = build_dataset(
        inputs, outputs, np.zeros((30, 400), np.uint8), electrodes=("a", "b", "c"), low_V=LOW, high_V=HIGH
    )
    network = SurrogateNetwork.for_dataset(dataset, hidden=(2,))
    network.current = MethodType(lambda self, v: 1e-9 * v[..., :1] + error(v), network)
    return network, dataset.test, dataset.scaling


def test_a_constant_error_is_all_bias():
    result = evaluate(*chip(lambda v: 0.2e-9 * torch.ones_like(v[..., :1])), repeatability_A=0.1e-9)
    for figure in (result.rmse_A, result.mae_A, result.bias_A, result.worst_A):
        assert figure == pytest.approx(0.2e-9, rel=1e-3)
    assert result.over_repeatability == pytest.approx(2.0, rel=1e-3)
    assert result.r2 == pytest.approx(1 - 0.04 * 3, abs=0.02)  # uniform on ±1 nA: a variance of 1/3 nA²
    assert sum(result.errors.counts) == result.samples == 3 * 400
    assert result.batches == 3
    assert result.within_two_sigma is None


def test_the_worst_region_is_found_and_named():
    def bad(v):
        inside = (v[..., 1:2] > 0.5) & (v[..., 2:] < -0.25)
        return 3e-9 * inside.to(v.dtype)

    result = evaluate(*chip(bad))
    region = result.worst_region
    assert region.electrodes == ("b", "c")
    assert region.low_V == pytest.approx((0.5, -0.5))
    assert region.high_V == pytest.approx((1.0, -0.25))
    assert region.rmse_A == pytest.approx(3e-9, rel=1e-3)
    assert "b from 0.5 V to 1 V and c from -0.5 V to -0.25 V: 3 nA" in str(region)


def test_error_against_output_shows_where_it_is():
    result = evaluate(*chip(lambda v: 1e-9 * (v[..., :1] > 0.5)), bins=4)
    assert sum(part.samples for part in result.output_bins) == result.samples
    assert [round(part.rmse_A * 1e9, 1) for part in result.output_bins][:3] == [0.0, 0.0, 0.0]
    assert result.output_bins[-1].bias_A == pytest.approx(1e-9, rel=0.05)


def test_the_result_is_json():
    result = evaluate(*chip(lambda v: 0.0 * v[..., :1]))
    again = json.loads(json.dumps(result.as_dict()))
    assert again["rmse_A"] == result.rmse_A
    assert len(again["errors"]["edges_A"]) == len(again["errors"]["counts"]) + 1
    assert again["repeatability_A"] is None


def test_one_sample_is_no_judgement():
    network, samples, scaling = chip(lambda v: 0.0 * v[..., :1])
    with pytest.raises(NotEnoughData, match="1 samples"):
        evaluate(network, Samples(samples.inputs[:1], samples.targets[:1], samples.batch[:1]), scaling)
