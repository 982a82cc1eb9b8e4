"""The cards' adapters, and the chip driver on them, beyond what every adapter must do."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nidaqmx", reason="the optional package nidaqmx is not installed")

from drivers.card_source import _approach
from drivers.daqmx import translated
from drivers.dnpu import DNPU
from drivers.errors import (
    EnvelopeError,
    IdentityError,
    InstrumentError,
    InstrumentTimeout,
    ShapeError,
)
from drivers.guard import guarded
from drivers.nidaqmx_cards import NICards
from simulators.daqmx import emulated_daqmx
from simulators.errors import BenchError
from tests.drivers.cards import (
    ELECTRODES,
    GAIN,
    OFFSET,
    READOUT,
    RESISTOR,
    CardLaboratory,
    UPDATE_s,
    card_laboratory,
    chip_on,
)
from tests.drivers.emulated import current
from tests.drivers.test_dnpu_on_emulator import tones

GENTLE = 0.8
"""Of the other bench's tones: the later aperture leaves less of a sample for the move."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CardLaboratory]:
    with card_laboratory(tmp_path) as lab:
        yield lab


def test_the_amplifiers_hidden_gain_and_offset_are_found(tmp_path: Path) -> None:
    with card_laboratory(tmp_path, scale=0.0) as lab, chip_on(lab) as chip:
        found = chip.calibrate_amplifier()
        lab.assert_inside_the_envelope()
    as_wired = GAIN * READOUT.reference.resistor_ohm / RESISTOR  # type: ignore[union-attr]
    reference, readout = lab.chassis.outputs[7], lab.chassis.inputs[8]
    # The chain is measured with the output's and the input's gain errors in it, which the lab cannot know.
    chain = as_wired * (1.0 + reference.gain_error) * (1.0 + readout.gain_error)
    assert abs(found.gain_V_per_A - chain) < 4.0 * found.gain_std_statistical
    assert abs(found.gain_V_per_A - GAIN) < 2.0 * found.gain_std
    # With the reference at 0 V its offset error still drives a current.
    offset = OFFSET + reference.offset_V / RESISTOR * GAIN + readout.offset_V
    assert abs(found.offset_V - offset) < 4.0 * found.offset_std + 1e-5


def test_a_waveform_gives_the_chips_current(tmp_path: Path) -> None:
    with card_laboratory(tmp_path, hum=False, noise="0 V", loudness=0.0) as lab, chip_on(lab) as chip:
        chip.calibrate_amplifier()
        chip.set_controls(np.array([0.25]))
        levels = np.random.default_rng(5).uniform([-1.1, -0.6], [0.5, 0.25], (6, 1, 2))
        response = chip.run(np.repeat(levels, 5, axis=1))
        told = np.concatenate([np.full((6, 1), 0.25), levels[:, 0]], axis=1)
        errors = [(lab.chassis.outputs[k].gain_error, lab.chassis.outputs[k].offset_V) for k in range(3)]
        stood = np.stack([(1.0 + g) * told[:, k] + o for k, (g, o) in enumerate(errors)], axis=1)
        # The chip's own offset with all outputs at "0 V" is in the measured offset of the amplifier.
        rest = current(np.array([offset for _, offset in errors]))
        for k in range(5):
            np.testing.assert_allclose(response.outputs[:, k, 0], current(stood) - rest, atol=3e-11)
        lab.assert_inside_the_envelope()


def test_moving_waveforms_too(tmp_path: Path) -> None:
    with card_laboratory(tmp_path, hum=False, noise="0 V", loudness=0.0) as lab, chip_on(lab) as chip:
        chip.calibrate_amplifier()
        waveform = GENTLE * tones()
        response = chip.run(waveform)
        volts = np.concatenate([np.zeros((*waveform.shape[:2], 1)), waveform], axis=2)
        error = response.outputs[..., 0] - current(volts)
        # lag of the amplifier, 53 us behind inputs that change by up to 21 V/s, and the outputs' errors
        assert np.abs(error).max() < 0.02 * np.ptp(current(volts))
        assert not response.flags.any()
        lab.assert_inside_the_envelope()


