"""The B2962A as a whole: its two channels, their triggers, its formats."""

import math

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.keysight_b2962a.channel import Channel
from simulators.instruments.keysight_b2962a.readings_scpi import CHANNELS, ELEMENTS, ReadingCommands
from simulators.instruments.source_measure.unit import LINE_HZ
from simulators.instruments.terminals import Terminals
from simulators.scpi import ScpiError, query
from simulators.scpi.replies import real

_OUTPUT_PROTECTION = {1: 1 << 2, 2: 1 << 3}
"""In the questionable status."""


class KeysightB2962A(ReadingCommands):
    """An emulated Keysight B2962A low-noise power source with two channels.

    Sockets, of each channel: sources "output1" and "output2"; current inputs "input1" and "input2", which sink
    a chip's readout at the output's virtual ground; inputs "sense1" and "sense2" for remote sensing. What the
    manual leaves open: a measurement with the output off is not a number, and the status of a reading is 1 in
    compliance. Not there: pulses and arbitrary waveforms, limits that differ by sign, the arm layer.

    Args:
        rng: draws the errors of both channels and the noise of their readings.
        clock_error: how much too long a second of its clock is, as a fraction.
    """

    title = "Keysight B2962A: two-channel low-noise source with measurement"
    stock_driver = "qcodes.instrument_drivers.Keysight.KeysightB2962A"
    signed_error_codes = True
    suffix_limits = {"OUTP": 2, "SOUR": 2, "SENS": 2, "TRIG": 2}  # noqa: RUF012

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
    ) -> None:
        super().__init__(clock, identity=f"Keysight Technologies,B2962A,{serial},3.4.2011.5100")
        self.channels = {number: Channel(clock, 1.0 + clock_error, rng, noise) for number in CHANNELS}
        self.elements, self.real_bits, self.swapped = ELEMENTS, 0, False
        self.terminals = self._sockets()

    def _sockets(self) -> Terminals:
        sockets = Terminals(
            needs_since=lambda: min(channel.unit.measures_since_s for channel in self.channels.values())
        )
        for number, channel in self.channels.items():
            own = channel.unit.sockets()
            for kind in ("sources", "inputs", "current_inputs", "loads"):
                mine = getattr(sockets, kind)
                mine |= {f"{name}{number}": socket for name, socket in getattr(own, kind).items()}
            sockets.keepers += own.keepers
        return sockets

    def channel(self, number: int) -> Channel:
        """See `SourceCommands.channel`."""
        return self.channels[number]

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST."""
        for channel in self.channels.values():
            channel.reset()
        self.elements, self.real_bits, self.swapped = ELEMENTS, 0, False

    def on_clear(self) -> None:
        """A device clear ends the runs."""
        self.abort(CHANNELS)

    def on_trigger(self) -> None:
        """*TRG: the next step of every run that waits for it."""
        taken = [channel.run is not None and channel.run.trigger() for channel in self.channels.values()]
        if not any(taken):
            raise ScpiError(-211)

    def operation_complete_at(self) -> float:
        """When the runs under way are over."""
        return max(channel.over_at_s for channel in self.channels.values())

    def format_real(self, value: float) -> str:
        """Seven digits; overflow and NaN as SCPI writes them."""
        if math.isfinite(value):
            return f"{value + 0.0:+.6E}"
        mantissa, _, exponent = real(value).partition("E")
        return f"{float(mantissa):+.6f}E{exponent}"

    @query("STATus:QUEStionable:CONDition")
    def questionable_condition(self) -> int:
        """Which outputs their protection has switched off."""
        self._look()
        return self.status.questionable.condition

    @query("STATus:QUEStionable[:EVENt]")
    def questionable_events(self) -> int:
        """Which outputs their protection has switched off since."""
        self._look()
        return self.status.questionable.read_event()

    def _look(self) -> None:
        tripped = (bit for number, bit in _OUTPUT_PROTECTION.items() if self.channels[number].tripped)
        self.status.questionable.set_condition(sum(tripped))

    @query("SYSTem:LFRequency")
    def line_frequency(self) -> int:
        """Frequency of the mains."""
        return int(LINE_HZ)
