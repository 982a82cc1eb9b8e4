"""The SIM928 isolated voltage source.

Commands and registers: SRS, Operation and Service Manual of the SIM928, chapter 2; +-20 V in steps of 1 mV,
10 uV of noise in 1 kHz, 15 mA into a short: its specifications.
"""

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.sim900.battery import DESIGN_CYCLES, Batteries
from simulators.instruments.sim900.device import INPUT_BUFFER, OVERRUN, EventRegister, SimDevice
from simulators.instruments.sim900.language import (
    BIT,
    BYTE,
    ENDS,
    FLAG,
    ON_OFF,
    TERMINATORS,
    Real,
    Token,
    Whole,
    form,
)
from simulators.instruments.source_measure.output import Drive, OutputTerminal

LARGEST_V, STEP_V, SHORT_CIRCUIT_A = 20.0, 1e-3, 15e-3
_NOISE_V = 10e-6
_GAIN_ERROR, _OFFSET_ERROR_V = 2e-5, 0.2 * STEP_V
"""Standard deviations of the specimens; the data sheet states no accuracy, so less than a step."""
_SETTLING_S = 1e-3
_INPUT_BUFFER = 64
# Overload status
_OVERLOAD, _BATTERY_SWITCHED = 1 << 0, 1 << 2
_OVERLOAD_SUMMARY = 1 << 0  # in the status byte

_FLOW = Token(NONE=0, RTS=1, XON=2)
_PARITY = Token(NONE=0, ODD=1, EVEN=2, MARK=3, SPACE=4)
_BATTERY_FACT = Token(PNUM=0, SERIAL=1, MAXCY=2, CYCLES=3, PDATE=4)


