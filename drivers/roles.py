"""What a chip driver needs of its bench instruments: sources of voltages, heater supplies, lasers, meters.

An adapter for any instrument satisfies a role by shape. Adapters translate every failure of theirs into
`drivers.errors`: InstrumentTimeout for an answer that did not come, InstrumentError for anything else,
with the instrument's own words where it has some. An adapter sends what it is told; whether that is safe
is decided before it is called.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from drivers.response import Array


class Instrument(Protocol):
    """What the roles share: an identity, an error queue and a way out of a muddle."""

    @property
    def address(self) -> str:
        """Where the instrument is, as it was opened."""

    def identity(self) -> str:
        """Ask the instrument who it is: its answer to `*IDN?`, or the nearest thing it has."""

    def errors(self) -> Sequence[str]:
        """Read and empty the instrument's error queue, oldest first; empty when all is well."""

    def recover(self) -> None:
        """Stop what is under way, clear the interface and drop stale answers and errors.

        Outputs hold what they have; settings are as the adapter needs them, also if the instrument was off in
        between. Raises InstrumentError if it is gone.
        """

    def close(self) -> None:
        """Give back what the adapter holds in the instrument; the instrument itself stays open."""


class VoltageSourceArray(Instrument, Protocol):
    """Many voltage outputs that can play waveforms in step. Channels are the instrument's own numbers."""

    @property
    def max_points(self) -> int:
        """The longest waveform, in samples per channel."""

    def monotonic_s(self) -> float:
        """The time in seconds by which to give up waiting for the instrument; `time.monotonic` will do."""

    @property
    def accuracy_V(self) -> float:
        """How far a read-back may be from what was sent, by the data sheet: a converter's error is no failure."""

    def output_range(self, channel: int) -> tuple[float, float]:
        """Lowest and highest voltage of the channel's present hardware range, asked of it."""

    def set_slew_limit(self, channel: int, slew_V_per_s: float) -> None:
        """Limit the channel's slew in hardware, whatever it is told to do."""

    def confine(self, channel: int, low_V: float, high_V: float) -> None:
        """Let the instrument, or its driver, refuse other voltages whoever sends them, as far as it can."""

    def read_back(self, channel: int) -> float:
        """The voltage that the channel puts out now, asked of the hardware and never remembered."""

    def set_static(self, voltages_V: Mapping[int, float]) -> None:
        """Let channels move to constant voltages, together, each at its slew limit; does not wait.

        Every channel is told, whatever fails at others; then the first failure is raised.
        """

    def arm(self, waveforms: Mapping[int, Array], dt_s: float) -> None:
        """Load a waveform (time,) per channel, one block each, to start together when fired.

        Raises InstrumentError, with nothing armed, if the instrument refuses any of it.
        """

    def fire(self) -> None:
        """Start the armed waveforms and, at the same instant, the trigger output."""

    def finish(self, timeout_s: float) -> None:
        """Wait until the waveforms have been played, then take them down; the outputs hold the last sample.

        Raises InstrumentTimeout when they have not been played in `timeout_s`, InstrumentError for
        anything in the error queue.
        """

    def abort(self, channels: Sequence[int]) -> None:
        """Stop whatever plays on the channels; each output holds what it has.

        The first step to the safe state: a connection that was lost is tried once more here.
        """


class HeaterSource(Instrument, Protocol):
    """Many slow outputs for heaters, each of which holds a voltage or a current and reads both back.

    Channels are the instrument's own numbers. Setting returns when the read-back agrees, and raises
    EnvelopeError with nothing sent for a value outside a channel's limits, TripError for outputs that the
    instrument switched off, ReadbackError for one that does not get there. Limits that several channels
    share are for the caller to check.
    """

    @property
    def heaters(self) -> tuple[int, ...]:
        """The channels' numbers."""

    @property
    def accuracy_V(self) -> float:
        """How far a read-back may be from what was set."""

    def limits(self, channel: int) -> tuple[float, float]:
        """The highest voltage in V and current in A that the channel may put out."""

    def set_limit(self, channel: int, volts: float | None = None, amperes: float | None = None) -> None:
        """Let the instrument switch the channel off above a voltage or current; None leaves one as it is."""

    def check_trips(self) -> None:
        """Raise TripError for outputs that the instrument has switched off since somebody asked."""

    def set_voltages(self, volts: Mapping[int, float]) -> None:
        """Hold these voltages in V, by channel; the other channels keep what they have."""

    def set_currents(self, amperes: Mapping[int, float]) -> None:
        """Hold these currents in A, by channel; the other channels keep what they have."""

    def read_voltages(self) -> Array:
        """The voltage of every channel as measured now, shape (channels,) in V."""

    def read_currents(self) -> Array:
        """The current of every channel as measured now, shape (channels,) in A."""

    def safe_state(self, ramp_s: float = 0.0) -> None:
        """Bring every channel to 0 V, in `ramp_s` from where it stands; tries all before it raises.

        Raises SafeStateError, naming the channels, if some do not read 0 V in the end.
        """


