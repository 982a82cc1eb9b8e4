"""The whole bench through stock drivers: lists on seven electrodes, a trigger cable, a digitising meter."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from qcodes.instrument_drivers.Keysight import Keysight34465A
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

from simulators.bench import load
from simulators.visa import HilVisaLibrary
from tests.simulators.bench.linear import (
    BANDWIDTH_HZ,
    CONDUCTANCE_S,
    DAC,
    GAIN_V_PER_A,
    HUM_V,
    METER,
    NOISE_V,
    OFFSET_V,
    TEXT,
    amplified,
    write_bench,
)

ELECTRODES = range(1, 8)
DWELL_S, APERTURE_S, SLEW = 1e-3, 2e-4, 60.0
_names = itertools.count()
METER_NOISE_V = 45e-6  # of the 34465A at 0.01 power-line cycles on 10 V


@contextmanager
def power(path: Path) -> Iterator[SimpleNamespace]:
    """The bench behind stock drivers, each with a name of its own."""
    n = next(_names)
    dac = QDac2(f"dac{n}", DAC, visalib=f"{path}@hil")
    meter = Keysight34465A(f"meter{n}", METER, visalib=f"{path}@hil", silent=True)
    library = dac.visa_handle.visalib
    assert isinstance(library, HilVisaLibrary)
    try:
        yield SimpleNamespace(dac=dac, meter=meter, bench=library._bench)
    finally:
        dac.close()
        meter.close()


@pytest.fixture(scope="module")
def lab(bench_file: Path) -> Iterator[SimpleNamespace]:
    with power(bench_file) as powered:
        yield powered


def digitise(lab, volts: np.ndarray) -> np.ndarray:
    """Play volts (time, 7) and read the amplifier once per dwell; the last 200 us of it."""
    dac, meter = lab.dac, lab.meter
    dac.free_all_triggers()
    trigger = dac.allocate_trigger()
    for k in ELECTRODES:
        dac.channel(k).dc_slew_rate_V_per_s(SLEW)
        dac.channel(k).dc_list(voltages=volts[:, k - 1], dwell_s=DWELL_S).start_once_on(trigger)
    dac.ext4.source_from_trigger(trigger)
    meter.range(10)
    meter.aperture_time(APERTURE_S)
    meter.autozero("OFF")
    meter.trigger.source("EXT")
    meter.trigger.slope("POS")
    meter.trigger.delay(DWELL_S - APERTURE_S)
    meter.sample.source("TIM")
    meter.sample.timer(DWELL_S)
    meter.sample.count(len(volts))
    meter.init_measurement()
    dac.trigger(trigger)
    return meter.fetch()


def waveform(n: int, seed: int) -> np.ndarray:
    """Tones that never ask for more than a fifth of the slew limit, so that every dwell settles."""
    rng = np.random.default_rng(seed)
    hertz, phase = rng.uniform(2.0, 8.0, 7), rng.uniform(0, 2 * np.pi, 7)
    amplitude = 0.2 * SLEW / (2 * np.pi * hertz)
    return -0.3 + amplitude * np.sin(2 * np.pi * np.outer(DWELL_S * np.arange(n), hertz) + phase)


def test_readings_are_the_chips_current_through_the_amplifier(lab):
    volts = waveform(2000, seed=1)
    readings = digitise(lab, volts)
    assert lab.dac.errors() == '0,"No error"'
    assert lab.meter.error() == (0, "No error")
    assert len(readings) == 2000
    left = (readings - amplified(volts))[20:]
    # the source's own errors, up to 2e-5 and 20 uV a channel, reach the reading through the gain
    assert abs(left.mean()) < 5 * GAIN_V_PER_A * 20e-6 * np.linalg.norm(CONDUCTANCE_S)
    spectrum = np.abs(np.fft.rfft(left)) / len(left)
    hertz = np.fft.rfftfreq(len(left), DWELL_S)
    hum = 2 * spectrum[np.argmin(abs(hertz - 50.0))]
    assert hum == pytest.approx(HUM_V, rel=0.05)
    t = np.arange(len(left)) * DWELL_S
    design = np.stack((np.sin(2 * np.pi * 50 * t), np.cos(2 * np.pi * 50 * t), np.ones_like(t)), axis=1)
    noise = left - design @ np.linalg.lstsq(design, left, rcond=None)[0]
    h = APERTURE_S * 2 * np.pi * BANDWIDTH_HZ
    amplifier_variance = NOISE_V**2 * 2 / h**2 * (h - 1 + np.exp(-h))
    assert noise.std() == pytest.approx(np.hypot(np.sqrt(amplifier_variance), METER_NOISE_V), rel=0.1)


def test_outputs_hold_the_last_value_and_keep_the_slew_limit(lab):
    digitise(lab, waveform(300, seed=2))
    last = digitise(lab, waveform(300, seed=3))[-1]
    assert lab.dac.ch01.dc_last_V() == pytest.approx(waveform(300, seed=3)[-1, 0], abs=1e-6)
    assert last == pytest.approx(amplified(waveform(300, seed=3)[-1]), abs=2e-3)
    dac = lab.bench.instruments["dac"]
    for k in ELECTRODES:
        assert 0.0 < dac.record(k).fastest_V_per_s <= SLEW * (1 + 1e-6)


def test_a_step_that_is_still_moving_is_read_on_its_way(lab):
    digitise(lab, np.zeros((20, 7)))
    volts = np.zeros((10, 7))
    volts[:, 2] = 0.12  # two dwells at the slew limit
    readings = digitise(lab, volts)
    lag = 1 / (2 * np.pi * BANDWIDTH_HZ)
    midpoint = SLEW * (DWELL_S - APERTURE_S / 2 - lag)
    assert readings[0] == pytest.approx(amplified(np.array([0, 0, midpoint, 0, 0, 0, 0])), abs=1.5e-3)
    assert readings[1] == pytest.approx(
        amplified(np.array([0, 0, midpoint + SLEW * DWELL_S, 0, 0, 0, 0])), abs=1.5e-3
    )
    assert readings[5] == pytest.approx(amplified(volts[0]), abs=1.5e-3)


def test_readings_end_at_the_amplifiers_saturation(lab):
    for k in ELECTRODES:
        lab.dac.channel(k).dc_slew_rate_V_per_s(1e3)
        lab.dac.channel(k).dc_constant_V(6.0 * np.sign(CONDUCTANCE_S[k - 1]))
    lab.dac.ask("*opc?")
    lab.meter.trigger.source("IMM")
    lab.meter.sample.source("IMM")
    lab.meter.sample.count(20)
    assert amplified(6.0 * np.sign(CONDUCTANCE_S)) > 4.5
    np.testing.assert_allclose(lab.meter.read(), 4.0, atol=6 * METER_NOISE_V)
    for k in ELECTRODES:
        lab.dac.channel(k).dc_constant_V(0.0)
    lab.dac.ask("*opc?")


def test_the_amplifiers_gain_can_be_measured_with_the_known_resistor(lab):
    lab.meter.reset()  # other tests share the bench and leave their triggers behind
    lab.meter.NPLC(1)
    lab.meter.range(10)
    lab.meter.trigger.source("IMM")
    lab.meter.sample.count(20)
    means = []
    for volts in (-1.0, 1.0):
        lab.dac.ch08.dc_constant_V(volts)
        lab.dac.ask("*opc?")
        lab.bench.clock.advance(0.1)
        means.append(lab.meter.read().mean())
    assert (means[1] - means[0]) / (2.0 / 100.03e6) == pytest.approx(GAIN_V_PER_A, rel=2e-4)


def test_the_same_session_gives_the_same_readings(tmp_path_factory):
    sessions = []
    for _ in range(2):
        path = write_bench(tmp_path_factory.mktemp("again"))
        with power(path) as lab:
            sessions.append(digitise(lab, waveform(100, seed=4)))
    np.testing.assert_array_equal(*sessions)


def test_a_dopant_network_is_read_with_its_imperfections(tmp_path):
    imperfections = "{noise_relative: 2 %, noise_floor: 0.2 nA, jumps: 0 1/hour}"
    chip = f"{{model: hopping, seed: 7, imperfections: {imperfections}}}"
    text = TEXT.replace("{model: network, file: chip}", chip)
    path = write_bench(tmp_path, text)
    with power(path) as lab:
        volts = waveform(400, seed=5)
        readings = digitise(lab, volts)
        truth_A = load(path).specimen.chip.true_current(volts)
        measured_A = (readings - OFFSET_V) / GAIN_V_PER_A
        spread = np.hypot(0.02 * np.abs(truth_A) + 0.2e-9, HUM_V / GAIN_V_PER_A)
        pulls = (measured_A - truth_A)[10:] / spread[10:]
        assert np.corrcoef(measured_A[10:], truth_A[10:])[0, 1] > 0.99
        assert 0.7 < pulls.std() < 1.3


def test_the_sources_deliver_what_the_readout_gives(tmp_path):
    path = write_bench(tmp_path, TEXT.replace("{model: network, file: chip}", "{model: hopping, seed: 7}"))
    with power(path) as lab:
        volts = np.array([0.15, -0.25, 0.1, -0.4, 0.05, -0.2, 0.25])  # nowhere more than 200 nA
        for k in ELECTRODES:
            lab.dac.channel(k).dc_constant_V(volts[k - 1])
            lab.dac.channel(k).measurement_range("low")
        delivered_A = sum(lab.dac.channel(k).read_current_A()[0] for k in ELECTRODES)
        readout_A = (lab.meter.volt() - OFFSET_V) / GAIN_V_PER_A
        assert delivered_A == pytest.approx(readout_A, abs=3 * np.sqrt(7) * 20e-12 + 3e-11)


def test_imperfections_are_named_when_they_are_wrong(tmp_path):
    for section, words in (
        ("{noise_flor: 0.2 nA}", "imperfections.noise_flor: unknown key; there are"),
        ("{noise_floor: 0.2}", "imperfections.noise_floor: 0.2 has no unit"),
        ("{noise_floor: -1 nA}", "should be a number, not negative"),
    ):
        text = TEXT.replace("file: chip", f"file: chip, imperfections: {section}")
        with pytest.raises(ValueError, match=words):
            load(write_bench(tmp_path, text))