def test_a_long_waveform_survives_the_chassis_clock(tmp_path: Path) -> None:
    """300 ppm over 6 s are 1.8 ms, two samples: the same oscillator times outputs and inputs."""
    with (
        card_laboratory(tmp_path, hum=False, noise="0 V", loudness=0.0, clock_error="300 ppm") as lab,
        chip_on(lab) as chip,
    ):
        chip.calibrate_amplifier()
        square = np.zeros((1, 6000, 2))
        square[0, 1::2, 0] = 0.03
        response = chip.run(square)
        contrast = response.outputs[0, ::2, 0] - response.outputs[0, 1::2, 0]
        assert contrast[-1000:].mean() == pytest.approx(contrast[:1000].mean(), rel=1e-3)
        assert contrast.mean() == pytest.approx(6e-10, rel=0.02)


@pytest.mark.parametrize("filter_delay", [0.5, 2.5, 3.2, 17.0])
def test_the_filter_delay_is_taken_off_whatever_it_is(tmp_path: Path, filter_delay: float) -> None:
    options = f"filter_delay: {filter_delay}"
    with card_laboratory(tmp_path, hum=False, noise="0 V", loudness=0.0, scale=0.0, options=options) as lab:
        lab.source.set_slew_limit(7, 1000.0)
        wave = np.tile([0.1, -0.1], 20)
        lab.source.arm({7: wave}, 1e-3)
        lab.digitizer.arm(40, 1e-3, 300e-6, 650e-6)
        lab.source.fire()
        volts = (lab.digitizer.fetch(1.0) - OFFSET) * RESISTOR / GAIN
        lab.source.finish(1.0)
        np.testing.assert_allclose(volts, wave, atol=3e-3)


def test_an_identity_that_does_not_fit_drives_nothing(lab: CardLaboratory) -> None:
    with pytest.raises(IdentityError, match=r"cDAQ-9189 1F2A3B4.*where 'NI 9263'"):
        DNPU("other", lab.source, lab.digitizer, ELECTRODES, READOUT, expect={"source": "NI 9263"})
    assert all(output.record.largest_step_V == 0.0 for output in lab.chassis.outputs)


def test_an_exception_in_the_session_brings_the_chip_to_rest(lab: CardLaboratory) -> None:
    with chip_on(lab) as chip:
        chip.calibrate_amplifier(levels=3, readings=2, noise_readings=2)

        def session() -> None:
            with guarded(chip):
                chip.set_controls(np.array([0.25]))
                chip.run(GENTLE * tones(batch=1))
                raise SystemExit(143)

        with pytest.raises(SystemExit):
            session()
        assert lab.outputs_V() == pytest.approx([0, 0, 0, 0], abs=5e-3)
        lab.assert_inside_the_envelope()


