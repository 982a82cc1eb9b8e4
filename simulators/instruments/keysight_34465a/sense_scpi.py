"""The 34465A's commands for measuring functions, ranges, integration and autozero."""

from typing import Any

from simulators.instruments.given import for_each
from simulators.instruments.keysight_34465a.converter import (
    LINE_HZ,
    NPLC,
    RANGES,
    RESOLUTION,
    range_for,
    relative_resolution,
)
from simulators.instruments.keysight_34465a.settings import FUNCTIONS, FunctionSettings, Settings
from simulators.scpi import (
    Boolean,
    Number,
    Once,
    Parameter,
    ScpiError,
    ScpiInstrument,
    Text,
    command,
    query,
    quoted,
)

each = for_each(
    {
        "VOLT": "[SENSe]:VOLTage[:DC]",
        "VOLT:AC": "[SENSe]:VOLTage:AC",
        "CURR": "[SENSe]:CURRent[:DC]",
        "CURR:AC": "[SENSe]:CURRent:AC",
        "RES": "[SENSe]:RESistance",
        "FRES": "[SENSe]:FRESistance",
    }
)
_DC = ("VOLT", "CURR", "RES", "FRES")
_ZEROED = ("VOLT", "CURR", "RES")


def _span(name: str) -> Parameter:
    return Number("", 0.0, RANGES[name][-1], RANGES[name][-3])


def _cycles(name: str) -> Parameter:
    return Number("", NPLC[0], NPLC[-1], 10.0)


def _aperture(name: str) -> Parameter:
    return Number("S", 20e-6, 2.0, 0.2)


def _resolution(name: str) -> Parameter:
    def finest(instrument: Any) -> float:
        return RESOLUTION[-1] * instrument.settings.functions[name].span

    def usual(instrument: Any) -> float:
        return RESOLUTION[NPLC.index(10.0)] * instrument.settings.functions[name].span

    def coarsest(instrument: Any) -> float:
        return RESOLUTION[0] * instrument.settings.functions[name].span

    return Number("", finest, coarsest, usual)


def _on_off(name: str) -> Parameter:
    return Boolean()


def _once(name: str) -> Parameter:
    return Once()


class SenseCommands(ScpiInstrument):
    """See the module."""

    settings: Settings

    def _function(self, name: str) -> FunctionSettings:
        return self.settings.functions[name]

    def look(self) -> float:
        """The input's voltage now, for autorange ONCE."""
        raise NotImplementedError

    def changed(self) -> None:
        """A setting of the measurement has changed: a measurement under way is over."""
        raise NotImplementedError

    @command("[SENSe]:FUNCtion[:ON]", Text())
    def set_function(self, name: str) -> None:
        """What is measured."""
        plain = name.upper().replace("VOLTAGE", "VOLT").replace("CURRENT", "CURR")
        plain = plain.replace("RESISTANCE", "RES").removesuffix(":DC")
        if plain not in FUNCTIONS:
            raise ScpiError(-224, f"{name[:20]} is not one of {', '.join(FUNCTIONS)}")
        self.changed()
        self.settings.function = plain

    @query("[SENSe]:FUNCtion[:ON]")
    def function(self) -> str:
        """What is measured."""
        return quoted(self.settings.function)

    @each(command, "RANGe[:UPPer]", _span)
    def set_range(self, value: float, name: str) -> None:
        """The smallest range that holds the value; autorange goes off."""
        self.changed()
        self._function(name).span, self._function(name).autorange = range_for(name, value), False

    @each(query, "RANGe[:UPPer]")
    def range_of(self, name: str) -> float:
        """The range in use."""
        return self._function(name).span

    @each(command, "RANGe:AUTO", _once)
    def set_autorange(self, on: bool | None, name: str) -> None:
        """Choose the range for every reading, keep it, or choose it once now."""
        self.changed()
        if on is None:
            self._function(name).span = range_for(name, abs(self.look()) / 1.2 if name == "VOLT" else 0.0)
        self._function(name).autorange = bool(on)

    @each(query, "RANGe:AUTO")
    def autorange(self, name: str) -> bool:
        """Whether the range is chosen for every reading."""
        return self._function(name).autorange

    @each(command, "NPLCycles", _cycles, of=_DC)
    def set_line_cycles(self, count: float, name: str) -> None:
        """Integration in power-line cycles, at least as many as asked for."""
        self.changed()
        self._function(name).line_cycles = next(known for known in NPLC if known >= count * (1.0 - 1e-9))
        self._function(name).in_seconds = False

    @each(query, "NPLCycles", of=_DC)
    def line_cycles(self, name: str) -> float:
        """Integration in power-line cycles."""
        return self._function(name).line_cycles

    @each(command, "APERture", _aperture, of=_DC)
    def set_aperture(self, seconds: float, name: str) -> None:
        """Integration in seconds, in steps of 2 us; power-line cycles are no longer counted."""
        self.changed()
        self._function(name).aperture_s = max(round(seconds / 2e-6) * 2e-6, 20e-6)
        self._function(name).in_seconds = True

    @each(query, "APERture", of=_DC)
    def aperture(self, name: str) -> float:
        """Integration in seconds."""
        return self._function(name).aperture_s

    @each(command, "APERture:ENABled", _on_off, of=_DC)
    def set_aperture_enabled(self, on: bool, name: str) -> None:
        """Whether the aperture in seconds counts."""
        self.changed()
        self._function(name).in_seconds = on

    @each(query, "APERture:ENABled", of=_DC)
    def aperture_enabled(self, name: str) -> bool:
        """Whether the aperture in seconds counts."""
        return self._function(name).in_seconds

    @each(command, "ZERO:AUTO", _once, of=_ZEROED)
    def set_autozero(self, on: bool | None, name: str) -> None:
        """Measure zero after every reading, never, or once now."""
        self.changed()
        self._function(name).autozero = bool(on)

    @each(query, "ZERO:AUTO", of=_ZEROED)
    def autozero(self, name: str) -> bool:
        """Whether zero is measured after every reading."""
        return self._function(name).autozero

    @each(command, "RESolution", _resolution, of=_DC)
    def set_resolution(self, value: float, name: str) -> None:
        """As many power-line cycles as this resolution needs on the present range."""
        fraction = value / self._function(name).span
        self.changed()
        cycles = next(n for n, r in zip(NPLC, RESOLUTION, strict=True) if r <= fraction * (1.0 + 1e-3))
        self._function(name).line_cycles, self._function(name).in_seconds = cycles, False

    @each(query, "RESolution", of=_DC)
    def resolution(self, name: str) -> float:
        """Resolution at the present range and integration time."""
        settings = self._function(name)
        return settings.span * relative_resolution(settings.integration_s)

    @query("SYSTem:LFRequency")
    def line_frequency(self) -> int:
        """Frequency of the mains."""
        return int(LINE_HZ)
