"""The properties of tasks, channels and devices that are emulated, by the package's attribute numbers.

The numbers are those of NIDAQmx.h, as the package passes them to its interpreter. What is not here is refused
with -200197, "attribute not supported".
"""

from collections.abc import Callable
from typing import Any

from nidaqmx.constants import (
    ChannelType,
    DigitalWidthUnits,
    Edge,
    ProductCategory,
    RegenerationMode,
    SampleTimingType,
    TerminalConfiguration,
    TriggerType,
    UsageTypeAI,
    UsageTypeAO,
    VoltageUnits,
)
from nidaqmx.utils import flatten_channel_string

from simulators.daqmx.faults import Code, fault, refused_value
from simulators.daqmx.names import physical_lines, terminals
from simulators.daqmx.reading import Acquiring, buffer_size, default_samples
from simulators.daqmx.task import Channel, Task
from simulators.daqmx.writing import Generating
from simulators.instruments.ni_cdaq import input as analog_input
from simulators.instruments.ni_cdaq import output as analog_output
from simulators.instruments.ni_cdaq.chassis import Module, NiCdaq
from simulators.instruments.ni_cdaq.timebases import TIMEBASES_HZ

Getter = Callable[[Task], Any]
Setter = Callable[[Task, Any], None]


def _acquired(task: Task) -> int:
    return task.running.acquisition.acquired if isinstance(task.running, Acquiring) else 0


def _available(task: Task) -> int:
    return task.running.available if isinstance(task.running, Acquiring) else 0


def _position(task: Task) -> int:
    return task.running.position if isinstance(task.running, Acquiring) else 0


def _generated(task: Task) -> int:
    return task.running.generated if isinstance(task.running, Generating) else 0


def _written(task: Task) -> int:
    return 0 if task.written is None else int(task.written.shape[1])


def _names(task: Task) -> str:
    return flatten_channel_string([channel.name for channel in task.channels])


def _device_names(task: Task) -> list[str]:
    chassis = task.require_channels()
    return [(chassis.output_module if task.kind == "ao" else chassis.input_module).name]


def _timing_type(task: Task) -> int:
    clocked = task.timing.clocked
    return (SampleTimingType.SAMPLE_CLOCK if clocked else SampleTimingType.ON_DEMAND).value


def _trigger_type(task: Task) -> int:
    return (TriggerType.DIGITAL_EDGE if task.trigger_source else TriggerType.NONE).value


def _timebase_rate(task: Task) -> float:
    return TIMEBASES_HZ[task.timebase.rpartition("/")[2]]


TASK: dict[tuple[str, int], Getter] = {
    ("task", 0x1276): lambda task: task.name,
    ("task", 0x1273): _names,
    ("task", 0x1274): lambda task: task.running is None,
    ("task", 0x2181): lambda task: len(task.channels),
    ("task", 0x230E): lambda task: ", ".join(_device_names(task)),
    ("task", 0x29BA): lambda task: len(_device_names(task)),
    ("timing", 0x1344): lambda task: task.rate_Hz,
    ("timing", 0x22C8): lambda task: task.max_rate_Hz,
    ("timing", 0x1852): lambda task: f"/{task.require_channels().chassis.name}/{task.kind}/SampleClock",
    ("timing", 0x1301): lambda task: Edge.RISING.value,
    ("timing", 0x1308): lambda task: task.timebase,
    ("timing", 0x1303): _timebase_rate,
    ("timing", 0x18EB): lambda task: round(_timebase_rate(task) / task.rate_Hz),
    ("timing", 0x1300): lambda task: task.timing.mode,
    ("timing", 0x1310): lambda task: task.timing.samples,
    ("timing", 0x1347): _timing_type,
    ("trig", 0x1393): _trigger_type,
    ("trig", 0x1407): lambda task: task.trigger_source,
    ("trig", 0x1404): lambda task: Edge.RISING.value,
    ("trig", 0x2F1E): lambda task: f"/{task.require_channels().chassis.name}/{task.kind}/StartTrigger",
    ("buffer", 0x186C): buffer_size,
    ("buffer", 0x186D): lambda task: _written(task) if task.output_buffer is None else task.output_buffer,
    ("read", 0x1823): _names,
    ("read", 0x217B): lambda task: len(task.channels),
    ("read", 0x192A): _acquired,
    ("read", 0x1223): _available,
    ("read", 0x1221): _position,
    ("read", 0x1215): lambda task: task.read_available,
    ("read", 0x1826): lambda task: task.auto_start,
    ("read", 0x31E8): default_samples,
    ("write", 0x192B): _generated,
    ("write", 0x1458): _written,
    ("write", 0x217E): lambda task: len(task.channels),
    ("write", 0x1453): lambda task: task.regeneration,
}