@pytest.mark.parametrize("method", ["wait", "start"])
def test_an_interrupt_in_the_middle_of_a_waveform_brings_the_chip_to_rest(
    lab: CardLaboratory, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    from drivers.daqmx import OutputRun

    with chip_on(lab) as chip:
        chip.calibrate_amplifier(levels=3, readings=2, noise_readings=2)
        chip.set_controls(np.array([0.25]))
        original, left = getattr(OutputRun, method), [1]

        def interrupted(run: OutputRun, *arguments: float) -> None:
            if left and len(run.channels) > 1:
                left.pop()
                lab.bench.clock.advance(0.05)
                raise KeyboardInterrupt
            original(run, *arguments)

        monkeypatch.setattr(OutputRun, method, interrupted)
        with pytest.raises(KeyboardInterrupt):
            chip.run(GENTLE * tones(batch=1))
        assert not left
        assert lab.outputs_V() == pytest.approx([0, 0, 0, 0], abs=5e-3)
        lab.assert_inside_the_envelope()


def test_a_card_that_is_pulled_out_is_an_instrument_error(
    lab: CardLaboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = lab.chassis.input_module
    monkeypatch.setattr(type(lab.chassis), "modules", property(lambda chassis: (chassis.chassis,)))
    with pytest.raises(
        InstrumentError, match=rf"cDAQ1: Device identifier is invalid.*{module.name}.*-200220"
    ):
        lab.source.read_back(0)
    with pytest.raises(InstrumentError, match=r"-200220.*while asking who it is"):
        lab.source.recover()


def test_another_program_that_holds_the_card_is_an_instrument_error(lab: CardLaboratory) -> None:
    import nidaqmx

    with nidaqmx.Task("another program's") as task:
        task.ai_channels.add_ai_voltage_chan("cDAQ1Mod2/ai0")
        task.start()
        with pytest.raises(InstrumentError, match=r"cDAQ1: The specified resource is reserved.*-50103"):
            lab.source.read_back(0)
    assert lab.source.read_back(0) == pytest.approx(0.0, abs=5e-3)


def test_a_read_back_ends_an_acquisition_and_says_so_afterwards(lab: CardLaboratory) -> None:
    lab.digitizer.arm(5, 1e-3, 300e-6, 650e-6)
    lab.source.read_back(0)
    with pytest.raises(InstrumentError, match="no readings are under way"):
        lab.digitizer.fetch(1.0)


def test_an_aperture_that_holds_no_conversion_is_refused(lab: CardLaboratory) -> None:
    with pytest.raises(InstrumentError, match=r"no conversion of 100 us.*aperture of 90 us; make it 200 us"):
        lab.digitizer.arm(5, 1e-3, 90e-6, 650e-6)
    lab.digitizer.arm(5, 1e-3, 300e-6, 650e-6)
    lab.digitizer.abort()


def test_a_sample_rate_that_the_clocks_cannot_make_is_refused(lab: CardLaboratory) -> None:
    lab.source.set_slew_limit(0, 60.0)
    with pytest.raises(InstrumentError, match="can make no whole number of samples in 3e-05 s"):
        lab.source.arm({0: np.zeros(10)}, 30e-6)


def test_overload_reads_as_infinity(lab: CardLaboratory) -> None:
    class Mains:
        def means(self, starts_s: np.ndarray, stops_s: np.ndarray) -> np.ndarray:
            return np.full(len(starts_s), -230.0)

    lab.chassis.inputs[8].plug(Mains())
    np.testing.assert_array_equal(lab.digitizer.read(2, 1e-3, 0.0), [-np.inf, -np.inf])


def test_confined_outputs_refuse_other_voltages_here_and_in_the_driver(lab: CardLaboratory) -> None:
    lab.source.set_slew_limit(0, 60.0)
    lab.source.confine(0, -1.2, 0.6)
    for refused in (
        lambda: lab.source.set_static({0: 0.7}),
        lambda: lab.source.arm({0: np.array([0.0, np.nan])}, 1e-3),
    ):
        with pytest.raises(
            EnvelopeError, match=r"output 0 of cDAQ1: (0\.7|nan) V is outside -1\.2 V to 0\.6 V"
        ):
            refused()
    with pytest.raises(InstrumentError, match="-200561"):
        lab.cards.load({0: np.array([0.0, 0.7])}, {0: (-1.2, 0.6)}, 25e3)
    assert lab.chassis.outputs[0].record.largest_step_V == 0.0


def test_an_output_that_was_left_outside_is_brought_back_by_a_ramp(lab: CardLaboratory) -> None:
    lab.chassis.outputs[0].step(2.0)
    lab.bench.clock.advance(1.0)
    lab.source.set_slew_limit(0, 60.0)
    lab.source.confine(0, -1.2, 0.6)
    record = lab.chassis.outputs[0].record
    record.largest_step_V = 0.0
    lab.source.set_static({0: 0.0})
    lab.bench.clock.advance(1.0)
    assert lab.output_V(0) == pytest.approx(0.0, abs=5e-3)
    assert record.largest_step_V < 60.0 * UPDATE_s + 5e-3


def test_outputs_must_be_wired_back(lab: CardLaboratory) -> None:
    with pytest.raises(ShapeError, match="output 5 of cDAQ1 is not wired back"):
        lab.source.output_range(5)
    for read_back, readout in (({0: 1, 2: 1}, 8), ({0: 8}, 8), ({0: 16}, 8), ({16: 0}, 8)):
        with pytest.raises(ShapeError, match="each once"):
            NICards("wrong", "cDAQ1", read_back=read_back, readout=readout)


def test_a_chassis_that_is_not_there(lab: CardLaboratory) -> None:
    with pytest.raises(
        InstrumentError, match="cDAQ9: NI-DAQmx knows no such chassis; it knows cDAQ1, cDAQ1Mod1"
    ):
        NICards("wrong", "cDAQ9", read_back={}, readout=8)


def test_the_journal_tells_what_was_sent(lab: CardLaboratory) -> None:
    lab.source.set_slew_limit(0, 60.0)
    lab.journal.clear()
    lab.source.arm({0: np.array([0.0, 0.01])}, 1e-3)
    lab.source.fire()
    lab.source.finish(1.0)
    told = [(text, samples) for text, samples in lab.journal if "ao0" in text]
    assert [text for text, _ in told] == [
        "cDAQ1Mod1/ao0 load 1x50 V at 25000 Hz",
        "ao0 follow 0.001 s steps at 60 V/s #",
        "cDAQ1Mod1/ao0 start",
        "cDAQ1Mod1/ao0 end",
    ]
    np.testing.assert_array_equal(np.frombuffer(told[1][1]), [0.0, 0.01])


def test_timeouts_and_other_errors_are_told_apart() -> None:
    from nidaqmx.errors import DaqError, DaqNotFoundError

    for code, kind in (
        (-200284, InstrumentTimeout),
        (-200560, InstrumentTimeout),
        (-200279, InstrumentError),
    ):
        with pytest.raises(InstrumentError) as caught, translated("reading", "cDAQ1"):
            raise DaqError("no", code)
        assert type(caught.value) is kind
    with pytest.raises(InstrumentError, match="cDAQ1: no driver"), translated("reading", "cDAQ1"):
        raise DaqNotFoundError("no driver")


def test_without_the_package_both_sides_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with card_laboratory(tmp_path) as lab:
        bench = lab.bench
    monkeypatch.setitem(sys.modules, "nidaqmx", None)
    with pytest.raises(InstrumentError, match=r"cDAQ1: .* nidaqmx is missing.*pip install"):
        NICards("cards", "cDAQ1", read_back={}, readout=8)
    with pytest.raises(BenchError, match=r"nidaqmx.*pip install"), emulated_daqmx(bench):
        pass


def test_following_targets_by_small_steps() -> None:
    np.testing.assert_allclose(
        _approach(0.0, np.array([0.25, 0.25, 0.25, 0.25]), 0.1), [0.1, 0.2, 0.25, 0.25]
    )
    np.testing.assert_allclose(_approach(0.0, np.array([1.0, 1.0, -1.0, -1.0]), 0.1), [0.1, 0.2, 0.1, 0.0])
    random = np.random.default_rng(0)
    targets = np.repeat(random.uniform(-1, 1, 40), 25)
    followed = _approach(0.3, targets, 0.02)
    expected, volts = [], 0.3
    for target in targets:
        volts += float(np.clip(target - volts, -0.02, 0.02))
        expected.append(volts)
    np.testing.assert_allclose(followed, expected, atol=1e-12)
