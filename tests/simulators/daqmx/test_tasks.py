"""The unmodified `nidaqmx` package on an emulated chassis: tasks, timing, triggers, errors."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

nidaqmx = pytest.importorskip("nidaqmx", reason="the optional package nidaqmx is not installed")

from nidaqmx.constants import READ_ALL_AVAILABLE, AcquisitionType, RegenerationMode, TaskMode  # noqa: E402
from nidaqmx.errors import DaqError, DaqReadError  # noqa: E402
from nidaqmx.stream_readers import AnalogMultiChannelReader, AnalogSingleChannelReader  # noqa: E402
from nidaqmx.stream_writers import AnalogMultiChannelWriter  # noqa: E402
from nidaqmx.system import System  # noqa: E402
from qcodes_contrib_drivers.drivers.NationalInstruments.DAQ import DAQAnalogOutputs  # noqa: E402

from simulators.clock import VirtualClock  # noqa: E402
from simulators.daqmx import emulated_daqmx  # noqa: E402
from simulators.instruments.ni_cdaq.chassis import NiCdaq  # noqa: E402
from simulators.instruments.terminals import Driven  # noqa: E402

LSB = 21.0 / 2**16
AO, AI = "cDAQ1Mod1", "cDAQ1Mod2"
DELAY = 2.5  # samples, the emulated filter's


def make_chassis(**settings: Any) -> NiCdaq:
    """A chassis without errors and noise whose outputs are wired to the inputs of the same number."""
    chassis = NiCdaq(VirtualClock(), "1F2A3B4", np.random.default_rng(1), noise=0.0, **settings)
    for output, one in zip(chassis.outputs, chassis.inputs, strict=True):
        output.gain_error = output.offset_V = one.gain_error = one.offset_V = 0.0
        one.plug(Driven(output))
    return chassis


@pytest.fixture
def chassis() -> Iterator[NiCdaq]:
    chassis = make_chassis()
    with emulated_daqmx(chassis):
        yield chassis


@pytest.fixture
def task(chassis: NiCdaq) -> Iterator[Callable[[], Any]]:
    """Makes tasks and closes them, as the package asks for."""
    made = []

    def make(*names: str) -> Any:
        made.append(nidaqmx.Task(*names))
        return made[-1]

    yield make
    for one in made:
        if one._handle is not None:
            one.close()


def code(action: Callable[[], object]) -> int:
    with pytest.raises(DaqError) as caught:
        action()
    return int(caught.value.error_code)


def outputs(task: Callable[[], Any], lines: str = "ao0", samples: int = 100, rate: float = 1000.0) -> Any:
    one = task()
    one.ao_channels.add_ao_voltage_chan(f"{AO}/{lines}")
    one.timing.cfg_samp_clk_timing(rate, samps_per_chan=samples)
    return one


def inputs(task: Callable[[], Any], lines: str = "ai0", samples: int = 100, rate: float = 1000.0) -> Any:
    one = task()
    one.ai_channels.add_ai_voltage_chan(f"{AI}/{lines}")
    one.timing.cfg_samp_clk_timing(rate, samps_per_chan=samples)
    return one


def test_the_system_lists_the_chassis_and_its_modules(chassis: NiCdaq) -> None:
    devices = {device.name: device for device in System.local().devices}
    assert [device.product_type for device in devices.values()] == ["cDAQ-9189", "NI 9264", "NI 9202"]
    assert devices["cDAQ1"].serial_num == 0x1F2A3B4
    assert [module.name for module in devices["cDAQ1"].chassis_module_devices] == [AO, AI]
    assert devices[AI].compact_daq_chassis_device.name == "cDAQ1"
    assert devices[AO].ao_physical_chans.channel_names == [f"{AO}/ao{k}" for k in range(16)]
    assert len(devices[AI].ai_physical_chans) == 16
    assert devices[AO].ao_voltage_rngs == [-10.5, 10.5]
    assert (devices[AO].ao_max_rate, devices[AI].ai_max_multi_chan_rate) == (25e3, 10e3)
    devices[AI].self_test_device()


def test_values_on_demand_jump_hold_and_are_quantised(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    out, back = task(), task()
    out.ao_channels.add_ao_voltage_chan(f"{AO}/ao0:1")
    back.ai_channels.add_ai_voltage_chan(f"{AI}/ai0:1")
    out.write([1.0, -0.5], auto_start=True)
    chassis.clock.advance(1e-3)
    read = back.read()
    assert read == pytest.approx([round(1.0 / LSB) * LSB, round(-0.5 / LSB) * LSB], abs=2e-6)
    out.close()
    chassis.clock.advance(10.0)
    assert back.read() == pytest.approx(read, abs=2e-6), "the card holds its values without a task"


def test_a_finite_waveform_is_read_back_sample_by_sample(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    wave = np.random.default_rng(3).uniform(-5, 5, (2, 50))
    out, back = outputs(task, "ao2:3", 50), inputs(task, "ai2:3", 510, 10e3)
    back.triggers.start_trigger.cfg_dig_edge_start_trig("/cDAQ1/ao/StartTrigger")
    AnalogMultiChannelWriter(out.out_stream).write_many_sample(wave)
    back.start()
    chassis.clock.advance(0.3)
    assert back.in_stream.total_samp_per_chan_acquired == 0, "the trigger has not come"
    out.start()
    out.wait_until_done(1.0)
    data = np.zeros((2, 510))
    assert AnalogMultiChannelReader(back.in_stream).read_many_sample(data, timeout=1.0) == 510
    # conversion j is of the interval around (j - delay) / 10 kHz; five lie in the middle of each sample
    middle = (10 * np.arange(50)[:, None] + np.arange(3, 8) + 0.5 + DELAY).astype(int)
    for row in (0, 1):
        np.testing.assert_allclose(data[row][middle], np.repeat(wave[row][:, None], 5, 1), atol=LSB)
    assert chassis.outputs[2].at(chassis.clock.now) == pytest.approx(wave[0, -1], abs=LSB)


def test_the_filter_delay_is_that_of_the_property(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    out, back = outputs(task, samples=2), inputs(task, samples=100, rate=10e3)
    back.triggers.start_trigger.cfg_dig_edge_start_trig("/cDAQ1/ao/StartTrigger")
    out.write([3.0, 3.0])
    back.start()
    out.start()
    step = np.array(back.read(READ_ALL_AVAILABLE))
    delay_s = back.ai_channels.all.ai_filter_delay
    assert delay_s == pytest.approx(DELAY / 10e3)
    assert np.interp(1.5, step[:10], np.arange(10.0)) / 10e3 == pytest.approx(delay_s, abs=2e-6)


@pytest.mark.parametrize("clock_error", [0.0, 300e-6])
def test_what_starts_together_stays_together(clock_error: float, task: Callable[[], Any]) -> None:
    """The chassis' oscillator may be wrong: both engines are wrong alike, over ten seconds."""
    chassis = make_chassis(clock_error=clock_error)
    with emulated_daqmx(chassis):
        out, back = outputs(task, samples=10_000), inputs(task, samples=100_010, rate=10e3)
        back.timing.samp_clk_timebase_src = "/cDAQ1/12.8MHzTimebase"
        back.triggers.start_trigger.cfg_dig_edge_start_trig("/cDAQ1/ao/StartTrigger")
        out.write(np.tile([1.0, -1.0], 5000))
        back.start()
        out.start()
        begin = chassis.clock.now
        out.wait_until_done(20.0)
        assert chassis.clock.now - begin == pytest.approx(9.999 * (1 + clock_error))
        data = np.array(back.read(READ_ALL_AVAILABLE, timeout=20.0))
        late = data[99_990 + int(3 + 0.5 + DELAY) :][:5]
        np.testing.assert_allclose(late, -1.0, atol=2 * LSB)
        out.close()
        back.close()


