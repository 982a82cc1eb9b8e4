"""The 33512B as a whole: two channels, their sockets, what is common to both."""

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.keysight_33512b.arb_scpi import ArbCommands
from simulators.instruments.keysight_33512b.output import OutputChannel
from simulators.instruments.keysight_33512b.settings import ChannelSettings
from simulators.instruments.keysight_33512b.shape_scpi import ShapeCommands
from simulators.instruments.keysight_33512b.trigger_scpi import TriggerCommands
from simulators.instruments.keysight_display import DisplayCommands
from simulators.instruments.path import Array
from simulators.instruments.terminals import Pulse, Terminals, TriggerOutput
from simulators.scpi import Boolean, Choice, ScpiError, command, query

CHANNELS = 2
_GAIN_ERROR = 2e-3
_OFFSET_ERROR_V = 1e-3
_NOISE_V = 100e-6


class Keysight33512B(TriggerCommands, ArbCommands, ShapeCommands, DisplayCommands):
    """An emulated Keysight 33512B with the arbitrary wave option.

    Sockets: sources "ch1" and "ch2", trigger outputs "sync" and "trigger" (the rear socket as an output),
    trigger input "ext" (the same socket as an input). Each output has 50 ohm in series: with a load of 50 ohm
    set and nothing on the socket, twice the amplitude is there.

    From memory, where the manual was not at hand: the wording of error details, the crest factor of noise (7
    from peak to peak), the built-in wave's points, the identity's firmware field. Left out: modulation, summed
    and coupled channels, sequences, markers, files; only one built-in wave is there.

    Args:
        rng: draws each channel's gain and offset error, and its noise function.
        clock_error: how much too long a second of its clock is, as a fraction.
    """

    title = "Keysight 33512B: two-channel waveform generator"
    stock_driver = "qcodes.instrument_drivers.Keysight.Keysight33512B"
    signed_error_codes = True
    suffix_limits = {"SOUR": CHANNELS, "OUTP": CHANNELS, "TRIG": CHANNELS, "INIT": CHANNELS}  # noqa: RUF012

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
    ) -> None:
        super().__init__(clock, identity=f"Agilent Technologies,33512B,{serial},4.00-1.19-2.00-58-00")
        gains = _GAIN_ERROR * rng.normal(size=CHANNELS)
        offsets_V = _OFFSET_ERROR_V * rng.normal(size=CHANNELS)
        self.channels = [
            OutputChannel(
                clock, rng, float(gains[k]), float(offsets_V[k]), noise * _NOISE_V, 1.0 + clock_error
            )
            for k in range(CHANNELS)
        ]
        self.arbs: tuple[dict[str, Array], dict[str, Array]] = ({}, {})
        self._sync, self._trigger_out = TriggerOutput(), TriggerOutput()
        self._degrees, self._beeps = "DEG", True
        self._defaults()
        self.plug()
        self.terminals = Terminals(
            sources={f"ch{k + 1}": channel for k, channel in enumerate(self.channels)},
            trigger_outputs={"sync": self._sync, "trigger": self._trigger_out},
            trigger_inputs={"ext": self._feel},
            loads={f"ch{k + 1}": channel.loads.add for k, channel in enumerate(self.channels)},
            keepers=[channel.keep_for for channel in self.channels],
        )

    def _defaults(self) -> None:
        self.sync_on, self.sync_source, self.sync_inverted, self.sync_mode = True, 1, False, "NORM"
        self.trigger_out_on, self.trigger_out_source, self.trigger_out_negative = False, 1, False
        self.byte_order_swapped = False

    def channel(self, number: int) -> OutputChannel:
        """One output, from 1."""
        return self.channels[number - 1]

    def plug(self) -> None:
        """See `TriggerCommands.plug`."""
        for number, channel in enumerate(self.channels, 1):
            channel.sync = self._sync if self.sync_on and self.sync_source == number else None
            channel.sync_inverted = self.sync_inverted
            mine = self.trigger_out_on and self.trigger_out_source == number
            channel.trigger = self._trigger_out if mine else None
            channel.trigger_inverted = self.trigger_out_negative
            channel.refresh()

    def _feel(self, pulse: Pulse) -> None:
        for channel in self.channels:
            channel.feel(pulse)

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST: outputs off, waves in volatile memory gone."""
        for waves in self.arbs:
            waves.clear()
        for channel in self.channels:
            channel.settings = ChannelSettings()
            channel.initiate(True)
        self._defaults()
        self._degrees = "DEG"
        self.plug()

    def options(self) -> str:
        """*OPT?."""
        return "0"

    def operation_complete_at(self) -> float:
        """When bursts under way are over."""
        return max(channel.busy_until_s for channel in self.channels)

    def on_trigger(self) -> None:
        """*TRG: for every channel that takes its triggers from the bus."""
        waiting = [channel for channel in self.channels if channel.settings.trigger.source == "BUS"]
        taken = [channel.take_trigger() for channel in waiting]
        if not any(taken):
            raise ScpiError(-211)

    def format_real(self, value: float) -> str:
        """Sixteen digits."""
        return f"{value:+.15E}" if np.isfinite(value) else "+9.9E+37"

    # The rest ---------------------------------------------------------------------------------------------

    @command("UNIT:ANGLe", Choice("DEGree", "RADian", "SECond", "DEFault"))
    def set_angle_unit(self, unit: str) -> None:
        """The unit of phases; only degrees are emulated."""
        if unit not in ("DEG", "DEF"):
            raise ScpiError(-221, "phases are in degrees here")

    @query("UNIT:ANGLe")
    def angle_unit(self) -> str:
        """The unit of phases."""
        return "DEG"

    @command("SYSTem:BEEPer[:IMMediate]")
    def beep(self) -> None:
        """A beep, which nobody hears."""

    @command("SYSTem:BEEPer:STATe", Boolean())
    def set_beeper(self, on: bool) -> None:
        """Whether errors beep."""
        self._beeps = on

    @query("SYSTem:BEEPer:STATe")
    def beeper(self) -> bool:
        """Whether errors beep."""
        return self._beeps

    @command("SYSTem:LOCal")
    @command("SYSTem:REMote")
    @command("SYSTem:RWLock")
    def hand_over(self) -> None:
        """Who holds the front panel, which makes no difference here."""

    @query("ROSCillator:SOURce:CURRent")
    @query("ROSCillator:SOURce")
    def reference(self) -> str:
        """The time base, always its own."""
        return "INT"
