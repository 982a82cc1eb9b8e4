"""Numbers as a physicist writes them: SI prefixes, uncertainties, durations."""

import math

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
MISSING = "not measured"


def prefix_of(size: float) -> tuple[float, str]:
    """The power of a thousand that brings `size` between 1 and 1000, and its prefix."""
    if size == 0 or not math.isfinite(size):
        return 1.0, ""
    exponent = max(-15, min(12, 3 * math.floor(math.log10(abs(size)) / 3 + 1e-12)))
    return 10.0**exponent, _PREFIXES[exponent]


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """`value` with a prefix and so many significant digits: 3.42 nA."""
    if value is None or not math.isfinite(value):
        return MISSING
    if not unit:
        return significant(value, digits)
    scale, prefix = prefix_of(float(f"{value:.{digits - 1}e}"))
    return f"{significant(value / scale, digits)} {prefix}{unit}"


def significant(value: float, digits: int = 3) -> str:
    """A plain decimal number with so many significant digits; very large and small ones with an exponent."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if not -4 <= exponent <= 6:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa.replace('-', '−')} × 10{_superscript(int(power))}"
    decimals = max(0, digits - 1 - exponent)
    return f"{value:,.{decimals}f}".replace(",", " ").replace("-", "−")


def with_uncertainty(value: float | None, uncertainty: float | None, unit: str) -> str:
    """Value and standard uncertainty, both to the latter's second digit: (10.1312 ± 0.0021) MV/A."""
    if value is None or not math.isfinite(value):
        return MISSING
    if uncertainty is None or not math.isfinite(uncertainty) or uncertainty <= 0:
        return quantity(value, unit, 4)
    scale, prefix = prefix_of(max(abs(value), uncertainty)) if unit else (1.0, "")
    decimals = max(0, 1 - math.floor(math.log10(uncertainty / scale)))
    if decimals > 9:
        return quantity(value, unit, 4)
    text = f"{value / scale:.{decimals}f} ± {uncertainty / scale:.{decimals}f}".replace("-", "−")
    return f"({text}) {prefix}{unit}" if unit else text


def percent(value: float | None, digits: int = 3) -> str:
    """A share as per cent."""
    return MISSING if value is None or not math.isfinite(value) else f"{significant(100 * value, digits)} %"


def count(value: float | None) -> str:
    """A whole number in groups of three."""
    return MISSING if value is None else f"{int(value):,}".replace(",", " ")


def duration(seconds: float | None) -> str:
    """A time to read: 0.42 s, 12.3 s, 4 min 05 s, 2 h 07 min."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 59.95:
        return quantity(seconds, "s") if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _superscript(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