class PowerMeterArray(Instrument, Protocol):
    """A power meter on each of many ports, all of which read at the same time.

    Ports are the array's own numbers, from 0 in the order in which its meters were given.
    """

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports' numbers."""

    def read(self, averaging_s: float) -> Array:
        """Measure every port from now on for `averaging_s`, shape (ports,) in W; over-range reads as inf.

        A meter averages for the nearest time that it can, at least one sample. Powers are as of the last
        `zero`. Raises InstrumentTimeout for a meter that does not answer.
        """

    def wait(self, seconds: float) -> None:
        """Let at least this time pass by a meter's own measuring.

        So whoever waits for something to settle waits on the bench's clock, whether that is the wall's or
        not.
        """

    def set_range(self, watts: float | None) -> None:
        """Read on the smallest range that holds a power, on every port; None: choose it for each reading."""

    def set_wavelength(self, metres: float) -> None:
        """Take the detectors' responsivity at this wavelength."""

    def zero(self) -> None:
        """Take what every detector reads now, in the dark, off all later readings.

        Raises InstrumentError if there is too much light for that.
        """


class Laser(Instrument, Protocol):
    """A source of light with its interlocks. Setting returns when the instrument is there and reads it back.

    Setting raises EnvelopeError with nothing sent for a value outside the range, ReadbackError for one that
    is not taken.
    """

    @property
    def power_range_W(self) -> tuple[float, float]:
        """The least and the highest power that can be asked for."""

    @property
    def wavelength_range_m(self) -> tuple[float, float]:
        """The ends of the tuning range; both the same for a laser that cannot be tuned."""

    def set_power(self, watts: float) -> None:
        """Ask for a power, never more than `watts`; the light stays on or off."""

    def read_power(self) -> float:
        """The power that is asked for, in W, whether there is light or not."""

    def set_wavelength(self, metres: float) -> None:
        """Tune."""

    def read_wavelength(self) -> float:
        """The wavelength that is set, in m."""

    def shine(self, on: bool) -> None:
        """Let light out, or none; in the dark the laser stays warm if it can.

        Raises InstrumentError, with no light, for an interlock that is open or a laser that is not well.
        """

    def shines(self) -> bool:
        """Whether light comes out, asked of the instrument."""

    def safe_state(self) -> None:
        """Shut it and switch it off; tries both before it raises InstrumentError."""


class Digitizer(Instrument, Protocol):
    """A voltage input that takes readings on a trigger."""

    @property
    def max_readings(self) -> int:
        """The longest burst of readings."""

    @property
    def range_V(self) -> float:
        """Full scale of the fixed range."""

    @property
    def line_frequency_Hz(self) -> float:
        """Mains frequency: readings averaged over whole periods are free of hum."""

    def arm(self, readings: int, period_s: float, aperture_s: float, delay_s: float) -> None:
        """Wait for the external trigger, then take `readings`, one every `period_s`.

        Each averages over `aperture_s`, the first from `delay_s` after the trigger. Returns when the
        instrument is waiting; raises InstrumentError if it refuses.
        """

    def fetch(self, timeout_s: float) -> Array:
        """Wait for the armed readings and give them, shape (readings,) in V; overload reads as +-inf.

        Raises InstrumentTimeout if they are not there in `timeout_s`, InstrumentError for anything in the
        error queue.
        """

    def read(self, readings: int, aperture_s: float, delay_s: float) -> Array:
        """Take readings now, one after the other, each averaged over `aperture_s` after `delay_s`."""

    def wait(self, seconds: float) -> None:
        """Let at least this time pass by its own measuring; see `PowerMeterArray.wait`."""

    def abort(self) -> None:
        """Stop waiting or measuring."""
