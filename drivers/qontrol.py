"""Qontrol Q8iv heater drivers: a daisy chain of 8-channel units behind one serial port (115200 baud, 8N1).

A `HeaterSource`. Limits are kept in the units themselves as well, whose protection switches an output off
that passes one. Errors raised are those of `drivers.errors`.
"""

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pyvisa.resources
from qcodes.instrument import ChannelTuple, InstrumentChannel, VisaInstrument
from qcodes.parameters import Parameter
from qcodes.validators import Arrays, Numbers

from drivers.errors import (
    EnvelopeError,
    IdentityError,
    InstrumentError,
    ReadbackError,
    SafeStateError,
    ShapeError,
    TripError,
)
from drivers.qontrol_line import TRIPS, QontrolLine
from drivers.response import Array

if TYPE_CHECKING:
    from qcodes.instrument.visa import VisaInstrumentKWArgs

PER_UNIT = 8
_BAUD = 115_200
_MODULE = re.compile(r"(Q\w+)-([0-9A-Fa-f*]+)\s*:\s*(\d+)")
_READING = re.compile(r"(?:[A-Za-z]+\d*:\s*)?([+-]?\d+(?:\.\d*)?)\s*(V|mA)")
_SCALE = {"V": 1.0, "mA": 1e-3}
_LOOKS = 20
"""How often a read-back may disagree: an output settles, or trips, within milliseconds."""
_STEP_s = 0.02


class QontrolChannel(InstrumentChannel["QontrolQ8iv"]):
    """One output, by its number in the chain."""

    def __init__(self, parent: "QontrolQ8iv", name: str, number: int) -> None:
        super().__init__(parent, name)
        self.number = number
        self.voltage: Parameter[float, QontrolChannel] = self.add_parameter(
            "voltage",
            unit="V",
            label=f"Voltage of heater {number}",
            get_cmd=lambda: parent.read_voltage(number),
            set_cmd=lambda volts: parent.set_voltages({number: volts}),
            vals=Numbers(0.0, parent.full_scale_V),
        )
        """Measured voltage; setting it holds a voltage."""
        self.current: Parameter[float, QontrolChannel] = self.add_parameter(
            "current",
            unit="A",
            label=f"Current of heater {number}",
            get_cmd=lambda: parent.read_current(number),
            set_cmd=lambda amperes: parent.set_currents({number: amperes}),
            vals=Numbers(0.0, parent.full_scale_A),
        )
        """Measured current; setting it holds a current."""
        self.power: Parameter[float, QontrolChannel] = self.add_parameter(
            "power",
            unit="W",
            label=f"Power of heater {number}",
            get_cmd=lambda: parent.read_voltage(number) * parent.read_current(number),
        )
        """Electrical power, of voltage and current measured one after the other."""
        self.voltage_limit: Parameter[float, QontrolChannel] = self.add_parameter(
            "voltage_limit",
            unit="V",
            label=f"Highest voltage of heater {number}",
            get_cmd=lambda: parent.limits(number)[0],
            set_cmd=lambda volts: parent.set_limit(number, volts=volts),
            vals=Numbers(0.0, parent.full_scale_V),
        )
        """Voltage above which the unit switches the output off."""
        self.current_limit: Parameter[float, QontrolChannel] = self.add_parameter(
            "current_limit",
            unit="A",
            label=f"Highest current of heater {number}",
            get_cmd=lambda: parent.limits(number)[1],
            set_cmd=lambda amperes: parent.set_limit(number, amperes=amperes),
            vals=Numbers(0.0, parent.full_scale_A),
        )
        """Current above which the unit switches the output off."""


