"""The amplifier's calibration against gains and offsets that only the fakes know."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from drivers.amplifier import AmplifierCalibration
from drivers.dnpu import DNPU
from drivers.errors import AmplifierError, InstrumentError, ShapeError
from tests.drivers.chips import ELECTRODES, READOUT, assert_inside_the_envelope, fake_chip
from tests.drivers.fakes import FakeDigitizer, FakeSource


@pytest.fixture(autouse=True)
def _close_chips() -> Iterator[None]:
    yield
    DNPU.close_all()


def calibrate(**amplifier: Any) -> tuple[AmplifierCalibration, FakeSource]:
    source = FakeSource()
    chip, source, _ = fake_chip(source, FakeDigitizer(source, **amplifier))
    return chip.calibrate_amplifier(), source


@pytest.mark.parametrize("gain", [0.87e7, 1.013e7, 1.15e7])
@pytest.mark.parametrize("offset", [-0.3, 0.0, 0.057])
def test_gain_and_offset_are_found_within_their_uncertainty(gain: float, offset: float) -> None:
    found, source = calibrate(gain=gain, offset=offset, noise=2e-5, hum=4e-3)
    assert abs(found.gain_V_per_A - gain) < 4.0 * found.gain_std_statistical
    assert abs(found.offset_V - offset) < 4.0 * found.offset_std
    assert found.gain_std_statistical < 2e-4 * gain
    assert found.offset_std < 2e-5
    assert found.gain_std == pytest.approx(1e-3 * gain, rel=0.05), "the resistor's tolerance dominates"
    assert_inside_the_envelope(source)


def test_the_stated_uncertainty_is_that_of_repeated_calibrations() -> None:
    pulls = []
    for seed in range(40):
        found, _ = calibrate(gain=1.03e7, offset=-0.1, noise=2e-4, seed=seed)
        gain_pull = (found.gain_V_per_A - 1.03e7) / found.gain_std_statistical
        pulls.append((gain_pull, (found.offset_V + 0.1) / found.offset_std))
    spread = np.std(pulls, axis=0)
    assert (spread > 0.5).all(), spread
    assert (spread < 1.6).all(), spread


def test_hum_is_averaged_out_over_whole_mains_periods() -> None:
    quiet, _ = calibrate(hum=0.0)
    humming, _ = calibrate(hum=0.5)
    assert humming.gain_V_per_A == pytest.approx(quiet.gain_V_per_A, rel=1e-9)
    assert humming.noise_V > 0.1, "a short reading sees the hum"


def test_electrodes_and_reference_are_at_rest_afterwards() -> None:
    source = FakeSource(start={1: 0.4, 3: -0.3})
    chip, source, _ = fake_chip(source)
    chip.calibrate_amplifier()
    volts = [source.outputs[channel].at(source.now) for channel in (1, 2, 3, 8)]
    assert volts == pytest.approx([0, 0, 0, 0], abs=1e-6)
    assert_inside_the_envelope(source)


@pytest.mark.parametrize(
    ("amplifier", "says"),
    [
        ({"gain": 1.3e7}, "gain 1.3e.07 V/A is off the nominal 1e.07 V/A by more than 20%"),
        ({"gain": -1e7}, "is off the nominal"),
        ({"gain": 0.0}, "is off the nominal"),
        ({"bend": 0.3}, "leave a straight line"),
        ({"offset": 3.95}, "at its saturation of 4 V"),
        ({"noise": 0.1}, "is known only to|is off the nominal"),
    ],
)
def test_what_cannot_be_trusted_is_refused_with_the_chip_at_rest(
    amplifier: dict[str, float], says: str
) -> None:
    source = FakeSource()
    chip, source, _ = fake_chip(source, FakeDigitizer(source, **amplifier))  # type: ignore[arg-type]
    with pytest.raises(AmplifierError, match=says):
        chip.calibrate_amplifier()
    assert chip.calibration is None
    assert source.outputs[8].at(source.now) == pytest.approx(0.0, abs=1e-3)
    assert_inside_the_envelope(source)


def test_a_drifting_amplifier_is_refused() -> None:
    source = FakeSource()
    digitizer = FakeDigitizer(source)
    plain = digitizer._volts

    def drifting(starts: np.ndarray, aperture_s: float) -> np.ndarray:
        return np.asarray(plain(starts, aperture_s) + 0.02 * starts)

    digitizer._volts = drifting  # type: ignore[method-assign]
    chip, _, _ = fake_chip(source, digitizer)
    with pytest.raises(AmplifierError, match="drifts"):
        chip.calibrate_amplifier()


def test_a_chip_without_a_reference_says_what_is_missing() -> None:
    source = FakeSource()
    readout = replace(READOUT, reference=None)
    chip = DNPU("no_reference", source, FakeDigitizer(source), ELECTRODES, readout)
    with pytest.raises(ShapeError, match="has no reference source"):
        chip.calibrate_amplifier()
    chip.calibration = AmplifierCalibration.from_dict(calibrate()[0].to_dict())
    assert chip.run(np.zeros((1, 3, 2))).outputs.shape == (1, 3, 1)


def test_the_amplifiers_headroom_limits_the_reference() -> None:
    source = FakeSource()
    reference = replace(READOUT.reference, resistor_ohm=1e6)  # type: ignore[type-var]
    digitizer = FakeDigitizer(source, conductance={8: 1e-6})
    readout = replace(READOUT, reference=reference)
    chip = DNPU("strong_reference", source, digitizer, ELECTRODES, readout)
    found = chip.calibrate_amplifier()
    assert max(found.levels_V) == pytest.approx(0.6 * 4.0 / 1e7 * 1e6)
    assert found.gain_V_per_A == pytest.approx(1.03e7)


def test_it_survives_json() -> None:
    found, _ = calibrate(noise=1e-4)
    again = AmplifierCalibration.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "amplifier-calibration/2"),
        ("gain_V_per_A", None),
        ("gain_V_per_A", float("nan")),
        ("gain_V_per_A", 0.0),
        ("offset_V", "0.1"),
        ("levels_V", [0.0, "x"]),
        ("surprise", 1.0),
    ],
)
def test_a_stored_calibration_that_does_not_fit_is_refused(key: str, value: object) -> None:
    stored = {**calibrate()[0].to_dict(), key: value}
    with pytest.raises(AmplifierError):
        AmplifierCalibration.from_dict(stored)
    del stored[key]
    with pytest.raises(AmplifierError):
        AmplifierCalibration.from_dict({k: v for k, v in stored.items() if k != "noise_V"})


def test_settings_that_make_no_calibration_are_refused() -> None:
    chip, _, _ = fake_chip()
    with pytest.raises(AmplifierError, match="at least 3 levels"):
        chip.calibrate_amplifier(levels=2)


def test_a_failing_meter_leaves_the_chip_at_rest() -> None:
    chip, source, digitizer = fake_chip()
    digitizer.faults.raising["read"] = [None, None, None, None, InstrumentError("meter: gone")]
    with pytest.raises(InstrumentError, match="gone"):
        chip.calibrate_amplifier()
    assert source.outputs[8].at(source.now) == pytest.approx(0.0, abs=1e-3)