class Sim928(SimDevice):
    """One module; bytes come from the mainframe's port and go back there.

    An overload is noticed when a new voltage has settled and whenever its registers are read. The settings
    of the serial line are kept and have no effect.

    Attributes:
        output: its terminal.
    """

    def __init__(
        self, clock: VirtualClock, serial: str, rng: np.random.Generator, noise: float = 1.0
    ) -> None:
        super().__init__(f"Stanford_Research_Systems,SIM928,s/n{serial},ver2.2")
        self._clock, self._serial = clock, serial
        self.output = OutputTerminal(clock, reach_V=LARGEST_V)
        self.output.noise_V = noise * _NOISE_V
        gain, offset = rng.normal(size=2).tolist()
        self._gain, self._offset_V = 1.0 + _GAIN_ERROR * gain, _OFFSET_ERROR_V * offset
        self.batteries = Batteries(clock, rng)
        self._switches_seen = 0
        self.overload = EventRegister()
        self._volts, self._on = 0.0, False
        self._baud, self._flow, self._parity, self._pulsed = (
            9600,
            _FLOW.words["RTS"],
            _PARITY.words["NONE"],
            0,
        )
        self._input = bytearray()

    # The mainframe's side ---------------------------------------------------------------------------------

    def receive(self, data: bytes) -> bytes:
        """Take bytes; gives what it sends back at once, its echo in console mode included."""
        sent = b""
        for byte in data:
            echo = bytes([byte]) if self.console else b""
            sent += echo
            if byte in b"\r\n":
                line = bytes(self._input)
                self._input.clear()
                sent += b"".join(answer + ENDS[self.term] for answer in self.execute(line))
            elif len(self._input) >= _INPUT_BUFFER:
                self._input.clear()
                self.standard.events |= INPUT_BUFFER
                self.communication.events |= OVERRUN
            else:
                self._input.append(byte)
        return sent

    def receive_break(self) -> None:
        """See `SimDevice.receive_break`."""
        super().receive_break()
        self._input.clear()

    # Status -----------------------------------------------------------------------------------------------

    def _condition(self) -> int:
        return _OVERLOAD if self.output.point(self._clock.now).limited else 0

    def _look(self) -> None:
        """Let conditions and what has happened set their events."""
        self.overload.events |= self._condition()
        switches = self.batteries.switches()
        if switches != self._switches_seen:
            self._switches_seen = switches
            self.overload.events |= _BATTERY_SWITCHED

    def conditions(self) -> int:
        """See `SimDevice.conditions`."""
        self._look()
        return super().conditions() | _OVERLOAD_SUMMARY * self.overload.summary

    def clear_events(self) -> None:
        """See `SimDevice.clear_events`."""
        super().clear_events()
        self._look()
        self.overload.events = 0

    @form("OVCR?", (), (BIT,))
    def _overload_condition(self, bit: int | None = None) -> int:
        return self._condition() if bit is None else self._condition() >> bit & 1

    @form("OVSR?", (), (BIT,))
    def _overload_events(self, bit: int | None = None) -> int:
        self._look()
        return self.overload.take(bit)

    @form("OVSE", (BYTE,), (BIT, FLAG))
    def _set_overload_enable(self, *values: int) -> None:
        self.overload.set_enable(*values)

    @form("OVSE?", (), (BIT,))
    def _overload_enable(self, bit: int | None = None) -> int:
        return self.overload.enabled(bit)

    @form("LDDE?")
    def _device_fault(self) -> int:
        return 0

    # Output -----------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST: 0 V and off."""
        self._volts = 0.0
        self._switch(0)

    def _drive(self) -> None:
        level_V = self._volts * self._gain + self._offset_V
        self.output.source(Drive.VOLTS, level_V, SHORT_CIRCUIT_A, over_s=_SETTLING_S)
        self._clock.schedule(self._clock.now + 1.01 * _SETTLING_S, self._look)

    @form("VOLT", (Real(-LARGEST_V, LARGEST_V),))
    def _set_voltage(self, volts: float) -> None:
        self._volts = round(volts / STEP_V) * STEP_V
        if self._on:
            self._drive()

    @form("VOLT?")
    def _voltage(self) -> str:
        return f"{self._volts + 0.0:+.3f}"

    @form("EXON", (ON_OFF,))
    def _switch(self, on: int) -> None:
        self._on = bool(on)
        if on:
            self._drive()
        else:
            self.output.open()

    @form("EXON?")
    def _output_state(self) -> str:
        return self.in_words(ON_OFF, int(self._on))

    @form("OPON")
    def _switch_on(self) -> None:
        self._switch(1)

    @form("OPOF")
    def _switch_off(self) -> None:
        self._switch(0)

    # Batteries --------------------------------------------------------------------------------------------

    @form("BCOR")
    def _override_charger(self) -> None:
        self.batteries.override()

    @form("BATS?")
    def _battery_state(self) -> str:
        first, second = self.batteries.states()
        return f"{first},{second},{int(self.batteries.worn)}"

    @form("BIDN?", (_BATTERY_FACT,))
    def _battery_identity(self, fact: int) -> str:
        cycles = str(self.batteries.cycles)
        return ("7-01539-720", self._serial, str(DESIGN_CYCLES), cycles, "2019-03-14")[fact]

    # Interface --------------------------------------------------------------------------------------------

    @form("TERM", (TERMINATORS,))
    def _set_terminator(self, value: int) -> None:
        self.term = value

    @form("TERM?")
    def _terminator(self) -> str:
        return self.in_words(TERMINATORS, self.term)

    @form("BAUD", (Whole(110, 115200),))
    def _set_baud_rate(self, rate: int) -> None:
        self._baud = rate

    @form("BAUD?")
    def _baud_rate(self) -> int:
        return self._baud

    @form("FLOW", (_FLOW,))
    def _set_flow_control(self, value: int) -> None:
        self._flow = value

    @form("FLOW?")
    def _flow_control(self) -> str:
        return self.in_words(_FLOW, self._flow)

    @form("PARI", (_PARITY,))
    def _set_parity(self, value: int) -> None:
        self._parity = value

    @form("PARI?")
    def _parity_checked(self) -> str:
        return self.in_words(_PARITY, self._parity)

    @form("PSTA", (ON_OFF,))
    def _set_status_pulses(self, on: int) -> None:
        self._pulsed = on

    @form("PSTA?")
    def _status_pulses(self) -> str:
        return self.in_words(ON_OFF, self._pulsed)
