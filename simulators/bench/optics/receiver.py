"""A photoreceiver: light becomes a voltage."""

from dataclasses import dataclass

from simulators.instruments.path import Array
from simulators.instruments.terminals import Light


@dataclass(frozen=True)
class Photoreceiver:
    """A `Signal`: a detector with its amplifier, as fast and as quiet as needed."""

    light: Light
    gain_V_per_W: float

    def means(self, starts_s: Array, stops_s: Array) -> Array:
        """See `Signal.means`."""
        return self.gain_V_per_W * self.light.means(starts_s, stops_s)
