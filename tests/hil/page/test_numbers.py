import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.page.numbers import (
    MISSING,
    count,
    duration,
    percent,
    prefix_of,
    quantity,
    significant,
    with_uncertainty,
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.4234e-9, "A", "3.42 nA"),
        (-3.4234e-9, "A", "−3.42 nA"),
        (0.0, "A", "0 A"),
        (999.6, "Hz", "1.00 kHz"),
        (0.9996, "V", "1.00 V"),
        (1e-18, "A", "0.00100 fA"),
        (12.345, "", "12.3"),
        (None, "A", MISSING),
        (math.nan, "A", MISSING),
    ],
)
def test_quantities(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


@given(st.floats(1e-14, 1e14), st.sampled_from([1, -1]))
def test_a_quantity_reads_back_to_three_digits(size: float, sign: int) -> None:
    number, unit = quantity(sign * size, "A").replace("−", "-").replace("\u202f", "").rsplit(" ", 1)
    scale = {
        "f": 1e-15,
        "p": 1e-12,
        "n": 1e-9,
        "µ": 1e-6,
        "m": 1e-3,
        "": 1,
        "k": 1e3,
        "M": 1e6,
        "G": 1e9,
        "T": 1e12,
    }
    assert float(number.replace(" ", "")) * scale[unit[:-1]] == pytest.approx(sign * size, rel=5.1e-3)


@given(st.floats(1e-15, 1e14))
def test_a_prefix_leaves_one_to_a_thousand(size: float) -> None:
    scale, _ = prefix_of(size)
    assert 0.999 <= size / scale < 1000 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("value", "uncertainty", "unit", "text"),
    [
        (10.13124e6, 0.0058e6, "V/A", "(10.1312 ± 0.0058) MV/A"),
        (-57.0213e-3, 0.031e-3, "V", "(−57.021 ± 0.031) mV"),
        (1.0e-12, 2.0e-9, "A", "(0.0 ± 2.0) nA"),
        (2.5, 0.25, "", "2.50 ± 0.25"),
        (2.5, None, "V", "2.500 V"),
        (2.5, 0.0, "V", "2.500 V"),
        (None, 0.1, "V", MISSING),
    ],
)
def test_uncertainties(value: float | None, uncertainty: float | None, unit: str, text: str) -> None:
    assert with_uncertainty(value, uncertainty, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "420 ms"), (12.34, "12.3 s"), (59.97, "1 min 00 s"), (245.2, "4 min 05 s"), (7620, "2 h 07 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_large_small_and_grouped_numbers() -> None:
    assert significant(1.5e-7) == "1.50 × 10⁻⁷"
    assert significant(-2.5e9) == "−2.50 × 10⁹"
    assert significant(12345.6, 5) == "12 346"
    assert count(1234567) == "1 234 567"
    assert percent(0.9584) == "95.8 %"
    assert percent(None) == count(None) == duration(None) == MISSING
