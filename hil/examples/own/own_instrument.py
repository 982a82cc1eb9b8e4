"""An emulated instrument of your own: a temperature controller with an analog monitor output."""

import numpy as np

from simulators.clock import VirtualClock
from simulators.instruments.path import Path
from simulators.instruments.terminals import Terminals
from simulators.scpi import Number, ScpiInstrument, command, query


class Peltier(ScpiInstrument):
    """Moves to its set point at a fixed rate. Sockets: source "monitor", 10 mV per degree Celsius."""

    title = "Own Peltier controller"
    stock_driver = "own_driver.PeltierController"

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        kelvin_per_s: float = 2.0,
    ) -> None:
        super().__init__(clock, identity=f"Own,Peltier,{serial},1.0")
        self._rate, self._monitor = kelvin_per_s, Path(0.25, noise_V=noise * 20e-6)
        self.terminals = Terminals(sources={"monitor": self._monitor})

    @command("SOURce:TEMPerature", Number("", -20.0, 80.0, 25.0))
    def set_temperature(self, celsius: float) -> None:
        """Set off for a temperature, from where it is now."""
        start, here_V, there_V = self.clock.now, self._monitor.cut(self.clock.now), 0.01 * celsius
        travel_s = abs(there_V - here_V) / (0.01 * self._rate)
        corners = np.array([start, start + travel_s]), np.array([here_V, there_V]), np.array([True, False])
        self._monitor.extend(*corners)

    @query("SOURce:TEMPerature")
    def temperature(self) -> float:
        """The temperature now."""
        return 100.0 * self._monitor.at(self.clock.now)