def _set_rate(task: Task, rate_Hz: float) -> None:
    task.clock(rate_Hz, "", task.timing.mode, task.timing.samples)


def _set_mode(task: Task, mode: int) -> None:
    task.clock(task.timing.rate_Hz, "", mode, task.timing.samples)


def _set_samples(task: Task, samples: int) -> None:
    task.clock(task.timing.rate_Hz, "", task.timing.mode, samples)


def _set_regeneration(task: Task, mode: int) -> None:
    task.change()
    if mode not in [known.value for known in RegenerationMode]:
        raise refused_value("Write.RegenMode", mode, "those of RegenerationMode", task.name)
    task.regeneration = mode


def _set_input_buffer(task: Task, size: int) -> None:
    task.change()
    task.input_buffer = size


def _set_output_buffer(task: Task, size: int) -> None:
    task.change()
    task.output_buffer = size


def _set_read_available(task: Task, on: bool) -> None:
    task.read_available = bool(on)


def _set_auto_start(task: Task, on: bool) -> None:
    task.auto_start = bool(on)


SETTABLE: dict[tuple[str, int], Setter] = {
    ("timing", 0x1344): _set_rate,
    ("timing", 0x1300): _set_mode,
    ("timing", 0x1310): _set_samples,
    ("timing", 0x1308): Task.set_timebase,
    ("buffer", 0x186C): _set_input_buffer,
    ("buffer", 0x186D): _set_output_buffer,
    ("read", 0x1215): _set_read_available,
    ("read", 0x1826): _set_auto_start,
    ("write", 0x1453): _set_regeneration,
}


def _filter_delay(task: Task, channel: Channel) -> float:
    rate_Hz = task.rate_Hz if task.timing.clocked else task.max_rate_Hz
    return task.require_channels().filter_delay_s(rate_Hz)


CHANNEL: dict[int, Callable[[Task, Channel], Any]] = {
    0x18F5: lambda task, channel: channel.physical,
    0x187F: lambda task, channel: (
        (ChannelType.ANALOG_INPUT if task.kind == "ai" else ChannelType.ANALOG_OUTPUT).value
    ),
}
"""Of channels of both kinds."""
INPUT: dict[int, Callable[[Task, Channel], Any]] = {
    0x17DD: lambda task, channel: channel.high_V,
    0x17DE: lambda task, channel: channel.low_V,
    0x1815: lambda task, channel: analog_input.RANGE_V,
    0x1816: lambda task, channel: -analog_input.RANGE_V,
    0x1765: lambda task, channel: 24.0,
    0x2FED: _filter_delay,
    0x3071: lambda task, channel: DigitalWidthUnits.SECONDS.value,
    0x0695: lambda task, channel: UsageTypeAI.VOLTAGE.value,
    0x1097: lambda task, channel: TerminalConfiguration.DIFF.value,
    0x1094: lambda task, channel: VoltageUnits.VOLTS.value,
}
OUTPUT: dict[int, Callable[[Task, Channel], Any]] = {
    0x1186: lambda task, channel: channel.high_V,
    0x1187: lambda task, channel: channel.low_V,
    0x182E: lambda task, channel: analog_output.RANGE_V,
    0x182D: lambda task, channel: -analog_output.RANGE_V,
    0x182C: lambda task, channel: 16.0,
    0x1108: lambda task, channel: UsageTypeAO.VOLTAGE.value,
    0x1184: lambda task, channel: VoltageUnits.VOLTS.value,
}


