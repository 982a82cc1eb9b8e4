import numpy as np
import pytest

from simulators.clock import VirtualClock
from simulators.instruments.catalogue import covered_headers, make_instrument, models

SCPI = [model for model in models() if covered_headers(model)]


@pytest.mark.parametrize("model", SCPI)
def test_every_header_that_is_listed_is_understood(model):
    instrument = make_instrument(model, VirtualClock(), "1", np.random.default_rng(0), 0.0)
    headers = covered_headers(model)
    assert len(headers) == len(set(headers)) > 60
    for header in headers:
        plain = header.replace("[", "").replace("]", "").replace("#", "1").replace("::", ":").lstrip(":")
        instrument.clear()
        instrument.write(plain.encode() + b"\n")
        errors = [instrument.status.errors.pop() for _ in range(len(instrument.status.errors))]
        assert not [error for error in errors if error.code in (-113, -114, -310)], header


def test_headers_are_those_of_the_manuals():
    assert {"[SOURce#]:LIST:VOLTage", "[SOURce#]:DC:INITiate:CONTinuous?", "TINTernal", "*IDN?"} <= set(
        covered_headers("qdac2")
    )
    assert {"FETCh?", "SAMPle:TIMer", "[SENSe]:VOLTage[:DC]:APERture?"} <= set(
        covered_headers("keysight_34465a")
    )
