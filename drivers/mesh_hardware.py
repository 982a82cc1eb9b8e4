"""A photonic chip's bench instruments in concert: sets, waits until it has settled, reads, goes safe.

What takes time is waited for by the meters' own measuring, so that it has passed on the bench's clock, also
where that is not the computer's.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from drivers.envelope import as_volts, naming
from drivers.errors import EnvelopeError, InstrumentError, SafeStateError, ShapeError
from drivers.guard import guarded
from drivers.heaters import Heaters
from drivers.mesh_layout import (
    Heater,
    MeshLimits,
    MeshTiming,
    Modulator,
    Port,
    check_ports,
    heater_envelope,
    modulator_envelope,
)
from drivers.outputs import Outputs
from drivers.response import Array, ChannelGroup, Cost, Flag, Flags
from drivers.roles import HeaterSource, Laser, PowerMeterArray, VoltageSourceArray
from drivers.stubbornness import Result, stubbornly

HEATER_CURRENTS = "heater_currents"
"""The tap: what each heater draws, in A."""
_POWER_TOLERANCE = 0.01


@dataclass(frozen=True)
class MeshInstruments:
    """The bench instruments by what they are for; of the modulators' source no waveforms are asked."""

    laser: Laser
    modulators: VoltageSourceArray
    heaters: HeaterSource
    meters: PowerMeterArray


