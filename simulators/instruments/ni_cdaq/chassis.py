"""A cDAQ-9189 chassis with an NI-9264 in its first slot and an NI-9202 in its second.

It speaks no bytes: NI-DAQmx is its interface, which `simulators.daqmx` emulates on top of what is here. Taken
as given: 16 channels each; the 9264 with 16 bits, +-10.5 V, 25 kS/s; the 9202 with 24 bits, +-10 V, 10 kS/s.
Errors and noise of the channels are of the order of the data sheets' typical figures, not quoted from them,
and the 9202's filter delay is an option for the same reason: the driver asks the card for it.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.ni_cdaq import input as analog_input
from simulators.instruments.ni_cdaq import output as analog_output
from simulators.instruments.ni_cdaq.engines import Acquisition, Generation
from simulators.instruments.ni_cdaq.input import Input
from simulators.instruments.ni_cdaq.output import Output
from simulators.instruments.path import Array
from simulators.instruments.terminals import Terminals

_OUTPUT_GAIN_ERROR = 2e-4
_OUTPUT_OFFSET_V = 1e-3
_OUTPUT_NOISE_V = 50e-6
_INPUT_GAIN_ERROR = 1e-4
_INPUT_OFFSET_V = 2e-4
_INPUT_NOISE_V = 60e-6

Listener = Callable[[], None]


@dataclass(frozen=True)
class Module:
    """A device as NI-DAQmx lists it: the chassis itself has slot 0."""

    name: str
    product: str
    serial: int
    slot: int


class NiCdaq:
    """The chassis with its two modules.

    Its sockets are the sources "ao0" to "ao15" and the inputs "ai0" to "ai15".

    Args:
        serial: a hexadecimal number, as NI prints it on its devices.
        clock_error: how much too long a second of its oscillator is, as a fraction: all rates come from it.
        device: what NI-DAQmx calls the chassis; the modules are called so with Mod1 and Mod2.
        filter_delay: age of a reading, in samples, when it is there.

    Raises:
        ValueError: a serial number that is none, a delay of less than half a sample.
    """

    title: ClassVar[str] = "NI cDAQ-9189: 16 voltage outputs (NI-9264) and 16 inputs (NI-9202), for nidaqmx"

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        device: str = "cDAQ1",
        filter_delay: float = 2.5,
    ) -> None:
        if not 0.5 <= filter_delay < 1000.0:
            raise ValueError(f"filter_delay is {filter_delay} samples; a reading is over half a sample later")
        if not device.isalnum():
            raise ValueError(f"device is {device!r}; NI-DAQmx calls a chassis by letters and digits")
        self.clock, self._tick, self._filter_delay = clock, 1.0 + clock_error, filter_delay
        number = _hexadecimal(serial)
        self.chassis = Module(device, "cDAQ-9189", number, 0)
        self.output_module = Module(f"{device}Mod1", "NI 9264", _serial(number, 1), 1)
        self.input_module = Module(f"{device}Mod2", "NI 9202", _serial(number, 2), 2)
        gains, offsets = rng.normal(size=(2, analog_output.CHANNELS))
        self.outputs = [
            Output(clock, _OUTPUT_GAIN_ERROR * gain, _OUTPUT_OFFSET_V * offset, noise * _OUTPUT_NOISE_V)
            for gain, offset in zip(gains.tolist(), offsets.tolist(), strict=True)
        ]
        gains, offsets = rng.normal(size=(2, analog_input.CHANNELS))
        self.inputs = [
            Input(_INPUT_GAIN_ERROR * gain, _INPUT_OFFSET_V * offset, noise * _INPUT_NOISE_V, rng)
            for gain, offset in zip(gains.tolist(), offsets.tolist(), strict=True)
        ]
        self._acquisitions: list[Acquisition] = []
        self.terminals = Terminals(
            sources={f"ao{k}": output for k, output in enumerate(self.outputs)},
            inputs={f"ai{k}": one.plug for k, one in enumerate(self.inputs)},
            keepers=[output.keep_for for output in self.outputs],
            needs_since=lambda: min((one.needs_since for one in self._acquisitions), default=math.inf),
        )

    @property
    def modules(self) -> tuple[Module, ...]:
        """The chassis and what is in its slots."""
        return (self.chassis, self.output_module, self.input_module)

    def filter_delay_s(self, rate_Hz: float) -> float:
        """Age of a reading when it is there, by the chassis' own clock."""
        return self._filter_delay / rate_Hz

    def generation(self, channels: Sequence[int], samples: Array, rate_Hz: float, count: float) -> Generation:
        """An output generation on some channels, samples (channel, sample) in V; it waits to be started."""
        outputs = [self.outputs[channel] for channel in channels]
        return Generation(self.clock, outputs, samples, self._tick / rate_Hz, count)

    def acquisition(self, channels: Sequence[int], rate_Hz: float, count: float) -> Acquisition:
        """An input acquisition on some channels; it waits to be started, and must be dismissed."""
        inputs = [self.inputs[channel] for channel in channels]
        delay_s = self._tick * self.filter_delay_s(rate_Hz)
        self._acquisitions.append(Acquisition(self.clock, inputs, self._tick / rate_Hz, delay_s, count))
        return self._acquisitions[-1]

    def dismiss(self, acquisition: Acquisition) -> None:
        """Stop an acquisition and forget it."""
        acquisition.stop()
        self._acquisitions.remove(acquisition)


def _hexadecimal(serial: str) -> int:
    try:
        return int(serial, 16) & 0xFFFFFFFF
    except ValueError:
        raise ValueError(f"serial is {serial!r}; NI's are hexadecimal numbers such as 1F2A3B4") from None


def _serial(chassis: int, slot: int) -> int:
    return zlib.crc32(f"{chassis:X}/{slot}".encode()) & 0x1FFFFFF
