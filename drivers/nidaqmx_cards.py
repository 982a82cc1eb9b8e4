"""NI-DAQmx cards in one CompactDAQ chassis, as a QCoDeS instrument: an NI-9264 that drives, an NI-9202 that reads.

The NI-9264 has no read-back and no slew limit. So every output in use is wired back to an input of the NI-9202,
named in `read_back`, and every movement is a hardware-timed waveform within the slew limit. `CardSource` and
`CardDigitizer` put the cards into the roles of `drivers.roles`. Nothing here can set an output by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from qcodes.instrument import Instrument

from drivers.daqmx import Card, InputRun, OutputRun, fastest_ratio, translated
from drivers.errors import InstrumentError, ShapeError
from drivers.response import Array


class NICards(Instrument):
    """The cards of the chassis that NI-DAQmx calls `address`, such as cDAQ1.

    Args:
        read_back: the NI-9202 input that each NI-9264 output is wired back to, by output.
        readout: the input that reads the amplifier.
        timebase: the chassis' time base that the input's oversample clock is, None for the card's own choice.
        filter_delay: age of a reading when it is there, in samples; None to ask the card.
        accuracy_V: how far an output may stand from what it was told, and its reading from that: the sum of
            both cards' gain and offset errors at the voltages in use, by their data sheets.
        line_frequency_Hz: of the mains, which the cards cannot find out.

    Raises:
        InstrumentError: no such chassis, no driver, or not both cards in it.
        ShapeError: an input that is used twice or is not there.
    """

    range_V = 10.0
    """Of the NI-9202."""

    def __init__(
        self,
        name: str,
        address: str,
        *,
        read_back: Mapping[int, int],
        readout: int,
        timebase: str | None = "12.8MHzTimebase",
        filter_delay: float | None = None,
        accuracy_V: float = 5e-3,
        line_frequency_Hz: float = 50.0,
        **kwargs: Any,
    ) -> None:
        self.address, self.read_back_inputs, self.readout = address, dict(read_back), readout
        self.accuracy_V, self.line_frequency_Hz = accuracy_V, line_frequency_Hz
        self._timebase, self._filter_delay = timebase, filter_delay
        self.journal = _silent
        """Told what is done to the cards; set it to listen."""
        self._acquisition: InputRun | None = None
        with translated("looking for the cards", address):
            from nidaqmx.system import Device, System

            present = [device.name for device in System.local().devices]
            if address not in present:
                raise InstrumentError(
                    f"{address}: NI-DAQmx knows no such chassis; it knows {', '.join(present) or 'none'}. "
                    "Look it up in NI MAX or with: nilsdev"
                )
            modules = Device(address).chassis_module_devices
            drives = [module for module in modules if len(module.ao_physical_chans)]
            reads = [module for module in modules if len(module.ai_physical_chans)]
            if len(drives) != 1 or len(reads) != 1:
                raise InstrumentError(
                    f"{address}: {len(drives)} modules with outputs and {len(reads)} with inputs where one of "
                    "each is needed, an NI-9264 and an NI-9202"
                )
            self._devices = (Device(address), drives[0], reads[0])
            rates = float(drives[0].ao_max_rate), float(reads[0].ai_max_multi_chan_rate)
            low_V, high_V = drives[0].ao_voltage_rngs[:2]
            self.outputs = frozenset(_number(one.name) for one in drives[0].ao_physical_chans)
            inputs = {_number(one.name) for one in reads[0].ai_physical_chans}
        self.output_range_V = float(low_V), float(high_V)
        self._output_card = Card(address, drives[0].name, rates[0], self.tell)
        self._input_card = Card(address, reads[0].name, rates[1], self.tell)
        used = [*self.read_back_inputs.values(), readout]
        if len(set(used)) != len(used) or not set(used) <= inputs or not set(read_back) <= self.outputs:
            raise ShapeError(
                f"{address}: read_back {self.read_back_inputs} and readout {readout} must name outputs that are "
                f"there and inputs from 0 to {max(inputs)}, each once"
            )
        super().__init__(name, **kwargs)

    def tell(self, text: str, samples: bytes) -> None:
        """Tell whoever listens what is done to the cards."""
        self.journal(text, samples)

    def identity(self) -> str:
        """Ask the devices who they are: maker, then product and serial number of each."""
        with translated("asking who it is", self.address):
            parts = [f"{device.product_type} {device.serial_num:X}" for device in self._devices]
        return ", ".join(["National Instruments", *parts])

    def get_idn(self) -> dict[str, str | None]:
        """The chassis as QCoDeS identifies an instrument."""
        with translated("asking who it is", self.address):
            from nidaqmx.system import System

            version = System.local().driver_version
            chassis = self._devices[0]
            return {
                "vendor": "National Instruments",
                "model": chassis.product_type,
                "serial": f"{chassis.serial_num:X}",
                "firmware": f"NI-DAQmx {version.major_version}.{version.minor_version}",
            }

    def self_test(self) -> None:
        """Let the card that reads test itself; raises InstrumentError when it fails. No output moves."""
        with translated("testing itself", self.address):
            self._devices[2].self_test_device()

    def load(
        self, waveforms: Mapping[int, Array], limits: Mapping[int, tuple[float, float]], rate_Hz: float
    ) -> OutputRun:
        """Load a waveform per output, to be started; see `OutputRun`."""
        return OutputRun(self._output_card, waveforms, limits, rate_Hz)

    def updates_in(self, dt_s: float) -> int:
        """Updates of the outputs in one sample of a waveform, as many as the card can."""
        with translated("asking for a sample rate", self.address):
            import nidaqmx

            with nidaqmx.Task() as task:
                task.ao_channels.add_ao_voltage_chan(f"{self._output_card.module}/ao{min(self.outputs)}")
                return fastest_ratio(task, dt_s, self._output_card)

    @property
    def fastest_reading_Hz(self) -> float:
        """The fastest sample clock of the inputs."""
        return self._input_card.fastest_Hz

    def acquire(self, inputs: Sequence[int], period_s: float, span_s: float, *, triggered: bool) -> InputRun:
        """Set up readings; one acquisition at a time: what was under way is ended. See `InputRun`."""
        self.end_acquisition()
        self._acquisition = InputRun(
            self._input_card,
            self.address,
            inputs,
            period_s=period_s,
            span_s=span_s,
            range_V=self.range_V,
            timebase=self._timebase,
            delay=self._filter_delay,
            triggered=triggered,
        )
        return self._acquisition

    def end_acquisition(self) -> None:
        """End the acquisition under way, if any."""
        acquisition, self._acquisition = self._acquisition, None
        if acquisition is not None:
            acquisition.close()

    def is_under_way(self, acquisition: InputRun | None) -> bool:
        """Whether an acquisition has not been ended by another one."""
        return acquisition is not None and acquisition is self._acquisition

    @contextmanager
    def reading(self, inputs: Sequence[int], span_s: float) -> Iterator[InputRun]:
        """Readings that begin now, ended with the block."""
        run = self.acquire(inputs, 1.0 / self.fastest_reading_Hz, span_s, triggered=False)
        try:
            run.start()
            yield run
        finally:
            self.end_acquisition()

    def close(self) -> None:
        """End what is under way and let the cards go; the outputs hold what they have."""
        try:
            self.end_acquisition()
        finally:
            super().close()


def _number(physical: str) -> int:
    return int(physical.rpartition("/")[2].lstrip("aio"))


def _silent(text: str, samples: bytes) -> None:
    """Nobody listens."""
