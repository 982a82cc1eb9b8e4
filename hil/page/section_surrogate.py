"""The section on the surrogate: its error on unseen batches beside the chip's own repeatability."""

import numpy as np

from hil.page import figures_surrogate
from hil.page.data import ReportData, Surrogate
from hil.page.markup import Markup, facts, join, tag
from hil.page.metrics import Numbers
from hil.page.numbers import count, duration
from hil.page.section import AMPERE, VOLT, beside, missing, picture, plain_number


def surrogate(data: ReportData, numbers: Numbers) -> Markup:
    """The surrogate's error on unseen batches, its training, and where it errs."""
    surrogate = data.surrogate
    if surrogate is None:
        return missing("No surrogate has been fitted yet.")
    at = "surrogate"
    rows: dict[str, object] = {
        "RMSE on unseen batches": tag("b", numbers(AMPERE, at, "rmse_A")),
        "judged on": join(
            [numbers(count, at, "samples"), " samples of ", numbers(count, at, "batches"), " batches"]
        ),
    }
    if data.repeatability is not None:
        rows["repeatability of the chip"] = join(
            [
                numbers(AMPERE, at, "repeatability_A"),
                ", the RMSE is ",
                numbers(plain_number, at, "over_repeatability"),
                " times that; with drift ",
                numbers(AMPERE, at, "with_drift_A"),
            ]
        )
    if surrogate.bias_A is not None:
        rows["bias"] = numbers(AMPERE, at, "bias_A")
    if surrogate.largest_error_A is not None:
        rows["largest error"] = numbers(AMPERE, at, "largest_error_A")
    if surrogate.worst_region is not None:
        rows["worst region"] = _region(numbers)
    if surrogate.description:
        rows["network"] = surrogate.description
    if surrogate.parameters is not None:
        rows["parameters"] = numbers(count, at, "parameters")
    if surrogate.duration_s is not None:
        rows["trained in"] = numbers(duration, at, "duration_s")
    if surrogate.samples_per_s is not None:
        rows["samples trained a second"] = numbers(count, at, "samples_per_s")
    return join([beside(facts(rows), *_training(data, surrogate, numbers)), *_errors(data, surrogate)])


def _region(numbers: Numbers) -> Markup:
    at = ("surrogate", "worst_region")
    sides: list[object] = []
    for i, name in enumerate(numbers.value(*at, "electrodes")):
        sides += [
            " and " if i else "",
            name,
            " from ",
            numbers(VOLT, *at, "low_V", i),
            " to ",
            numbers(VOLT, *at, "high_V", i),
        ]
    return join(
        [*sides, ": ", numbers(AMPERE, *at, "rmse_A"), " over ", numbers(count, *at, "samples"), " samples"]
    )


def _training(data: ReportData, surrogate: Surrogate, numbers: Numbers) -> list[Markup]:
    floor_A = None if data.repeatability is None else data.repeatability.repeatability_A
    drawn = []
    if surrogate.validation_rmse_A is not None and len(surrogate.validation_rmse_A):
        kept: list[object] = []
        if surrogate.best_epoch is not None:
            kept = [" The weights of epoch ", numbers(str, "surrogate", "best_epoch"), " are kept (star)."]
        drawn.append(
            picture(
                figures_surrogate.training_curve(surrogate, surrogate.validation_rmse_A, floor_A),
                "Training curve",
                join(
                    [
                        "Error on batches that are not trained on, after each epoch. Below the repeatability "
                        "(green) there is nothing to learn.",
                        *kept,
                    ]
                ),
            )
        )
    return drawn


def _errors(data: ReportData, surrogate: Surrogate) -> list[Markup]:
    floor = data.repeatability
    drawn: list[Markup] = []
    measured, predicted = surrogate.measured_A, surrogate.predicted_A
    if measured is None or predicted is None or not len(measured):
        return drawn
    drawn.append(
        picture(
            figures_surrogate.errors(measured, predicted, floor),
            "Predictions on unseen batches",
            "Left: a perfect surrogate lies on the grey line. Right: the errors (blue; the outermost "
            "bins hold "
            "all beyond them) beside the errors of a perfect surrogate of this noisy chip (orange).",
        )
    )
    pair = [
        picture(
            figures_surrogate.error_by_output(measured, predicted, floor),
            "Error against output",
            "RMSE and bias in bins of equally many samples; the orange area is the noise between "
            "repeats of the "
            "same stimulus. Where the blue line touches it, the surrogate is as good as the chip allows.",
        )
    ]
    region, inputs = surrogate.worst_region, surrogate.inputs_V
    if region is not None and inputs is not None and set(region.electrodes) <= set(surrogate.electrodes):
        columns = [surrogate.electrodes.index(name) for name in region.electrodes]
        pair.append(
            picture(
                figures_surrogate.error_map(
                    region.electrodes,
                    inputs[:, columns],
                    predicted - measured,
                    (np.array(region.low_V), np.array(region.high_V)),
                ),
                "Where the surrogate errs most",
                f"RMSE over the plane of {region.electrodes[0]} and {region.electrodes[1]}; the worst "
                "region of "
                "all pairs of electrodes is outlined. White cells hold too few samples.",
            )
        )
    return [*drawn, beside(*pair)]
