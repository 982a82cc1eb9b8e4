"""What every adapter in the roles of `drivers.roles` must do, whatever it is an adapter for.

A subclass gives the fixture `rack`: a source and a digitizer on a bench where the digitizer sees one of the
source's channels through something linear. What the adapters say is held against the bench behind them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from drivers.errors import DriverError, EnvelopeError, InstrumentError, InstrumentTimeout
from drivers.roles import Digitizer, Laser, PowerMeterArray, VoltageSourceArray

SLEW = 50.0


@dataclass
class Rack:
    """A bench of source and digitizer.

    Attributes:
        channels: two channels of the source; the digitizer sees `gain * V + offset_V` of the first.
        true_V: where a channel's output stands, from behind the adapter.
        elapsed_s: the bench's own time.
        disturb: puts a channel to a voltage behind the adapter's back.
        read_error_V: how far the digitizer's readings may be from that, noise and lag included.
        lag_s: time after a step until the digitizer sees it to 1e-4.
    """

    source: VoltageSourceArray
    digitizer: Digitizer
    channels: tuple[int, int]
    gain: float
    offset_V: float
    true_V: Callable[[int], float]
    elapsed_s: Callable[[], float]
    disturb: Callable[[int, float], None]
    read_error_V: float
    lag_s: float

    def limit(self, slew_V_per_s: float = SLEW) -> None:
        """Give both channels a slew limit, as whoever uses them must."""
        for channel in self.channels:
            self.source.set_slew_limit(channel, slew_V_per_s)

    def await_stand(self, channel: int, volts: float) -> list[float]:
        """Read back until the channel stands at a voltage; gives all that was read."""
        read = [self.source.read_back(channel)]
        while abs(read[-1] - volts) > self.source.accuracy_V:
            assert len(read) < 1000, f"channel {channel} stands at {read[-1]} V"
            read.append(self.source.read_back(channel))
        return read

    def stand(self, channel: int) -> object:
        """The bench's own word, to compare with what was sent."""
        return pytest.approx(self.true_V(channel), abs=self.source.accuracy_V)


