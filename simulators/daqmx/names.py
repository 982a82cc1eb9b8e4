"""Devices, physical channels and terminals by their DAQmx names."""

import re
from collections.abc import Sequence

from nidaqmx.utils import unflatten_channel_string

from simulators.daqmx.faults import Code, fault, refused_value
from simulators.instruments.ni_cdaq import input as analog_input
from simulators.instruments.ni_cdaq import output as analog_output
from simulators.instruments.ni_cdaq.chassis import Module, NiCdaq
from simulators.instruments.ni_cdaq.timebases import TIMEBASES_HZ

_PHYSICAL = re.compile(r"/?([A-Za-z0-9]+)/([A-Za-z_]+)([0-9]+)", re.IGNORECASE)


class System:
    """All devices of the emulated computer; names are taken in either case, as the driver takes them."""

    def __init__(self, chassis: Sequence[NiCdaq]) -> None:
        self.chassis = tuple(chassis)

    @property
    def modules(self) -> list[tuple[NiCdaq, Module]]:
        """Every device: each chassis, then its modules."""
        return [(chassis, module) for chassis in self.chassis for module in chassis.modules]

    def device(self, name: str) -> tuple[NiCdaq, Module]:
        """A device by its name; raises DaqError -200220."""
        for chassis, module in self.modules:
            if module.name.lower() == name.strip("/").lower():
                return chassis, module
        known = ", ".join(module.name for _, module in self.modules)
        raise fault(
            Code.INVALID_DEVICE_ID,
            f"Device identifier is invalid.\n\nDevice Specified: {name}\nThere: {known}",
        )

    def channels(self, names: str, kind: str) -> tuple[NiCdaq, list[int]]:
        """The chassis and the numbers of physical channels of a kind, "ai" or "ao", in one list of names.

        Raises DaqError -200220 for a device that is not there, -200170 for a channel that is not, -200430 for
        one of the other kind.
        """
        found: list[tuple[NiCdaq, int]] = []
        for name in unflatten_channel_string(names):
            match = _PHYSICAL.fullmatch(name)
            if match is None:
                raise _no_channel(name)
            chassis, module = self.device(match[1])
            number, lines = int(match[3]), physical_lines(chassis, module)
            if f"{match[2].lower()}{number}" not in lines:
                raise _no_channel(name)
            if match[2].lower() != kind:
                raise fault(
                    Code.INVALID_PHYS_CHAN_TYPE,
                    "Physical channel specified does not support the task's type of channel.\n\n"
                    f"Physical Channel Name: {name}",
                )
            found.append((chassis, number))
        if not found:
            raise _no_channel(names)
        if len({id(chassis) for chassis, _ in found}) > 1:
            raise refused_value("Physical channels", names, "channels of one chassis")
        return found[0][0], [number for _, number in found]


def physical_lines(chassis: NiCdaq, module: Module) -> list[str]:
    """Names of a module's channels, without the module's: the emulated ones have no internal channels."""
    if module is chassis.output_module:
        return [f"ao{k}" for k in range(analog_output.CHANNELS)]
    return [f"ai{k}" for k in range(analog_input.CHANNELS)] if module is chassis.input_module else []


def terminals(chassis: NiCdaq) -> list[str]:
    """The terminals of a chassis that something can be routed from."""
    name = chassis.chassis.name
    triggers = [f"/{name}/{engine}/StartTrigger" for engine in ("ai", "ao")]
    return triggers + [f"/{name}/{timebase}" for timebase in TIMEBASES_HZ]


def terminal(chassis: NiCdaq, name: str, task: str) -> str:
    """A terminal as the driver spells it; raises DaqError -200040 for one that nothing comes from."""
    spelled = f"/{name.strip('/')}".lower()
    for known in terminals(chassis):
        if known.lower() == spelled:
            return known
    raise fault(
        Code.INVALID_ROUTING_SOURCE_TERMINAL_NAME,
        "Source terminal to be routed could not be found on the device.\n\n"
        f"Source Terminal: {name}\nThere: {', '.join(terminals(chassis))}",
        task,
    )


def _no_channel(name: str) -> Exception:
    return fault(
        Code.PHYSICAL_CHAN_DOES_NOT_EXIST,
        f"Physical channel specified does not exist on this device.\n\nPhysical Channel Name: {name}",
    )
