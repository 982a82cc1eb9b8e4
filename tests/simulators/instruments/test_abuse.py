"""Whatever is sent, an instrument answers with an entry in its error queue and keeps its outputs in range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.clock import VirtualClock
from simulators.instrument import NothingToRead
from simulators.instruments.catalogue import covered_headers, make_instrument, models
from simulators.instruments.qdac2.personality import QDac2
from simulators.instruments.source_measure.unit import SourceMeasureUnit

BLOCK = "#18" + np.array([1.0, -0.5], "<f4").tobytes().decode("latin-1")
WORDS = [
    "1",
    "0",
    "-1",
    "2.5",
    "1e3",
    "1e-3",
    "inf",
    "nan",
    "-1e9",
    "on",
    "off",
    "once",
    "imm",
    "bus",
    "int3",
]
WORDS += ["ext2", "hold", "list", "fix", "swe", "step", "anal", "down", '"x"', '"x",5', '"VOLT:AC"']
WORDS += ["0.1,0.2,0.3", "min", "max", "def", "(@1,2)", "1,(@1:3)", "real,64", "low", "med", "", BLOCK]


def messages(model):
    header = st.sampled_from([h for h in covered_headers(model) if h != "*CLS" and "ERRor" not in h])
    return st.lists(
        st.tuples(header, st.sampled_from(WORDS), st.sampled_from([1e-4, 1e-2, 0.3])), max_size=60
    )


@pytest.mark.parametrize("model", [model for model in models() if covered_headers(model)])
def test_no_message_breaks_an_instrument(model):
    @settings(max_examples=60, deadline=None)
    @given(messages(model))
    def send_all(sent):
        clock = VirtualClock()
        instrument = make_instrument(model, clock, "1", np.random.default_rng(0), 0.0)
        for header, words, pause in sent:
            plain = header.replace("[", "").replace("]", "").replace("#", "2").lstrip(":")
            instrument.write(f"{plain} {words}".encode("latin-1") + b"\n")
            clock.advance(pause)
            try:
                instrument.read(1 << 30)
            except NothingToRead:
                instrument.clear()
            while len(instrument.status.errors):
                error = instrument.status.errors.pop()
                assert error.code != -310, (header, words, error.detail)
        if isinstance(instrument, QDac2):
            assert instrument.record(2).largest_V <= 10.0
        if isinstance(unit := getattr(instrument, "unit", None), SourceMeasureUnit):
            assert abs(unit.output.point(clock.now).volts) <= 1.001 * unit.output.reach_V

    send_all()
