"""Where two benches differ, and where they do not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa

from simulators.recording import Recording
from simulators.recording.answers import Verdict, judge
from simulators.recording.comparison import Comparison, Tally, compare, header
from simulators.recording.listing import Listing
from simulators.scpi import Text, query
from simulators.visa import HilVisaLibrary
from tests.simulators.scpi.supply import Supply
from tests.simulators.visa.bench import GPIB, LAN, SOCKET, Bench

POINTS = np.linspace(-1, 1, 1000, dtype="<f4")

Record = Callable[..., Path]


def session(manager: pyvisa.ResourceManager) -> None:
    for name in (LAN, GPIB):
        supply: Any = manager.open_resource(name, read_termination="\n", write_termination="\n")
        supply.query("*IDN?")
        supply.write("SOUR3:VOLT 2.5")
        supply.query("SOUR3:VOLT?")
        supply.write_binary_values('TRAC:DATA "a",', POINTS)
        supply.query_binary_values('TRAC:DATA? "a"')
        supply.query("SYST:ERR?")
        supply.write("NO:SUCH:COMMAND 1")
        supply.query("SYST:ERR?")


class OtherSupply(Supply):
    """Half a per mille off, a point of a trace too, and without the query for traces where `knows` is false."""

    knows = True

    @query("[SOURce#]:VOLTage[:LEVel][:IMMediate]")
    def voltage(self, channel: int) -> float:
        return self.volts[channel] * 1.0005

    def write(self, data: bytes, end: bool = True) -> None:
        super().write(data if self.knows else data.replace(b"TRAC:DATA?", b"TRAC:NONE?"), end)

    @query("TRACe:DATA", Text())
    def recall(self, name: str) -> bytes:
        points = self.stored[name].copy()
        points[10] += 0.01
        return points.astype("<f4").tobytes()


class Ignorant(OtherSupply):
    knows = False


def against(path: Path, bench: Bench, tolerance: float = 1e-3) -> Comparison:
    return compare(Recording(path), HilVisaLibrary.for_bench(bench), "another bench", tolerance)


def tallies(comparison: Comparison, resource: str) -> dict[str, Tally]:
    return {tally.header: tally for tally in comparison.tallies if tally.resource == resource}


def test_a_bench_is_equal_to_itself(record: Record) -> None:
    comparison = against(record(session), Bench())
    assert comparison.agrees, comparison.as_dict()
    found = tallies(comparison, LAN)
    assert found["SOUR<n>:VOLT?"] == Tally(LAN, "SOUR<n>:VOLT?", count=1, equal=1)
    assert found["SYST:ERR?"].equal == 2
    assert found["NO:SUCH:COMMAND"].undefined == 0  # the recorded one did not know it either


def test_what_a_bench_lacks_is_missing(record: Record) -> None:
    bench = Bench()
    del bench.resources[GPIB]
    comparison = against(record(session), bench)
    assert list(comparison.missing) == [GPIB]
    assert not comparison.agrees
    assert not tallies(comparison, GPIB)
    assert all(tally.agrees for tally in tallies(comparison, LAN).values())


def test_numbers_are_compared_as_numbers(record: Record) -> None:
    bench = Bench()
    bench.resources[LAN] = OtherSupply(bench.clock)
    path = record(session)
    found = tallies(against(path, bench), LAN)
    volts, trace = found["SOUR<n>:VOLT?"], found["TRAC:DATA?"]
    assert (volts.close, volts.different) == (1, 0)
    assert volts.largest == pytest.approx(5e-4)
    assert (trace.close, trace.different) == (0, 1)
    assert trace.largest == pytest.approx(0.01, rel=1e-4)
    assert found["*IDN?"].equal == 1
    bench = Bench()
    bench.resources[LAN] = OtherSupply(bench.clock)
    strict = tallies(against(path, bench, tolerance=1e-4), LAN)
    assert strict["SOUR<n>:VOLT?"].different == 1
    assert "+2.50000000E+00" in strict["SOUR<n>:VOLT?"].examples[0]
    assert "+2.50125000E+00" in strict["SOUR<n>:VOLT?"].examples[0]


def test_a_header_that_is_not_known_is_told_as_that(record: Record) -> None:
    bench = Bench()
    bench.resources[LAN] = Ignorant(bench.clock)
    comparison = against(record(session), bench)
    found = tallies(comparison, LAN)
    assert (found["TRAC:DATA?"].timeout, found["TRAC:DATA?"].undefined) == (1, 1)
    assert any("-113" in example for example in found["TRAC:DATA?"].examples)
    assert all(tally.agrees for tally in tallies(comparison, GPIB).values())


def noisy(manager: pyvisa.ResourceManager) -> None:
    """A block that is read with a termination character on, as some stock drivers do."""
    supply: Any = manager.open_resource(LAN, read_termination="\n", write_termination="\n")
    rng = np.random.default_rng(int(supply.query("SOUR1:VOLT?") == "+0.00000000E+00"))
    supply.write_binary_values('TRAC:DATA "a",', rng.standard_normal(3000).astype("<f4"))
    supply.query_binary_values('TRAC:DATA? "a"')


def test_line_ends_within_a_block_are_no_answers(record: Record) -> None:
    path = record(noisy)
    recording = Recording(path)
    reads = [exchange for exchange in recording.exchanges if exchange.op == "read"]
    assert len(reads) > 3, "there must be line ends in the noise"
    bench = Bench()
    bench.resources[LAN] = OtherSupply(bench.clock)
    found = tallies(against(path, bench), LAN)["TRAC:DATA?"]
    assert (found.count, found.different) == (1, 1)
    assert 0 < (found.largest or 0) < 0.01


@pytest.mark.parametrize(
    ("recorded", "answered", "verdict", "relative"),
    [
        (b"1.0\n", b"1.0\r\n", Verdict.EQUAL, None),
        (b"+1.0E+00\n", b"1\n", Verdict.EQUAL, None),
        (b"1,2,-4\n", b"1,2,-4.004\n", Verdict.CLOSE, 1e-3),
        (b"1,2,-4\n", b"1,2,-4.1\n", Verdict.DIFFERENT, 0.025),
        (b"1,2\n", b"1,2,3\n", Verdict.DIFFERENT, None),
        (b"0\n", b"1e-9\n", Verdict.DIFFERENT, 1.0),
        (b"FIX\n", b"LIST\n", Verdict.DIFFERENT, None),
        (b"#13abc\n", b"#13abd\n", Verdict.DIFFERENT, None),
        (b"9.9E37\n", b"9.9E37\n", Verdict.EQUAL, None),
    ],
)
def test_answers_are_judged(
    recorded: bytes, answered: bytes, verdict: Verdict, relative: float | None
) -> None:
    found, distance = judge(recorded, answered, 1.001e-3)
    assert found is verdict
    assert distance == (None if relative is None else pytest.approx(relative))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"SOUR3:VOLT 2.5\n", "SOUR<n>:VOLT"),
        (b"sour12:volt:last?\n", "SOUR<n>:VOLT:LAST?"),
        (b"*IDN?;:outp1:trig2 on\n", "*IDN?;:OUTP<n>:TRIG<n>"),
        (b'TRAC:DATA "a;b",#13\n;\n', "TRAC:DATA"),
        (b"FETCh?\n", "FETCH?"),
        (b"", ""),
    ],
)
def test_a_header_stands_for_all_channels(message: bytes, expected: str) -> None:
    assert header(message) == expected


def test_a_listing_shows_one_instrument(record: Record) -> None:
    recording = Recording(record(session))
    listing = Listing(recording, "gpib")
    assert list(listing.shares) == [GPIB]
    share = listing.shares[GPIB]
    assert (share.identity, share.writes, share.timeouts) == ("hil,Supply,17,1.0", 8, 0)
    rows = list(listing.rows())
    assert {row.resource for row in rows} == {GPIB}
    assert any("-> 'SOUR3:VOLT 2.5" in str(row) for row in rows)
    assert any("-> 'TRAC:DATA \"a\",' and more, 4," in str(row) for row in rows)
    assert len(list(Listing(recording).rows())) == sum(bool(one.resource) for one in recording.exchanges)
    assert not Listing(recording, "nobody").shares
    assert SOCKET not in Listing(recording).shares
