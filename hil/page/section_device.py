"""The sections on the device itself: the amplifier's calibration, repeatability and drift."""

from functools import partial

from hil.page import figures_drift
from hil.page.data import ReportData
from hil.page.markup import Markup, facts, join, tag
from hil.page.metrics import Numbers
from hil.page.numbers import count, percent, quantity, with_uncertainty
from hil.page.section import AMPERE, VOLT, beside, missing, picture


def amplifier(data: ReportData, numbers: Numbers) -> Markup:
    """Gain and offset of the amplifier stage with their uncertainty."""
    measured = data.amplifier
    if measured is None:
        return missing("The amplifier has not been calibrated in this run.")
    ohms = partial(with_uncertainty, unit="V/A")
    rows: dict[str, object] = {
        "gain": numbers.pair(ohms, ("amplifier", "gain_V_per_A"), "gain_uncertainty_V_per_A"),
        "offset": join(
            [
                numbers.pair(
                    partial(with_uncertainty, unit="V"), ("amplifier", "offset_V"), "offset_uncertainty_V"
                ),
                ", that is ",
                numbers(AMPERE, "amplifier", "offset_A"),
                " at the input",
            ]
        ),
    }
    if measured.nominal_gain_V_per_A is not None:
        rows["beside the nominal gain"] = join(
            [
                numbers(partial(quantity, unit="V/A"), "amplifier", "nominal_gain_V_per_A"),
                ", measured ",
                numbers(_signed_percent, "amplifier", "gain_from_nominal"),
                " from it",
            ]
        )
    parts: list[object] = [
        tag("p", "All currents on this page are readings divided by the measured gain, offset removed."),
        facts(rows),
    ]
    if measured.applied_A is not None and measured.reading_V is not None and len(measured.applied_A):
        parts.append(
            picture(
                figures_drift.amplifier(measured, measured.applied_A, measured.reading_V),
                "Calibration of the amplifier stage",
                join(
                    [
                        "Left: readings at known currents, all electrodes at rest, and the fitted "
                        "line. Right: what "
                        "the line leaves, ",
                        numbers(VOLT, "amplifier", "residual_rms_V"),
                        " RMS; a bend here would be a stage that is not linear.",
                    ]
                ),
            )
        )
    return join(parts)


def drift(data: ReportData, numbers: Numbers) -> Markup:
    """Repeatability, drift of gain, offset and shape, and the noise against output."""
    found = data.repeatability
    if found is None:
        return missing("Repeatability is not known: fewer than two reference batches were read.")
    at = "repeatability"
    rows: dict[str, object] = {
        "reference batches": numbers(count, at, "repeats"),
        "repeatability": join([numbers(AMPERE, at, "repeatability_A"), ", gain and offset drift removed"]),
        "with drift": numbers(AMPERE, at, "with_drift_A"),
        "between neighbouring references": numbers(AMPERE, at, "short_term_A"),
        "gain drift": join(
            [
                numbers.pair(_rate_percent, (at, "gain_rate_per_hour"), "gain_rate_uncertainty_per_hour"),
                "; range ",
                numbers(percent, at, "gain_range"),
            ]
        ),
        "offset drift": join(
            [
                numbers.pair(
                    partial(with_uncertainty, unit="A/h"),
                    (at, "offset_rate_A_per_hour"),
                    "offset_rate_uncertainty_A_per_hour",
                ),
                "; range ",
                numbers(AMPERE, at, "offset_range_A"),
            ]
        ),
        "noise model": join(
            [
                "σ(I) = a |I| + b with a = ",
                numbers.pair(_share, (at, "noise_a"), "noise_a_uncertainty"),
                " and b = ",
                numbers.pair(partial(with_uncertainty, unit="A"), (at, "noise_b_A"), "noise_b_uncertainty_A"),
            ]
        ),
    }
    return join(
        [
            beside(
                facts(rows),
                picture(
                    figures_drift.noise(found),
                    "Noise against output",
                    "Standard deviation between repeats in bins of equally many samples (blue) and "
                    "the fitted "
                    "model (orange): the floor for anything that predicts this chip.",
                ),
            ),
            picture(
                figures_drift.drift(found),
                "Drift through the run",
                "The same stimulus, repeated. Gain and offset are those of the line that takes the "
                "mean of all "
                "repeats into each one; the residual is what is left. A residual well above the short-term "
                "repeatability means that the shape of the response has changed.",
            ),
        ]
    )


def _signed_percent(value: float | None) -> str:
    return "" if value is None else f"{'+' if value > 0 else ''}{percent(value)}"


def _rate_percent(value: float, uncertainty: float) -> str:
    return with_uncertainty(100 * value, 100 * uncertainty, "").join(("(", ") %/h"))


def _share(value: float, uncertainty: float) -> str:
    return with_uncertainty(100 * value, 100 * uncertainty, "").join(("(", ") %"))
