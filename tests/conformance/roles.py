"""What every adapter in the roles of `drivers.roles` must do, whatever it is an adapter for.

A subclass gives the fixture `rack`: a source and a digitizer on a bench where the digitizer sees one of the
source's channels through something linear. What the adapters say is held against the bench behind them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from drivers.errors import DriverError, InstrumentError, InstrumentTimeout
from drivers.roles import Digitizer, VoltageSourceArray

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
