"""Photoreceivers on emulated cards: known voltages in place of light."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers.card_photoreceivers import CardPhotoreceivers
from drivers.errors import InstrumentError, ShapeError
from drivers.roles import PowerMeterArray
from tests.drivers.cards import CardLaboratory, card_laboratory

pytest.importorskip("nidaqmx", reason="the optional package nidaqmx is not installed")
GAIN = 2e3


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CardLaboratory]:
    with card_laboratory(tmp_path, hum=False, noise="0 V", scale=0.0) as lab:
        yield lab


def shine(lab: CardLaboratory, *volts: float) -> None:
    for output, value in enumerate(volts):
        lab.chassis.outputs[output].step(value)
    lab.bench.clock.advance(0.1)


def test_voltages_become_powers_averaged_over_the_time(lab: CardLaboratory) -> None:
    meters: PowerMeterArray = CardPhotoreceivers(lab.cards, (1, 0), (GAIN, 2.0 * GAIN))
    shine(lab, 1.0, 0.5)
    begin = lab.bench.clock.now
    np.testing.assert_allclose(meters.read(0.02), [0.5 / GAIN, 1.0 / (2.0 * GAIN)], rtol=5e-3)
    assert 0.02 <= lab.bench.clock.now - begin < 0.04
    begin = lab.bench.clock.now
    meters.wait(0.3)
    assert 0.3 <= lab.bench.clock.now - begin < 0.32
    assert "9202" in meters.identity()


def test_over_range_is_infinite_and_a_zero_is_taken_off_in_the_dark_only(lab: CardLaboratory) -> None:
    meters = CardPhotoreceivers(lab.cards, (0, 1), (GAIN, GAIN))
    shine(lab, 20e-3, -10e-3)
    meters.zero()
    shine(lab, 1.02, 0.49)
    np.testing.assert_allclose(meters.read(0.01), [1.0 / GAIN, 0.5 / GAIN], rtol=5e-3)
    with pytest.raises(InstrumentError, match="too much light"):
        meters.zero()
    shine(lab, 11.0, 0.49)
    assert np.isposinf(meters.read(0.01)[0])


@pytest.mark.parametrize(("inputs", "gains"), [((0, 0), (1.0, 1.0)), ((0,), ()), ((0,), (0.0,)), ((), ())])
def test_what_is_no_array_is_refused(
    lab: CardLaboratory, inputs: tuple[int, ...], gains: tuple[float, ...]
) -> None:
    with pytest.raises(ShapeError, match="every input needs a gain"):
        CardPhotoreceivers(lab.cards, inputs, gains)
