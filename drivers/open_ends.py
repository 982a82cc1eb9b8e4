"""Channels that lead nowhere, behind those of a heater supply: what a heater without a wire looks like."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drivers.response import Array
from drivers.roles import HeaterSource


class OpenEnds:
    """A `HeaterSource` with `count` more channels than `source` has, which take any voltage and draw no current.

    So a chip keeps a channel for every shifter, whatever is wired, and an algorithm finds the unwired ones open. The
    new channels follow the source's last one; `ends` are their numbers.
    """

    def __init__(self, source: HeaterSource, count: int) -> None:
        self._source = source
        first = max(source.heaters) + 1
        self.ends = tuple(range(first, first + count))
        self._volts = dict.fromkeys(self.ends, 0.0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)  # whatever concerns the instrument itself

    @property
    def heaters(self) -> tuple[int, ...]:
        """See `HeaterSource.heaters`."""
        return (*self._source.heaters, *self.ends)

    def limits(self, channel: int) -> tuple[float, float]:
        """See `HeaterSource.limits`; an open end has none."""
        return (np.inf, np.inf) if channel in self.ends else self._source.limits(channel)

    def set_limit(self, channel: int, volts: float | None = None, amperes: float | None = None) -> None:
        """See `HeaterSource.set_limit`."""
        if channel not in self.ends:
            self._source.set_limit(channel, volts=volts, amperes=amperes)

    def set_voltages(self, volts: Mapping[int, float]) -> None:
        """See `HeaterSource.set_voltages`."""
        wired = {channel: value for channel, value in volts.items() if channel not in self.ends}
        if wired:
            self._source.set_voltages(wired)
        self._volts |= {channel: value for channel, value in volts.items() if channel in self.ends}

    def set_currents(self, amperes: Mapping[int, float]) -> None:
        """See `HeaterSource.set_currents`; nothing flows out of an open end."""
        wired = {channel: value for channel, value in amperes.items() if channel not in self.ends}
        if wired:
            self._source.set_currents(wired)

    def read_voltages(self) -> Array:
        """See `HeaterSource.read_voltages`."""
        return self._with(self._source.read_voltages(), list(self._volts.values()))

    def read_currents(self) -> Array:
        """See `HeaterSource.read_currents`."""
        return self._with(self._source.read_currents(), [0.0] * len(self.ends))

    def safe_state(self, ramp_s: float = 0.0) -> None:
        """See `HeaterSource.safe_state`."""
        self._volts = dict.fromkeys(self.ends, 0.0)
        self._source.safe_state(ramp_s)

    @staticmethod
    def _with(measured: Array, more: Sequence[float]) -> Array:
        return np.concatenate((measured, np.array(more, dtype=np.float64)))