class RolesConformance:
    """Inherit and give the fixture `rack`, with all outputs at 0 V."""

    def test_both_say_who_and_where_they_are_and_have_nothing_to_complain_of(self, rack: Rack) -> None:
        for instrument in (rack.source, rack.digitizer):
            assert instrument.identity() == instrument.identity() != ""
            assert instrument.address
            assert list(instrument.errors()) == []

    def test_the_range_is_asked_of_the_source(self, rack: Rack) -> None:
        low, high = rack.source.output_range(rack.channels[0])
        assert low <= -2.0 < 2.0 <= high
        with pytest.raises(DriverError, match="77"):
            rack.source.output_range(77)

    def test_a_static_voltage_is_approached_at_the_slew_limit_without_waiting(self, rack: Rack) -> None:
        rack.limit(10.0)
        begin = rack.elapsed_s()
        rack.source.set_static({rack.channels[0]: 0.4})
        assert rack.elapsed_s() - begin < 0.02
        read = rack.await_stand(rack.channels[0], 0.4)
        took = rack.elapsed_s() - begin
        assert 0.4 / 10.0 - 1e-3 < took < 0.4 / 10.0 + 0.02
        assert (np.diff(read) > -1e-3).all()
        assert len({round(volts, 2) for volts in read}) > 5, "it jumped"

    def test_channels_told_together_move_together(self, rack: Rack) -> None:
        rack.limit(10.0)
        first, second = rack.channels
        rack.source.set_static({first: 0.4, second: -0.4})
        while rack.source.read_back(first) < 0.1:
            assert rack.true_V(first) < 0.4, "it went past"
        assert rack.true_V(second) == pytest.approx(-rack.true_V(first), abs=0.02)
        rack.await_stand(first, 0.4)
        rack.await_stand(second, -0.4)

    def test_a_channel_told_later_does_not_stop_the_one_before(self, rack: Rack) -> None:
        rack.limit(10.0)
        first, second = rack.channels
        rack.source.set_static({first: 0.4})
        rack.source.set_static({second: 0.2})
        rack.await_stand(first, 0.4)
        rack.await_stand(second, 0.2)

    def test_a_read_back_is_never_remembered(self, rack: Rack) -> None:
        rack.limit()
        rack.source.set_static({rack.channels[0]: 0.3})
        rack.await_stand(rack.channels[0], 0.3)
        rack.disturb(rack.channels[0], -0.2)
        assert rack.source.read_back(rack.channels[0]) == rack.stand(rack.channels[0])
        assert rack.true_V(rack.channels[0]) < -0.19

    def test_a_waveform_reaches_the_digitizer_sample_by_sample(self, rack: Rack) -> None:
        first, second = rack.channels
        rack.limit()
        dt_s, aperture_s = 1e-3, 300e-6
        wave = np.cumsum(np.random.default_rng(2).uniform(-0.03, 0.03, 60))
        rack.source.arm({first: wave, second: -0.5 * wave}, dt_s)
        assert rack.true_V(first) == pytest.approx(0.0, abs=rack.source.accuracy_V), "it must not move yet"
        rack.digitizer.arm(len(wave), dt_s, aperture_s, dt_s - aperture_s - 50e-6)
        begin = rack.elapsed_s()
        rack.source.fire()
        volts = rack.digitizer.fetch(5.0)
        rack.source.finish(5.0)
        assert rack.elapsed_s() - begin == pytest.approx(len(wave) * dt_s, abs=0.03)
        np.testing.assert_allclose(volts, rack.gain * wave + rack.offset_V, atol=rack.read_error_V)
        for channel, last in ((first, wave[-1]), (second, -0.5 * wave[-1])):
            assert rack.source.read_back(channel) == pytest.approx(last, abs=rack.source.accuracy_V)
            assert rack.stand(channel) == pytest.approx(last, abs=2 * rack.source.accuracy_V)

    def test_a_waveform_is_played_no_faster_than_the_slew_limit(self, rack: Rack) -> None:
        rack.limit(10.0)
        rack.source.arm({rack.channels[0]: np.full(20, 0.1)}, 1e-3)
        rack.digitizer.arm(20, 1e-3, 300e-6, 650e-6)
        rack.source.fire()
        volts = (rack.digitizer.fetch(5.0) - rack.offset_V) / rack.gain
        rack.source.finish(5.0)
        reached = np.minimum(10.0 * (1e-3 * np.arange(20) + 800e-6), 0.1)
        error = rack.read_error_V / abs(rack.gain) + 10.0 * rack.lag_s
        np.testing.assert_allclose(volts, reached, atol=error)

    def test_an_abort_holds_what_the_output_has(self, rack: Rack) -> None:
        rack.limit(1.0)
        rack.source.arm({rack.channels[0]: np.linspace(0.0, 0.5, 1000)}, 1e-3)
        rack.source.fire()
        while rack.source.read_back(rack.channels[0]) < 0.1:
            assert rack.true_V(rack.channels[0]) < 0.3, "it went past"
        rack.source.abort([rack.channels[0]])
        held = rack.true_V(rack.channels[0])
        for _ in range(20):
            rack.source.read_back(rack.channels[0])
        assert rack.true_V(rack.channels[0]) == pytest.approx(held, abs=1e-6)
        assert 0.05 < held < 0.3

    def test_an_abort_of_one_channel_lets_the_others_go_on(self, rack: Rack) -> None:
        rack.limit(2.0)
        first, second = rack.channels
        rack.source.set_static({first: 0.4, second: -0.4})
        while rack.source.read_back(first) < 0.1:
            assert rack.true_V(first) < 0.3, "it went past"
        rack.source.abort([first])
        rack.await_stand(second, -0.4)
        assert rack.true_V(first) < 0.3

    def test_what_the_instrument_refuses_leaves_nothing_armed(self, rack: Rack) -> None:
        rack.limit()
        with pytest.raises(DriverError):
            rack.source.arm({rack.channels[0]: np.array([0.0, 50.0])}, 1e-3)
        with pytest.raises(InstrumentError, match="nothing is armed"):
            rack.source.fire()
        assert rack.true_V(rack.channels[0]) == pytest.approx(0.0, abs=rack.source.accuracy_V)

    def test_a_waveform_that_is_not_over_in_time_is_a_timeout_and_taken_down(self, rack: Rack) -> None:
        rack.limit(1.0)
        rack.source.arm({rack.channels[0]: np.linspace(0.0, 0.5, 5000)}, 1e-3)
        rack.source.fire()
        with pytest.raises(InstrumentTimeout):
            rack.source.finish(1e-3)
        rack.source.recover()
        held = rack.true_V(rack.channels[0])
        for _ in range(20):
            rack.source.read_back(rack.channels[0])
        assert rack.true_V(rack.channels[0]) == pytest.approx(held, abs=0.3)
        rack.source.set_static({rack.channels[0]: 0.0})
        rack.await_stand(rack.channels[0], 0.0)

    def test_readings_that_never_come_are_a_timeout_and_leave_it_usable(self, rack: Rack) -> None:
        rack.digitizer.arm(5, 1e-3, 300e-6, 0.0)
        begin = time.monotonic()
        with pytest.raises(InstrumentTimeout):
            rack.digitizer.fetch(0.05)
        assert time.monotonic() - begin < 5.0
        rack.digitizer.recover()
        assert rack.digitizer.read(2, 1e-3, 0.0).shape == (2,)

    def test_readings_now_average_over_their_aperture(self, rack: Rack) -> None:
        rack.limit()
        rack.source.set_static({rack.channels[0]: 0.5})
        rack.await_stand(rack.channels[0], 0.5)
        begin = rack.elapsed_s()
        period_s = 1.0 / rack.digitizer.line_frequency_Hz
        volts = rack.digitizer.read(4, period_s, 500e-6)
        assert rack.elapsed_s() - begin == pytest.approx(4 * (period_s + 500e-6), rel=0.1)
        np.testing.assert_allclose(volts, rack.gain * 0.5 + rack.offset_V, atol=rack.read_error_V)

    def test_waiting_passes_at_least_that_time_and_little_more(self, rack: Rack) -> None:
        for seconds in (0.5, 90.0):
            begun_s = rack.elapsed_s()
            rack.digitizer.wait(seconds)
            assert seconds <= rack.elapsed_s() - begun_s <= 1.02 * seconds + 0.1

    def test_recovering_moves_nothing_and_closing_twice_is_harmless(self, rack: Rack) -> None:
        rack.limit()
        rack.source.set_static({rack.channels[0]: 0.3})
        rack.await_stand(rack.channels[0], 0.3)
        rack.source.recover()
        rack.digitizer.recover()
        assert rack.source.read_back(rack.channels[0]) == pytest.approx(0.3, abs=rack.source.accuracy_V)
        for _ in range(2):
            rack.source.close()
            rack.digitizer.close()
        assert rack.true_V(rack.channels[0]) == pytest.approx(0.3, abs=2 * rack.source.accuracy_V)