class MeshHardware:
    """A laser, modulators, heaters and meters around one chip. See `PhotonicMesh` for the arguments."""

    def __init__(
        self,
        instruments: MeshInstruments,
        modulators: Sequence[Modulator],
        heaters: Sequence[Heater],
        ports: Sequence[Port],
        limits: MeshLimits,
        timing: MeshTiming,
        laser_power_W: float,
        wavelength_m: float | None,
        replays: int,
    ) -> None:
        self.laser, self.meters = instruments.laser, instruments.meters
        self.limits, self.timing, self.replays = limits, timing, replays
        self.ports, self._wavelength_m = tuple(ports), wavelength_m
        check_ports(ports, self.meters.ports)
        channels = {modulator.name: modulator.channel for modulator in modulators}
        self.modulators = Outputs(instruments.modulators, channels, modulator_envelope(modulators))
        envelope = heater_envelope(heaters, limits)
        self.heaters = Heaters(instruments.heaters, heaters, envelope, self._pause)
        self._slews_V_per_s = {h.name: h.max_slew_V_per_s for h in heaters}
        self._slews_V_per_s |= {m.name: m.max_slew_V_per_s for m in modulators}
        twice = set(self.modulators.names) & set(self.heaters.names)
        if twice:
            raise ShapeError(f"{', '.join(sorted(twice))}: both a modulator and a heater; rename one")
        self.check_laser(laser_power_W)
        self.laser_power_W = laser_power_W
        self.lit = True
        self._readings, self._waited_s, self._owed_s = 0, 0.0, timing.thermal_s
        self._known: Array | None = None
        self._amperes: Array | None = None

    # What it is -------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Modulators, then heaters."""
        return (*self.modulators.names, *self.heaters.names)

    def group(self, names: Sequence[str], playing: bool) -> ChannelGroup:
        """The named channels; as an input nothing limits a channel's slew, since every sample is waited for."""
        envelopes = (self.modulators.envelope, self.heaters.envelope)
        low, high = (np.concatenate([getattr(e, end) for e in envelopes]) for end in ("low_V", "high_V"))
        rows = [self._row(name) for name in names]
        slew = [math.inf if playing else self._slews_V_per_s[name] for name in names]
        return ChannelGroup(
            tuple(names), "V", low[rows], high[rows], np.array(slew, dtype=float), self._settling_s(names)
        )

    @property
    def outputs_read(self) -> ChannelGroup:
        """The ports' powers, up to where their meters saturate."""
        n, noises = len(self.ports), [port.noise_W for port in self.ports if port.noise_W is not None]
        return ChannelGroup(
            tuple(port.name for port in self.ports),
            "W",
            np.full(n, -np.inf),
            np.array([port.saturation_W for port in self.ports]),
            np.full(n, np.inf),
            noise=max(noises) if len(noises) == n else None,
        )

    @property
    def taps(self) -> Mapping[str, ChannelGroup]:
        """The heaters' currents."""
        n = len(self.heaters.names)
        most = np.full(n, np.inf)
        return {HEATER_CURRENTS: ChannelGroup(self.heaters.names, "A", -most, most, most)}

    @property
    def cost(self) -> Cost:
        """Samples read, and seconds of ramps, settling and averaging, since the chip was opened."""
        return Cost(self._readings, self._waited_s + self.heaters.ramped_s + self.modulators.driven_s)

    def sample_rate_Hz(self, inputs: Sequence[str]) -> float:
        """Settling and averaging, where each sample moves the inputs."""
        return 1.0 / (self._settling_s(inputs) + self.timing.averaging_s)

    # Light ------------------------------------------------------------------------------------------------

    def check_laser(self, watts: float) -> None:
        """Raise EnvelopeError for a power beyond the chip's limit or outside the laser's range."""
        low, high = self.laser.power_range_W
        limit = min(high, self.limits.laser_W)
        if not low <= watts <= limit:
            raise EnvelopeError(
                f"laser: {watts:.6g} W is outside {low:.6g} W to {limit:.6g} W (the chip's limit is "
                f"{self.limits.laser_W:g} W); nothing was sent",
                channel="laser",
                value=watts,
                limit=low if watts < low else limit,
            )

    def set_laser_power(self, watts: float) -> None:
        """Run with another power from now on; raises EnvelopeError with nothing sent."""
        self.check_laser(watts)
        self.laser_power_W = watts

    def light(self, on: bool) -> None:
        """Read the runs that follow with light or in the dark; the light goes out at once."""
        self.lit = on
        if not on:
            with guarded(self):
                self.stubbornly(self._illuminate)

    def _illuminate(self) -> None:
        """Bring the laser to what is wished, and owe its settling if anything had to be done."""
        shines = self.laser.shines()
        if not self.lit:
            if shines:
                self._owe(self.timing.optical_s)
                self.laser.shine(False)
            return
        tuned = self._wavelength_m is None or abs(self.laser.read_wavelength() - self._wavelength_m) < 1e-12
        power_W = self.laser.read_power()
        if shines and tuned and abs(power_W / self.laser_power_W - 1.0) < _POWER_TOLERANCE:
            return
        self._owe(self.timing.optical_s)
        self.laser.set_power(self.laser_power_W)
        if self._wavelength_m is not None and not tuned:
            self.laser.set_wavelength(self._wavelength_m)
        self.laser.shine(True)

    def zero(self) -> None:
        """Zero the meters, in the dark."""
        self._illuminate()
        self._settle()
        self.meters.zero()

    # Setting ----------------------------------------------------------------------------------------------

    def confine(self) -> None:
        """Pass the limits on to the instruments, and the wavelength to the meters; moves nothing."""
        self.modulators.confine()
        self.heaters.confine()
        if self._wavelength_m is not None:
            self.meters.set_wavelength(self._wavelength_m)

    def read_back(self, name: str) -> float:
        """One channel's voltage, asked of the hardware."""
        if name in self.modulators.names:
            return self.modulators.read_back(name)
        return self.heaters.read_voltage(name)

    def move(self, targets: dict[str, float]) -> None:
        """Bring channels to their targets in V and confirm; they settle before the next reading.

        Raises EnvelopeError or ShapeError with nothing sent; InstrumentError with the chip at rest.
        """
        alone = np.zeros(len(self.names))
        for name, value in targets.items():
            alone[self._row(name)] = as_volts(value, (), name)
        self._check(alone[None])  # what can be refused without asking the hardware

        def go() -> None:
            point = self._stand()
            rows = [self._row(name) for name in targets]
            point[rows] = alone[rows]
            self._check(point[None])
            self._go(point)

        self._known = None
        with guarded(self, refusals=(EnvelopeError, ShapeError)):
            self.stubbornly(go)

    def wait(self, seconds: float) -> None:
        """Let at least this time pass by the meters' measuring; goes safe if it fails on the way."""
        with guarded(self):
            self.stubbornly(partial(self.meters.wait, seconds))

    def play(self, inputs: Array, names: Sequence[str]) -> tuple[Array, Flags, Mapping[str, Array]]:
        """Set each sample of `inputs` (batch, time, n) in V on the named channels, let it settle, read it.

        Raises EnvelopeError with nothing sent; InstrumentError, with the chip at rest, of the kind that all
        replays ended in.
        """
        batch, samples, _ = inputs.shape
        rows = [self._row(name) for name in names]
        self._check_batch(inputs, rows, np.zeros(len(self.names)))
        self._known = None
        with guarded(self, refusals=(EnvelopeError, ShapeError)):
            held = self.stubbornly(self._stand)
            self._check_batch(inputs, rows, held)
        watts = np.empty((batch * samples, len(self.ports)))
        amperes = np.empty((batch * samples, len(self.heaters.names)))
        with guarded(self):
            self.stubbornly(self._illuminate)
            for k, sample in enumerate(inputs.reshape(batch * samples, -1)):
                point = held.copy()
                point[rows] = sample
                watts[k], amperes[k] = self.stubbornly(partial(self._read, point))
            self.stubbornly(self._check_undisturbed)
        self._readings += batch * samples
        saturation_W = self.outputs_read.high
        clipped = ~(watts < saturation_W).all(axis=1)
        flags = np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(0)).reshape(batch, samples)
        kept = np.minimum(np.nan_to_num(watts, nan=np.inf, posinf=np.inf), saturation_W)
        taps = {HEATER_CURRENTS: amperes.reshape(batch, samples, -1)}
        return kept.reshape(batch, samples, -1), flags, taps

    def _read(self, point: Array) -> tuple[Array, Array]:
        """Go to a point (n,), let it settle, and read powers and heater currents."""
        self._go(point)
        self._settle()
        watts = self.meters.read(self.timing.averaging_s)
        self._waited_s += self.timing.averaging_s
        self.heaters.check_trips()
        if self._amperes is None:
            self._amperes = self.heaters.read_currents()
        return watts[[port.meter for port in self.ports]], self._amperes

    def _go(self, point: Array) -> None:
        """Move what does not stand at a point (n,), modulators first."""
        split = len(self.modulators.names)
        known = np.full(len(point), np.nan) if self._known is None else self._known
        self._known = None  # until all has arrived
        if not np.array_equal(known[:split], point[:split]):
            targets = dict(zip(self.modulators.names, point[:split].tolist(), strict=True))
            if self.modulators.hold(targets):
                self._owe(self.timing.electrical_s)
        if not np.array_equal(known[split:], point[split:]):
            self._amperes = None
            start = self.heaters.stand()
            if not np.array_equal(start, point[split:]):
                self._owe(self.timing.thermal_s)
                self.heaters.move(start, point[split:])
        self._known = point.copy()

    def _check_undisturbed(self) -> None:
        """What was read is void if light or heaters have changed meanwhile."""
        if self.laser.shines() != self.lit:
            state = "went out" if self.lit else "came on"
            raise InstrumentError(
                f"{self.laser.address}: the light {state} during the run; look at its interlock and who else uses it"
            )
        self.heaters.confirm()

    def _stand(self) -> Array:
        return np.concatenate([self.modulators.stand(), self.heaters.stand()])

    # Checking ---------------------------------------------------------------------------------------------

    def _check_batch(self, inputs: Array, rows: Sequence[int], held: Array) -> None:
        for k, element in enumerate(inputs):
            with naming(k, len(inputs)):
                points = np.tile(held, (len(element), 1))
                points[:, rows] = element
                self._check(points)

    def _check(self, points: Array) -> None:
        split = len(self.modulators.names)
        self.modulators.envelope.check_points(points[:, :split])
        self.heaters.check(points[:, split:])

    def _row(self, name: str) -> int:
        if name not in self.names:
            raise ShapeError(f"{name} is no channel here; there are {', '.join(self.names)}")
        return self.names.index(name)

    # Time -------------------------------------------------------------------------------------------------

    def _settling_s(self, names: Sequence[str]) -> float:
        heated = any(name in self.heaters.names for name in names)
        return max(self.timing.electrical_s, self.timing.thermal_s if heated else 0.0)

    def _owe(self, seconds: float) -> None:
        """Something is about to change: so much has to pass before the next reading."""
        self._owed_s = max(self._owed_s, seconds)

    def _settle(self) -> None:
        if self._owed_s > 0.0:
            self.meters.wait(self._owed_s)
            self._waited_s += self._owed_s
            self._owed_s = 0.0

    def _pause(self, seconds: float) -> None:
        """Between the steps of a ramp: by the meters, or, on the way to the safe state without them, asleep."""
        try:
            self.meters.wait(seconds)
        except InstrumentError:
            time.sleep(seconds)

    # Trouble ----------------------------------------------------------------------------------------------

    def stubbornly(self, action: Callable[[], Result]) -> Result:
        """Do what may fail on a line, again after clearing the lines, as often as the budget allows."""
        return stubbornly(action, self._recover, self.replays)

    def _recover(self) -> None:
        self._known = None
        self._owe(max(self.timing.electrical_s, self.timing.thermal_s))
        self.laser.recover()
        self.modulators.source.recover()
        self.modulators.limit_slew()
        self.heaters.source.recover()
        self.heaters.confine()
        self.meters.recover()

    def safe_state(self) -> None:
        """Light out, modulators to 0 V, heaters down to 0 V, in this order; each is tried whatever fails.

        What a line's trouble or an interrupt (Ctrl-C) cuts short is done once more, and the interrupt held
        back to the end. Raises SafeStateError that names what is not known to be safe.
        """
        self._known, self._amperes = None, None
        self._owe(max(self.timing.thermal_s, self.timing.optical_s))
        failures: list[str] = []
        interrupts: list[BaseException] = []
        steps: tuple[tuple[str, Callable[[], None], Any], ...] = (
            ("laser", self.laser.safe_state, self.laser),
            ("modulators", self.modulators.safe_state, self.modulators.source),
            ("heaters", self.heaters.safe_state, self.heaters.source),
        )
        for what, action, instrument in steps:
            for last in (False, True):
                try:
                    action()
                    break
                except InstrumentError as error:
                    if last:
                        failures.append(f"{what}: {error}")
                    else:
                        with suppress(InstrumentError):  # the next try will say so
                            instrument.recover()
                except BaseException as interrupt:
                    interrupts.append(interrupt)
                    if last:
                        failures.append(f"{what}: interrupted again and again")
        unsafe = SafeStateError(f"not known to be safe: {'; '.join(failures)}")
        if interrupts:
            raise interrupts[0] from (unsafe if failures else None)
        if failures:
            raise unsafe

    def close(self) -> None:
        """Let the adapters go; laser and heaters are driven by their own drivers, which stay open."""
        self.modulators.source.close()
        self.meters.close()