def _lines(kind: str) -> Callable[[NiCdaq, Module], str]:
    def lines(chassis: NiCdaq, module: Module) -> str:
        names = [name for name in physical_lines(chassis, module) if name.startswith(kind)]
        return ", ".join(f"{module.name}/{name}" for name in names)

    return lines


def _category(chassis: NiCdaq, module: Module) -> int:
    own = module is chassis.chassis
    return (ProductCategory.COMPACT_DAQ_CHASSIS if own else ProductCategory.C_SERIES_MODULE).value


DEVICE: dict[int, Callable[[NiCdaq, Module], Any]] = {
    0x0631: lambda chassis, module: module.product,
    0x0632: lambda chassis, module: module.serial,
    0x22CA: lambda chassis, module: False,
    0x29A9: _category,
    0x29B6: lambda chassis, module: (
        ", ".join(one.name for one in chassis.modules[1:]) if module is chassis.chassis else ""
    ),
    0x29B7: lambda chassis, module: "" if module is chassis.chassis else chassis.chassis.name,
    0x29B8: lambda chassis, module: module.slot,
    0x231E: _lines("ai"),
    0x231F: _lines("ao"),
    0x2320: lambda chassis, module: "",
    0x2322: lambda chassis, module: "",
    0x2321: lambda chassis, module: "",
    0x2323: lambda chassis, module: "",
    0x2324: lambda chassis, module: "",
    0x2325: lambda chassis, module: "",
    0x2A40: lambda chassis, module: ", ".join(terminals(chassis)) if module is chassis.chassis else "",
}
INPUT_DEVICE: dict[int, Callable[[NiCdaq, Module], Any]] = {
    0x298C: lambda chassis, module: analog_input.MAX_RATE_HZ,
    0x298D: lambda chassis, module: analog_input.MAX_RATE_HZ,
    0x298F: lambda chassis, module: True,
    0x2990: lambda chassis, module: [-analog_input.RANGE_V, analog_input.RANGE_V],
}
OUTPUT_DEVICE: dict[int, Callable[[NiCdaq, Module], Any]] = {
    0x2997: lambda chassis, module: analog_output.MAX_RATE_HZ,
    0x2996: lambda chassis, module: True,
    0x299B: lambda chassis, module: [-analog_output.RANGE_V, analog_output.RANGE_V],
}


def get(task: Task, group: str, number: int) -> Any:
    """A property of a task; raises DaqError -200197 for one that is not emulated."""
    if (group, number) not in TASK:
        raise unknown(number, task.name)
    return TASK[group, number](task)


def put(task: Task, group: str, number: int, value: Any) -> None:
    """Set a property of a task; raises DaqError -200197 for one that is not emulated."""
    if (group, number) not in SETTABLE:
        raise unknown(number, task.name)
    SETTABLE[group, number](task, value)


def get_channel(task: Task, names: list[str], number: int) -> Any:
    """A property that all the named channels share, of all if none is named; raises DaqError."""
    chosen = [channel for channel in task.channels if not names or channel.name in names]
    known = CHANNEL | (INPUT if task.kind == "ai" else OUTPUT)
    if not chosen:
        raise fault(
            Code.PHYSICAL_CHAN_DOES_NOT_EXIST,
            f"There is no such channel in the task.\n\nChannel Name: {', '.join(names)}",
            task.name,
        )
    if number not in known:
        raise unknown(number, task.name)
    return known[number](task, chosen[0])


def get_device(chassis: NiCdaq, module: Module, number: int) -> Any:
    """A property of a device; raises DaqError -200197 for one that it does not have."""
    known = dict(DEVICE)
    if module is chassis.input_module:
        known |= INPUT_DEVICE
    if module is chassis.output_module:
        known |= OUTPUT_DEVICE
    if number not in known:
        raise unknown(number)
    return known[number](chassis, module)


def unknown(number: int, task: str = "") -> Exception:
    """What the driver says of a property that a device does not have."""
    text = f"Specified property is not supported by the device.\n\nProperty: 0x{number:04X}"
    return fault(Code.ATTR_NOT_SUPPORTED, text, task)