@dataclass
class OpticalRack:
    """A bench where a laser shines straight on every meter of an array.

    Attributes:
        emitted_W: what leaves the laser now, from behind the adapter.
        emitted_m: its wavelength.
        elapsed_s: the bench's own time.
        transmission: from the laser to each port, (ports,).
        accuracy: relative error that laser and meters may have.
        dark_W: the most that a meter may read in the dark.
    """

    laser: Laser
    meters: PowerMeterArray
    emitted_W: Callable[[], float]
    emitted_m: Callable[[], float]
    elapsed_s: Callable[[], float]
    transmission: tuple[float, ...]
    accuracy: float
    dark_W: float

    def lit(self, watts: float = 1e-3) -> None:
        self.laser.set_power(watts)
        self.meters.set_wavelength(self.laser.read_wavelength())
        self.laser.shine(True)
        self.meters.wait(0.1)


class OpticalRolesConformance:
    """What every `Laser` and `PowerMeterArray` must do: inherit and give the fixture `optical_rack`, in the dark."""

    def test_both_say_who_and_where_they_are_and_have_nothing_to_complain_of(
        self, optical_rack: OpticalRack
    ) -> None:
        for instrument in (optical_rack.laser, optical_rack.meters):
            assert instrument.identity() == instrument.identity() != ""
            assert instrument.address
            assert list(instrument.errors()) == []

    def test_light_is_let_out_and_shut(self, optical_rack: OpticalRack) -> None:
        laser = optical_rack.laser
        assert not laser.shines()
        assert optical_rack.emitted_W() == 0.0
        laser.set_power(1e-3)
        assert optical_rack.emitted_W() == 0.0, "asking for a power lets no light out"
        for _ in range(2):
            laser.shine(True)
            assert laser.shines()
            assert optical_rack.emitted_W() == pytest.approx(1e-3, rel=optical_rack.accuracy)
        for _ in range(2):
            laser.shine(False)
            assert not laser.shines()
            optical_rack.meters.wait(0.05)
            assert optical_rack.emitted_W() == 0.0
        laser.shine(True)
        for _ in range(2):
            laser.safe_state()
            assert not laser.shines()
            optical_rack.meters.wait(0.05)
            assert optical_rack.emitted_W() == 0.0

    def test_power_is_never_more_than_asked_for_and_reads_back(self, optical_rack: OpticalRack) -> None:
        laser = optical_rack.laser
        low, high = laser.power_range_W
        for watts in np.geomspace(low, high, 7):
            laser.set_power(float(watts))
            assert laser.read_power() <= watts * (1.0 + 1e-9) + 1e-12
            assert laser.read_power() == pytest.approx(watts, rel=5e-3)
        for bad in (0.9 * low, 1.1 * high, np.nan, np.inf, -1e-3):
            kept = laser.read_power()
            with pytest.raises(EnvelopeError):
                laser.set_power(bad)
            assert laser.read_power() == kept

    def test_the_wavelength_is_tuned_within_its_range(self, optical_rack: OpticalRack) -> None:
        laser = optical_rack.laser
        low, high = laser.wavelength_range_m
        for metres in (low, 0.5 * (low + high), high):
            laser.set_wavelength(metres)
            assert laser.read_wavelength() == pytest.approx(metres, abs=1e-13)
            assert optical_rack.emitted_m() == pytest.approx(metres, abs=20e-12)
        for bad in (0.99 * low, 1.01 * high, np.nan):
            with pytest.raises(EnvelopeError):
                laser.set_wavelength(bad)

    def test_every_port_is_read_over_the_averaging_time(self, optical_rack: OpticalRack) -> None:
        optical_rack.lit()
        for averaging_s in (3e-3, 0.03, 0.3):
            begin = optical_rack.elapsed_s()
            watts = optical_rack.meters.read(averaging_s)
            took_s = optical_rack.elapsed_s() - begin
            assert averaging_s * 0.99 <= took_s < averaging_s + 0.02, "all at the same time"
            assert watts.shape == (len(optical_rack.meters.ports),)
            expected = optical_rack.emitted_W() * np.array(optical_rack.transmission)
            np.testing.assert_allclose(watts, expected, rtol=2.0 * optical_rack.accuracy)

    def test_waiting_passes_at_least_that_time_and_little_more(self, optical_rack: OpticalRack) -> None:
        for seconds in (0.0, 1e-3, 0.0137, 0.5, 45.0):
            begin = optical_rack.elapsed_s()
            optical_rack.meters.wait(seconds)
            assert seconds * 0.99 <= optical_rack.elapsed_s() - begin < seconds + 0.02

    def test_what_is_beyond_the_range_reads_as_infinity(self, optical_rack: OpticalRack) -> None:
        optical_rack.lit()
        optical_rack.meters.set_range(1e-5)
        assert np.isposinf(optical_rack.meters.read(3e-3)).all()
        optical_rack.meters.set_range(2e-3)
        assert np.isfinite(optical_rack.meters.read(3e-3)).all()
        optical_rack.meters.set_range(None)
        assert np.isfinite(optical_rack.meters.read(3e-3)).all()

    def test_a_zero_is_taken_in_the_dark_only(self, optical_rack: OpticalRack) -> None:
        meters = optical_rack.meters
        optical_rack.lit()
        with pytest.raises(InstrumentError):
            meters.zero()
        before = meters.read(0.03)
        optical_rack.laser.shine(False)
        meters.wait(0.1)
        assert np.abs(meters.read(0.3)).max() < optical_rack.dark_W
        meters.zero()
        assert np.abs(meters.read(0.3)).max() < 0.5 * optical_rack.dark_W
        optical_rack.laser.shine(True)
        meters.wait(0.1)
        np.testing.assert_allclose(meters.read(0.03), before, rtol=1e-3)

    def test_recovering_keeps_light_and_settings(self, optical_rack: OpticalRack) -> None:
        optical_rack.lit()
        before = optical_rack.meters.read(0.03)
        optical_rack.laser.recover()
        optical_rack.meters.recover()
        assert optical_rack.laser.shines()
        np.testing.assert_allclose(optical_rack.meters.read(0.03), before, rtol=1e-3)
