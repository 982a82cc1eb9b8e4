"""The emulated driver behind the `nidaqmx` package: a `BaseInterpreter` on emulated chassis.

Covered, and through it what the package builds on it (`Task`, its channels, timing, triggers and streams,
`stream_readers` and `stream_writers`, `system.System` and `Device`): voltage inputs and outputs, on demand or
by the sample clock, finite and continuous; digital start triggers between the two; the task states; the
properties in `attributes`; the self-test. Every other function is refused with -209876, every other property
with -200197: counters, digital lines, reference and pause triggers, events, custom scales, saved tasks,
waveform objects, resetting a device, and writing to the buffer of a generation that runs.
"""

import abc
import itertools
import re
from collections.abc import Sequence
from typing import Any

from nidaqmx._base_interpreter import BaseInterpreter
from nidaqmx.constants import Edge, VoltageUnits
from nidaqmx.error_codes import DAQmxErrors
from nidaqmx.types import DriverVersion
from nidaqmx.utils import flatten_channel_string, unflatten_channel_string

from simulators.daqmx import attributes
from simulators.daqmx.faults import Code, fault, not_covered, refused_value
from simulators.daqmx.names import System, terminal
from simulators.daqmx.reading import Acquiring, read
from simulators.daqmx.task import Channel, Reservations, Running, Task
from simulators.daqmx.waiting import wait
from simulators.daqmx.writing import Generating, write
from simulators.instruments.ni_cdaq.chassis import NiCdaq
from simulators.instruments.path import Array

_VERSION = DriverVersion(24, 8, 0)
_SELF_TEST_S = 0.1
_PROPERTY = re.compile(
    r"(get|set|reset)_(task|timing|trig|buffer|read|write|chan|device)_attribute(_[a-z0-9_]+)?"
)


def _starting(task: Task) -> Running:
    return Acquiring(task) if task.kind == "ai" else Generating(task)