@pytest.mark.parametrize(
    ("asked", "made"), [(1000.0, 1000.0), (7000.0, 80e6 / 11428), (25e3, 25e3), (3.0, 100e3 / 33333)]
)
def test_output_rates_are_whole_divisions_of_a_time_base(
    task: Callable[[], Any], asked: float, made: float
) -> None:
    assert outputs(task, rate=asked).timing.samp_clk_rate == pytest.approx(made, rel=1e-12)


@pytest.mark.parametrize(
    ("asked", "timebase", "made"),
    [
        (10e3, "12.8MHzTimebase", 10e3),
        (9.5e3, "12.8MHzTimebase", 10e3),
        (9000.0, "13.1072MHzTimebase", 102_400 / 11),
        (1000.0, "12.8MHzTimebase", 1000.0),
    ],
)
def test_input_rates_are_coerced_to_the_next_higher_one(
    task: Callable[[], Any], asked: float, timebase: str, made: float
) -> None:
    back = inputs(task, rate=asked)
    back.timing.samp_clk_timebase_src = f"/cDAQ1/{timebase}"
    assert back.timing.samp_clk_rate == pytest.approx(made, rel=1e-12)


def test_states_reserve_and_give_back(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    first, second = outputs(task, "ao0"), outputs(task, "ao1")
    first.control(TaskMode.TASK_RESERVE)
    assert code(second.start) == -50103
    first.control(TaskMode.TASK_UNRESERVE)
    second.write(np.zeros(100))
    second.start()
    assert code(lambda: first.control(TaskMode.TASK_COMMIT)) == -50103
    second.stop()  # a start that reserved implicitly gives back at the stop
    first.control(TaskMode.TASK_COMMIT)
    first.write(np.zeros(100))
    first.start()
    assert code(first.start) == -200479
    first.stop()
    assert code(second.start) == -50103, "what was committed explicitly stays so"
    first.control(TaskMode.TASK_ABORT)
    second.start()
    assert code(lambda: second.timing.cfg_samp_clk_timing(10.0)) == -200557


def test_a_wait_that_is_too_short_and_a_stop_on_the_way(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    out = outputs(task)
    out.write(np.linspace(0.0, 1.0, 100))
    out.start()
    assert code(lambda: out.wait_until_done(0.0495)) == -200560
    assert not out.is_task_done()
    assert out.out_stream.total_samp_per_chan_generated == 50
    out.stop()
    chassis.clock.advance(1.0)
    assert chassis.outputs[0].at(chassis.clock.now) == pytest.approx(49 / 99, abs=LSB)


def test_a_continuous_generation_repeats_its_buffer(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    out = task()
    out.ao_channels.add_ao_voltage_chan(f"{AO}/ao0")
    out.timing.cfg_samp_clk_timing(1000.0, sample_mode=AcquisitionType.CONTINUOUS)
    out.write([0.0, 1.0, 2.0, 3.0])
    out.start()
    chassis.clock.advance(1.0025)
    assert chassis.outputs[0].at(chassis.clock.now) == pytest.approx(2.0, abs=LSB)
    assert code(lambda: out.wait_until_done(1.0)) == -200560
    out.stop()


def test_without_regeneration_a_buffer_is_played_once(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    out = outputs(task, samples=10)
    out.out_stream.regen_mode = RegenerationMode.DONT_ALLOW_REGENERATION
    out.write([0.0, 1.0, 2.0])
    out.start()
    assert code(lambda: out.wait_until_done(1.0)) == -200290
    chassis.clock.advance(1e-3)
    assert chassis.outputs[0].at(chassis.clock.now) == pytest.approx(2.0, abs=LSB)


def test_a_continuous_acquisition_is_read_in_pieces_or_overwritten(
    chassis: NiCdaq, task: Callable[[], Any]
) -> None:
    back = task()
    back.ai_channels.add_ai_voltage_chan(f"{AI}/ai0")
    back.timing.cfg_samp_clk_timing(10e3, sample_mode=AcquisitionType.CONTINUOUS, samps_per_chan=2000)
    back.in_stream.input_buf_size = 2000
    back.start()
    chassis.clock.advance(0.1)
    assert back.in_stream.avail_samp_per_chan == 1001
    assert len(back.read(READ_ALL_AVAILABLE)) == 1001
    assert len(back.read(1500, timeout=1.0)) == 1500
    chassis.clock.advance(0.3)
    assert code(lambda: back.read(10)) == -200279


def test_a_read_that_times_out_says_so_and_can_be_done_again(task: Callable[[], Any]) -> None:
    back = inputs(task, samples=1000, rate=10e3)
    back.start()
    with pytest.raises(DaqReadError) as caught:
        back.read(1000, timeout=0.01)
    assert (caught.value.error_code, caught.value.samps_per_chan_read) == (-200284, 0)
    data = np.zeros(1000)
    assert AnalogSingleChannelReader(back.in_stream).read_many_sample(data, 1000, timeout=1.0) == 1000
    assert code(lambda: back.read(1)) == -200278


def test_a_trigger_that_never_comes_is_a_timeout(task: Callable[[], Any]) -> None:
    back = inputs(task)
    back.triggers.start_trigger.cfg_dig_edge_start_trig("/cDAQ1/ao/StartTrigger")
    back.start()
    assert code(lambda: back.read(100, timeout=-1)) == -200284


REFUSED: dict[int, Callable[[Any], object]] = {
    -200220: lambda t: t.ao_channels.add_ao_voltage_chan("Dev7/ao0"),
    -200170: lambda t: t.ai_channels.add_ai_voltage_chan(f"{AI}/_ao0_vs_aognd"),
    -200430: lambda t: t.ai_channels.add_ai_voltage_chan(f"{AO}/ao0"),
    -200478: lambda t: t.timing.cfg_samp_clk_timing(1000.0),
    -200077: lambda t: t.ao_channels.add_ao_voltage_chan(f"{AO}/ao0", min_val=-20.0),
    -200171: lambda t: [t.ao_channels.add_ao_voltage_chan(f"{AO}/ao{k}", "same") for k in (0, 1)],
    -200559: lambda t: [
        t.ao_channels.add_ao_voltage_chan(f"{AO}/ao0"),
        t.ai_channels.add_ai_voltage_chan(f"{AI}/ai0"),
    ],
    -209876: lambda t: t.di_channels.add_di_chan(f"{AO}/port0"),
}


@pytest.mark.parametrize("number", REFUSED)
def test_what_the_cards_cannot_do_is_refused_by_its_code(task: Callable[[], Any], number: int) -> None:
    assert code(lambda: REFUSED[number](task())) == number


def test_writes_are_checked(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    out = task()
    out.ao_channels.add_ao_voltage_chan(f"{AO}/ao0", min_val=-1.0, max_val=0.5)
    assert code(lambda: out.write(0.6)) == -200561
    assert code(lambda: out.write(0.1, auto_start=False)) == -200846
    out.timing.cfg_samp_clk_timing(1000.0, samps_per_chan=10)
    assert code(out.start) == -200462
    out.write(np.zeros(10))
    assert code(lambda: out.write(np.zeros(20))) == -200547
    assert chassis.outputs[0].record.largest_step_V == 0.0


def test_rates_and_terminals_are_checked(task: Callable[[], Any]) -> None:
    assert code(outputs(task, rate=26e3).start) == -200077
    assert code(lambda: outputs(task, samples=1)) == -200077
    back = inputs(task, rate=11e3)
    assert code(back.start) == -200077
    trigger = back.triggers.start_trigger
    assert code(lambda: trigger.cfg_dig_edge_start_trig("/cDAQ1/PFI0")) == -200040
    assert code(lambda: setattr(back.timing, "samp_clk_timebase_src", "/cDAQ1/80MHzTimebase")) == -200077
    assert code(lambda: back.ai_channels.all.ai_lowpass_enable) == -200197


def test_names_are_unique_and_closed_tasks_gone(task: Callable[[], Any]) -> None:
    one = task("mine")
    assert code(lambda: task("mine")) == -200089
    handle, interpreter = one._handle, one._interpreter
    one.close()
    assert code(lambda: interpreter.start_task(handle)) == -200088
    assert task("mine").name == "mine"


def test_outside_the_block_the_package_is_as_it_was() -> None:
    from nidaqmx import utils

    before = utils._select_interpreter
    with emulated_daqmx(make_chassis()):
        assert utils._select_interpreter is not before
    assert utils._select_interpreter is before


def test_the_stock_qcodes_driver_runs_unmodified(chassis: NiCdaq, task: Callable[[], Any]) -> None:
    out = DAQAnalogOutputs("daq_ao", AO, {"gate": 4})
    try:
        out.voltage_gate(0.75)
        chassis.clock.advance(0.01)
        assert np.mean(inputs(task, "ai4").read(100)) == pytest.approx(0.75, abs=LSB)
    finally:
        out.close()