class QontrolQ8iv(VisaInstrument):
    """A chain of Q8iv units; channels are 0 to n-1 in the order of the chain.

    Args:
        tolerance: how far a read-back may be from what was set, as a fraction of full scale.
        pause: waits between the steps of a ramp, in s.

    Raises:
        IdentityError: what answers is no chain of Q8iv units.
    """

    default_terminator = "\n"
    default_timeout = 1.0

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        tolerance: float = 0.01,
        pause: Callable[[float], None] = time.sleep,
        **kwargs: "Unpack[VisaInstrumentKWArgs]",
    ) -> None:
        super().__init__(name, address, **kwargs)
        if isinstance(self.visa_handle, pyvisa.resources.SerialInstrument):
            self.visa_handle.baud_rate = _BAUD
        self._tolerance, self._pause = tolerance, pause
        self._line = QontrolLine(self.visa_handle, str(self.address))
        try:
            self._line.resynchronise()
            self._line.seen.clear()  # what happened before is not ours
            units = self._find_units()
            n = PER_UNIT * units
            self.full_scale_V = _reading(self._line.ask("VFULL?", 1)[0], "V")
            self.full_scale_A = _reading(self._line.ask("IFULL?", 1)[0], "mA")
            self._limits_V, self._limits_A = self._read_all("VMAX", "V", n), self._read_all("IMAX", "mA", n)
        except BaseException:
            self.close()
            raise
        channels = [QontrolChannel(self, f"heater{k}", k) for k in range(n)]
        self.channels = ChannelTuple(self, "channels", QontrolChannel, channels)
        """The outputs by their numbers."""
        for channel in channels:
            self.add_submodule(channel.short_name, channel)
        self.add_submodule("channels", self.channels)
        self.voltages: Parameter[Array, QontrolQ8iv] = self.add_parameter(
            "voltages",
            unit="V",
            label="Voltages of all heaters",
            get_cmd=self.read_voltages,
            set_cmd=lambda volts: self.set_voltages(dict(enumerate(volts.tolist()))),
            vals=Arrays(0.0, self.full_scale_V, shape=(n,)),
        )
        """Measured voltages; setting them holds voltages."""
        self.currents: Parameter[Array, QontrolQ8iv] = self.add_parameter(
            "currents",
            unit="A",
            label="Currents of all heaters",
            get_cmd=self.read_currents,
            set_cmd=lambda amperes: self.set_currents(dict(enumerate(amperes.tolist()))),
            vals=Arrays(0.0, self.full_scale_A, shape=(n,)),
        )
        """Measured currents; setting them holds currents."""
        self.connect_message()

    # The role ---------------------------------------------------------------------------------------------

    @property
    def heaters(self) -> tuple[int, ...]:
        """The channels' numbers."""
        return tuple(range(len(self._limits_V)))

    @property
    def accuracy_V(self) -> float:
        """How far a read-back may be from what was set: `tolerance` of full scale."""
        return self._tolerance * self.full_scale_V

    def identity(self) -> str:
        """The first unit's answer to `ID?`, such as Q8iv-0010."""
        return self._line.ask("ID?", 1)[0]

    def limits(self, channel: int) -> tuple[float, float]:
        """The highest voltage in V and current in A of a channel, as its unit has them."""
        self._check_channel(channel)
        return float(self._limits_V[channel]), float(self._limits_A[channel])

    def set_limit(self, channel: int, volts: float | None = None, amperes: float | None = None) -> None:
        """Set a channel's limits, in its unit, and read them back; None leaves one as it is."""
        self._check_channel(channel)
        if volts is not None:
            self._check(channel, volts, self.full_scale_V, "V", "full scale")
            self._line.tell(f"VMAX{channel}={volts:.6f}")
            self._limits_V[channel] = _reading(self._line.ask(f"VMAX{channel}?", 1)[0], "V")
        if amperes is not None:
            self._check(channel, amperes, self.full_scale_A, "A", "full scale")
            self._line.tell(f"IMAX{channel}={1e3 * amperes:.6f}")
            self._limits_A[channel] = _reading(self._line.ask(f"IMAX{channel}?", 1)[0], "mA")

    def set_voltages(self, volts: Mapping[int, float]) -> None:
        """See `HeaterSource.set_voltages`."""
        for channel, value in volts.items():
            self._check(channel, value, self.limits(channel)[0], "V", "its voltage limit")
        self._raise_trips()
        self._send("V", volts)
        self._verify(volts, {})

    def set_currents(self, amperes: Mapping[int, float]) -> None:
        """See `HeaterSource.set_currents`."""
        for channel, value in amperes.items():
            self._check(channel, value, self.limits(channel)[1], "A", "its current limit")
        self._raise_trips()
        self._send("I", {channel: 1e3 * value for channel, value in amperes.items()})
        self._verify({}, amperes)

    def check_trips(self) -> None:
        """Look whether the units have reported outputs switched off; raises TripError then."""
        self._line.ask("", 0)
        self._raise_trips()

    def read_voltage(self, channel: int) -> float:
        """One channel's voltage as measured now, in V."""
        self._check_channel(channel)
        return _reading(self._line.ask(f"V{channel}?", 1)[0], "V")

    def read_current(self, channel: int) -> float:
        """One channel's current as measured now, in A."""
        self._check_channel(channel)
        return _reading(self._line.ask(f"I{channel}?", 1)[0], "mA")

    def read_voltages(self) -> Array:
        """The voltage of every channel as measured now, shape (channels,) in V."""
        return self._read_all("V", "V", len(self.heaters))

    def read_currents(self) -> Array:
        """The current of every channel as measured now, shape (channels,) in A."""
        return self._read_all("I", "mA", len(self.heaters))

    def errors(self) -> list[str]:
        """What the units have reported since the last time, oldest first; trips included."""
        self._line.ask("", 0)
        taken, self._line.seen = self._line.seen, []
        return [str(error) for error in taken]

    def recover(self) -> None:
        """Drain the line, get back into step and forget what was reported; outputs hold what they have."""
        self._line.resynchronise()
        self.errors()

    def safe_state(self, ramp_s: float = 0.0) -> None:
        """See `HeaterSource.safe_state`."""
        if ramp_s > 0.0:
            try:
                self._ramp_down(ramp_s)
            except InstrumentError as error:
                self.log.warning("no ramp on the way to 0 V: %s", error)
        try:
            self._send("V", dict.fromkeys(self.heaters, 0.0))
        except InstrumentError:
            for channel in self.heaters:
                self._shout_zero(channel)
        try:
            volts = self.read_voltages()
        except InstrumentError as error:
            raise SafeStateError(f"{self.address}: 0 V was sent to every channel, but {error}") from error
        astray = [k for k in self.heaters if abs(volts[k]) > self._tolerance * self.full_scale_V]
        if astray:
            stand = ", ".join(f"channel {k} at {volts[k]:.3f} V" for k in astray)
            raise SafeStateError(f"{self.address}: {stand}, sent to 0 V; switch the unit off")

    # QCoDeS -----------------------------------------------------------------------------------------------

    def get_idn(self) -> dict[str, str | None]:
        """Maker, model, serial number and firmware of the first unit."""
        model, _, serial = self._line.identity.partition("-")
        firmware = self._line.ask("FIRMWARE?", 1)[0]
        return {"vendor": "Qontrol", "model": model, "serial": serial, "firmware": firmware}

    def ask_raw(self, cmd: str) -> str:
        """Ask anything; an answer of several lines comes as several lines."""
        return "\n".join(self._line.ask(cmd))

    def write_raw(self, cmd: str) -> None:
        """Set anything that the unit confirms with OK."""
        self._line.tell(cmd)

    # The rest ---------------------------------------------------------------------------------------------

    def _find_units(self) -> int:
        """How many units the chain has; raises IdentityError if one of them is no Q8iv."""
        self._line.tell("NUP=0")
        lines = self._line.ask("NUPALL?")
        units = [_MODULE.fullmatch(line) for line in lines]
        if not lines or not all(unit is not None and unit[1] == "Q8iv" for unit in units):
            raise IdentityError(
                f"{self.address}: the chain is {', '.join(lines) or 'empty'}; only Q8iv units are driven here"
            )
        return len(units)

    def _read_all(self, register: str, unit: str, count: int) -> Array:
        return np.array([_reading(line, unit) for line in self._line.ask(f"{register}ALL?", count)])

    def _check_channel(self, channel: int) -> None:
        if channel not in range(len(self._limits_V)):
            raise ShapeError(
                f"channel {channel} is not on {self.address}; it has 0 to {len(self._limits_V) - 1}"
            )

    def _check(self, channel: int, value: float, limit: float, unit: str, kind: str) -> None:
        if not 0.0 <= value <= limit * (1.0 + 1e-9):
            raise EnvelopeError(
                f"{self.address}: {value:.6g} {unit} on channel {channel} is outside 0 to {limit:.6g} {unit},"
                f" {kind}; nothing was sent",
                channel=str(channel),
                value=value,
                limit=limit,
            )

    def _send(self, register: str, values: Mapping[int, float]) -> None:
        """Set a register, a whole unit by one vector where all its channels are given."""
        left = dict(values)
        for first in range(0, len(self.heaters), PER_UNIT):
            channels = range(first, first + PER_UNIT)
            if all(channel in left for channel in channels):
                row = ",".join(f"{left.pop(channel):.6f}" for channel in channels)
                self._line.tell(f"{register}VEC{first}={row}")
        for channel, value in left.items():
            self._line.tell(f"{register}{channel}={value:.6f}")

    def _verify(self, volts: Mapping[int, float], amperes: Mapping[int, float]) -> None:
        """Look until every channel reads what was set, within its limits."""
        channels = [*volts, *amperes]
        astray = ""
        for _ in range(_LOOKS):
            read_V, read_A = self._look(channels)
            self._raise_trips()
            astray = self._astray(volts, amperes, read_V, read_A)
            if not astray:
                return
        raise ReadbackError(f"{self.address}: {astray}; check the load and the unit")

    def _look(self, channels: list[int]) -> tuple[dict[int, float], dict[int, float]]:
        if len(channels) == 1:
            channel = channels[0]
            return {channel: self.read_voltage(channel)}, {channel: self.read_current(channel)}
        read_V, read_A = self.read_voltages(), self.read_currents()
        return {k: float(read_V[k]) for k in channels}, {k: float(read_A[k]) for k in channels}

    def _astray(
        self,
        volts: Mapping[int, float],
        amperes: Mapping[int, float],
        read_V: Mapping[int, float],
        read_A: Mapping[int, float],
    ) -> str:
        """What is wrong with the first channel that is not where it was put; empty if none is."""
        slack_V, slack_A = self._tolerance * self.full_scale_V, self._tolerance * self.full_scale_A
        for channel in (*volts, *amperes):
            limit_V, limit_A = self.limits(channel)
            reads = f"channel {channel} reads {read_V[channel]:.4f} V and {1e3 * read_A[channel]:.4f} mA"
            if channel in volts and abs(read_V[channel] - volts[channel]) > slack_V:
                return f"{reads}, set to {volts[channel]:.4f} V"
            if channel in amperes and abs(read_A[channel] - amperes[channel]) > slack_A:
                return f"{reads}, set to {1e3 * amperes[channel]:.4f} mA"
            if read_V[channel] > limit_V + slack_V or read_A[channel] > limit_A + slack_A:
                return f"{reads}, beyond its limits {limit_V:.4g} V and {1e3 * limit_A:.4g} mA"
        return ""

    def _raise_trips(self) -> None:
        """Raise TripError for outputs that were switched off; other events stay for `errors`."""
        seen = self._line.seen
        trips = [error for error in seen if error.number in TRIPS]
        if not trips:
            return
        self._line.seen = [error for error in seen if error.number not in TRIPS]
        channels = tuple(dict.fromkeys(error.channel for error in trips))
        limits = ", ".join(
            f"channel {k} may have {self._limits_V[k]:.4g} V and {1e3 * self._limits_A[k]:.4g} mA"
            for k in channels
            if k in self.heaters
        )
        raise TripError(
            f"{self.address}: {'; '.join(map(str, trips))}; the outputs are at 0 V; {limits}:"
            " look at the heater and its wires, then set it again",
            channels,
        )

    def _ramp_down(self, ramp_s: float) -> None:
        volts = np.maximum(self.read_voltages(), 0.0)
        steps = max(math.ceil(ramp_s / _STEP_s), 1)
        for step in range(1, steps):
            rest = np.minimum(volts, self.full_scale_V) * (1.0 - step / steps)
            self._send("V", dict(enumerate(rest.tolist())))
            self._pause(ramp_s / steps)

    def _shout_zero(self, channel: int) -> None:
        try:
            self._line.shout(f"V{channel}={0.0:.6f}")
        except InstrumentError as error:
            self.log.error("channel %d could not be told to go to 0 V: %s", channel, error)


def _reading(line: str, unit: str) -> float:
    """`+3.456 V` or `+1.234 mA` in V or A; raises InstrumentError for anything else."""
    match = _READING.fullmatch(line)
    if match is None or match[2] != unit:
        raise InstrumentError(f"{line!r} is no reading in {unit}")
    return float(match[1]) * _SCALE[unit]