class EmulatedInterpreter(BaseInterpreter):  # type: ignore[misc]
    """One computer's driver. A call that reaches a card takes `latency_s` of virtual time."""

    def __init__(self, chassis: Sequence[NiCdaq], latency_s: float = 0.0) -> None:
        self._system, self._latency_s = System(chassis), latency_s
        self._clock = chassis[0].clock
        self._tasks: dict[int, Task] = {}
        self._handles = itertools.count(1)
        self._reservations = Reservations()
        self._triggers: dict[str, list[Any]] = {}
        self._last_created = ""

    @property
    def driver_version(self) -> DriverVersion:
        """That of the driver whose behaviour is emulated."""
        return _VERSION

    def _exchange(self) -> None:
        self._clock.pass_idle()
        self._clock.advance(self._latency_s)

    def _task(self, handle: int | None) -> Task:
        if handle not in self._tasks:
            raise fault(Code.INVALID_TASK, "Task specified is invalid or does not exist.")
        return self._tasks[handle]

    # Tasks ------------------------------------------------------------------------------------------------

    def create_task(self, session_name: str) -> tuple[int, bool]:
        """DAQmxCreateTask."""
        handle = next(self._handles)
        name = session_name or f"_unnamedTask<{handle - 1}>"
        if any(task.name == name for task in self._tasks.values()):
            raise fault(Code.DUPLICATE_TASK, f"Task name is used already.\n\nTask Name: {name}")
        self._tasks[handle] = Task(name, self._reservations, self._triggers, _starting)
        return handle, True

    def clear_task(self, task: int) -> None:
        """DAQmxClearTask."""
        self._exchange()
        cleared = self._task(task)
        cleared.stop()
        self._reservations.give_back(cleared)
        del self._tasks[task]

    def start_task(self, task: int) -> None:
        """DAQmxStartTask."""
        self._exchange()
        self._task(task).start()

    def stop_task(self, task: int) -> None:
        """DAQmxStopTask."""
        self._exchange()
        stopped = self._task(task)
        if isinstance(stopped.running, Generating):
            running = stopped.running
            stopped.stop()
            running.check()
        stopped.stop()

    def task_control(self, task: int, action: int) -> None:
        """DAQmxTaskControl."""
        self._exchange()
        self._task(task).control(action)

    def is_task_done(self, task: int) -> bool:
        """DAQmxIsTaskDone."""
        self._exchange()
        running = self._task(task).running
        if isinstance(running, Generating):
            running.check()
        return running is None or running.done_at_s <= self._clock.now

    def wait_until_task_done(self, task: int, time_to_wait: float) -> None:
        """DAQmxWaitUntilTaskDone."""
        self._exchange()
        waited = self._task(task)
        if waited.running is None:
            return
        done = wait(self._clock, waited.running.done_at_s, time_to_wait)
        if isinstance(waited.running, Generating):
            waited.running.check()
        if not done:
            raise fault(
                Code.WAIT_UNTIL_DONE_DOES_NOT_INDICATE_DONE,
                "Wait Until Done did not indicate that the task was done within the specified timeout.\n\n"
                f"Timeout: {time_to_wait:g} s",
                waited.name,
            )

    def hash_task_handle(self, task_handle: int) -> int:
        """What the package hashes a task by."""
        return hash(task_handle)

    # Channels, timing, triggers ---------------------------------------------------------------------------

    def create_ai_voltage_chan(
        self,
        task: int,
        physical_channel: str,
        name_to_assign_to_channel: str,
        terminal_config: int,
        min_val: float,
        max_val: float,
        units: int,
        custom_scale_name: str,
    ) -> None:
        """DAQmxCreateAIVoltageChan."""
        self._create("ai", task, physical_channel, name_to_assign_to_channel, min_val, max_val, units)

    def create_ao_voltage_chan(
        self,
        task: int,
        physical_channel: str,
        name_to_assign_to_channel: str,
        min_val: float,
        max_val: float,
        units: int,
        custom_scale_name: str,
    ) -> None:
        """DAQmxCreateAOVoltageChan."""
        self._create("ao", task, physical_channel, name_to_assign_to_channel, min_val, max_val, units)

    def _create(
        self, kind: str, handle: int, physical: str, given: str, low_V: float, high_V: float, units: int
    ) -> None:
        task = self._task(handle)
        if units != VoltageUnits.VOLTS.value:
            raise refused_value(f"{kind.upper()}.Voltage.Units", units, "volts", task.name)
        chassis, numbers = self._system.channels(physical, kind)
        places = [name.strip("/") for name in unflatten_channel_string(physical)]
        several = [f"{given}{k}" for k in range(len(places))] if len(places) > 1 else [given]
        names = several if given else places
        rows = zip(names, places, numbers, strict=True)
        task.add_channels(kind, chassis, [Channel(*row, float(low_V), float(high_V)) for row in rows])
        self._last_created = flatten_channel_string(names)

    def internal_get_last_created_chan(self) -> str:
        """The names of the channels that were created last."""
        return self._last_created

    def cfg_samp_clk_timing(
        self,
        task: int,
        rate: float,
        source: str,
        active_edge: int,
        sample_mode: int,
        samps_per_chan: int,
    ) -> None:
        """DAQmxCfgSampClkTiming."""
        self._task(task).clock(rate, source, sample_mode, samps_per_chan)

    def cfg_dig_edge_start_trig(self, task: int, trigger_source: str, trigger_edge: int) -> None:
        """DAQmxCfgDigEdgeStartTrig; a start trigger of the chassis has a rising edge only."""
        configured = self._task(task)
        chassis = configured.require_channels()
        found = terminal(chassis, trigger_source, configured.name)
        if (
            not found.endswith("StartTrigger")
            or found == f"/{chassis.chassis.name}/{configured.kind}/StartTrigger"
        ):
            raise refused_value(
                "Start.DigEdge.Src", trigger_source, "the other engine's start", configured.name
            )
        if trigger_edge != Edge.RISING.value:
            raise refused_value("Start.DigEdge.Edge", trigger_edge, "rising", configured.name)
        configured.change()
        configured.trigger_source = found

    def disable_start_trig(self, task: int) -> None:
        """DAQmxDisableStartTrig."""
        configured = self._task(task)
        configured.change()
        configured.trigger_source = ""

    # Data -------------------------------------------------------------------------------------------------

    def read_analog_f64(
        self, task: int, num_samps_per_chan: int, timeout: float, fill_mode: int, read_array: Array
    ) -> tuple[Array, int]:
        """DAQmxReadAnalogF64."""
        self._exchange()
        count = read(self._task(task), self._clock, num_samps_per_chan, timeout, fill_mode, read_array)
        return read_array, count

    def write_analog_f64(
        self,
        task: int,
        num_samps_per_chan: int,
        auto_start: bool,
        timeout: float,
        data_layout: int,
        write_array: Array,
    ) -> int:
        """DAQmxWriteAnalogF64."""
        self._exchange()
        return write(self._task(task), num_samps_per_chan, auto_start, data_layout, write_array)

    # Devices and the system -------------------------------------------------------------------------------

    def self_test_device(self, device_name: str) -> None:
        """DAQmxSelfTestDevice: passes, and moves nothing."""
        self._system.device(device_name)
        self._clock.advance(_SELF_TEST_S)

    def get_system_info_attribute_string(self, attribute: int) -> str:
        """Names of the devices; there are no saved tasks, channels and scales."""
        devices = ", ".join(module.name for _, module in self._system.modules)
        known = {0x193B: devices, 0x1265: "", 0x1266: "", 0x1267: ""}
        if attribute not in known:
            raise attributes.unknown(attribute)
        return known[attribute]

    def get_system_info_attribute_uint32(self, attribute: int) -> int:
        """The version of the driver."""
        known = dict(zip((0x1272, 0x1923, 0x2F22), _VERSION, strict=True))
        if attribute not in known:
            raise attributes.unknown(attribute)
        return int(known[attribute])

    def get_error_string(self, error_code: int) -> str:
        """DAQmxGetErrorString: the name of the error, as words."""
        known = {code.value: code.name for code in DAQmxErrors}
        return known.get(error_code, "UNKNOWN").replace("_", " ").capitalize()

    # Properties -------------------------------------------------------------------------------------------

    def property_of(self, does: str, group: str, arguments: Sequence[Any]) -> Any:
        """Get or set a property; the arguments are those of the package's `<does>_<group>_attribute_<type>`."""
        if group == "device":
            name, number = arguments
            return attributes.get_device(*self._system.device(name), number)
        task = self._task(arguments[0])
        if group == "chan":
            if does != "get":
                raise attributes.unknown(arguments[2], task.name)
            return attributes.get_channel(task, unflatten_channel_string(arguments[1]), arguments[2])
        if does == "set":
            return attributes.put(task, group, arguments[1], arguments[2])
        if does == "reset":
            raise attributes.unknown(arguments[1], task.name)
        return attributes.get(task, group, arguments[1])


def _property(name: str) -> Any:
    match = _PROPERTY.fullmatch(name)
    if match is None or (match[3] or "").startswith("_ex"):
        return None
    does, group = match[1], match[2]

    def method(self: EmulatedInterpreter, *arguments: Any, **hints: Any) -> Any:
        return self.property_of(does, group, arguments)

    return method


def _refusal(name: str) -> Any:
    def method(self: EmulatedInterpreter, *arguments: Any, **named: Any) -> Any:
        not_covered(name)

    return method


for _name in EmulatedInterpreter.__abstractmethods__:  # what the class does not spell out
    setattr(EmulatedInterpreter, _name, _property(_name) or _refusal(_name))
abc.update_abstractmethods(EmulatedInterpreter)
