"""The one way to the voltages, tried directly: each guard holds without those in front of it."""

import numpy as np
import pytest

from drivers.envelope import ChannelLimit, SafetyEnvelope
from drivers.errors import EnvelopeError, ReadbackError, ShapeError
from drivers.outputs import Outputs
from tests.drivers.fakes import FakeSource


def two_outputs(**start: float) -> tuple[Outputs, FakeSource]:
    source = FakeSource({1: start.get("a", 0.0), 2: start.get("b", 0.0)})
    envelope = SafetyEnvelope([ChannelLimit("a", -1.0, 1.0, 50.0), ChannelLimit("b", -0.5, 0.5, 20.0)])
    outputs = Outputs(source, {"b": 2, "a": 1}, envelope)
    outputs.confine()
    return outputs, source


@pytest.mark.parametrize(
    "waveform",
    [
        [[0.0, 0.6]],
        [[0.0, np.nan]],
        [[0.0, 0.0], [0.06, 0.0]],
        [[0.06, 0.0]],
        [[0.01, 0.01]],
    ],
)
def test_arming_refuses_what_is_outside_or_not_played(waveform: list[list[float]]) -> None:
    outputs, source = two_outputs()
    with pytest.raises(EnvelopeError):
        outputs.arm(np.array(waveform), 1e-3, np.zeros(2), [0])
    assert source.blocks == []


def test_moving_holds_the_others_and_arrives_together() -> None:
    outputs, source = two_outputs(b=0.2)
    outputs.move({"a": 0.5, "b": -0.2})
    assert [source.outputs[c].at(source.now) for c in (1, 2)] == pytest.approx([0.5, -0.2])
    (block,) = source.blocks
    assert len(block[1]) == len(block[2]) == 20
    outputs.move({"a": 0.1})
    assert set(source.blocks[-1]) == {1}
    outputs.move({"a": 0.1})
    assert len(source.blocks) == 2, "what stands where it should is not moved"


def test_a_ramp_longer_than_the_sources_memory_goes_in_pieces() -> None:
    outputs, source = two_outputs()
    source.max_points = 7
    outputs.move({"b": 0.5})
    assert [len(block[2]) for block in source.blocks] == [7, 7, 7, 4]
    assert source.asked[2] <= 20.0 * (1 + 1e-6)


def test_an_output_nobody_knows_is_no_start() -> None:
    outputs, source = two_outputs()
    source.outputs[1].volts = [float("nan")]
    with pytest.raises(ReadbackError, match="a reads back as nan"):
        outputs.move({"b": 0.1})
    assert source.blocks == []
    with pytest.raises(ShapeError, match="c is no output here; there are a, b"):
        outputs.move({"c": 0.1})


def test_a_start_is_read_back_even_where_the_driver_sent_something() -> None:
    outputs, source = two_outputs()
    outputs.move({"a": 0.8})
    source.outputs[1].times, source.outputs[1].volts = [source.now], [-0.8]
    outputs.move({"a": 0.9})
    assert source.blocks[-1][1][0] == pytest.approx(-0.75)


def test_rounding_of_the_hardware_is_no_movement() -> None:
    outputs, source = two_outputs()
    outputs.move({"a": 0.3, "b": 0.1})
    source.outputs[1].volts[-1] += 2e-7
    assert outputs.stand().tolist() == [0.3, 0.1]
