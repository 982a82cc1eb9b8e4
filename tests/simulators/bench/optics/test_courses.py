"""Sources that say that they rest, against their own corners; and the courses that are read from them."""

import numpy as np
import pytest

from simulators.bench.optics.courses import Courses
from simulators.clock import VirtualClock
from simulators.faults.terminals import faulty
from simulators.instruments.catalogue import make_instrument
from simulators.instruments.path import Knots

QDAC = [
    b"sour1:volt 1.5", b"sour1:volt:slew 50;:sour1:volt -2", b"sour1:filt med", b"sour1:volt 0.25", b"sour1:filt high",
    b"sour1:sine:freq 20;span 0.5;coun 3;trig:sour imm;:sour1:sine:init", b"sour1:rang low", b"sour1:volt 0.125",
    b"sour1:dc:list:volt 0.1,0.2,0.3;dwel 0.01;coun 1;:sour1:volt:mode list;:sour1:dc:init",
    b"sour1:volt:mode fix;:sour1:volt 1", b"*rst",
]  # fmt: skip
QONTROL = [b"V0=3.0", b"V0=3.00001", b"V0=9", b"I0=2.0", b"VMAX0=4", b"V0=5", b"V0=0"]


@pytest.mark.parametrize(("kind", "socket", "script"), [("qdac2", "1", QDAC), ("qontrol_q8iv", "0", QONTROL)])
def test_a_source_that_says_it_rests_is_where_its_corners_are(kind, socket, script):
    clock = VirtualClock()
    instrument = make_instrument(kind, clock, "1", np.random.default_rng(1))
    source = faulty(instrument.terminals.sources[socket])
    rested = moved = 0
    for line in script:
        instrument.write(line + b"\n")
        for _ in range(60):
            begin_s = clock.now
            clock.advance(0.6e-3 * (1 + rested % 7))
            rest_V = source.resting_V(begin_s, clock.now)
            volts = source.knots(begin_s, clock.now).values
            if rest_V is None:
                moved += 1
            else:
                rested += 1
                assert np.all(volts == rest_V), line
    assert rested > 200
    assert moved > 3


def test_a_source_with_a_fault_is_looked_at_closely():
    clock = VirtualClock()
    source = faulty(
        make_instrument("qontrol_q8iv", clock, "1", np.random.default_rng(1)).terminals.sources["0"]
    )
    clock.advance(1.0)
    assert source.resting_V(0.5, 1.0) == 0.0
    source.distortions.append(lambda corners: Knots(corners.times_s, corners.values + 1.0, corners.opens))
    assert source.resting_V(0.5, 1.0) is None
    courses = Courses([source], 0.5, 1.0, 1e-5)
    assert courses.rest
    np.testing.assert_array_equal(courses.at(np.array([0.7])), [[1.0]])
