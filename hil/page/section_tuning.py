"""The sections on what methods made of a chip: score against readings, the methods in a table, a recommendation."""

from functools import partial

from hil.page import figures_tuning
from hil.page.markup import Markup, join, table, tag
from hil.page.metrics import Numbers
from hil.page.numbers import count, duration, significant, with_uncertainty
from hil.page.section import missing, picture
from hil.page.tuning_curves import by_method
from hil.page.tuning_data import TuningReport

_figure = partial(significant, digits=4)


def recommendation(data: TuningReport, numbers: Numbers) -> Markup:
    """The method to take, in a sentence."""
    if not data.runs:
        return missing("No method has been run yet.")
    reason = str(numbers.value("recommended", "reason"))
    alone = min(len(one.runs) for one in by_method(data.runs)) == 1
    caution = (
        "With one seed of a method the spread between runs is not known; two or more would tell what is chance."
        if alone
        else f"By the {data.score_name} on the probe set; the noise is two standard errors of the best mean."
    )
    return join([tag("p", reason, "."), tag("p", caution)])


def accuracy(data: TuningReport, numbers: Numbers) -> Markup:
    """Score and loss against readings."""
    if not data.runs:
        return missing("No method has been run yet.")
    methods = by_method(data.runs)
    return join(
        [
            picture(
                figures_tuning.against_readings(methods, "score", data.score_name, data.wanted_score),
                f"{data.score_name.capitalize()} against readings",
                "Of the best parameters so far on the probe set, as each method's checks found it: the mean over its "
                "seeds, and a band of one standard deviation. Readings count everything that the device was asked "
                "for, checks included.",
            ),
            picture(
                figures_tuning.against_readings(methods, "loss", "loss"),
                "Loss against readings",
                "The same for the loss, which is what methods lower and what is accepted on.",
            ),
        ]
    )


def methods(data: TuningReport, numbers: Numbers) -> Markup:
    """Every method in a row."""
    if not data.runs:
        return missing("No method has been run yet.")
    rows = []
    for one in by_method(data.runs):

        def both(what: str, method: str = one.method) -> Markup | str:
            if numbers.value("methods", method, what) is None:
                return "not read"
            spread = f"{what}_spread"
            form = partial(with_uncertainty, unit="")
            if numbers.value("methods", method, spread) is None:
                return numbers(_figure, "methods", method, what)
            return numbers.pair(form, ("methods", method, what), spread)

        needed = numbers.value("methods", one.method, "readings_to_good_enough")
        checks = [
            numbers(count, "methods", one.method, key)
            for key in ("accepted", "rolled_back", "drifted", "checks")
        ]
        rows.append(
            [
                one.method,
                numbers(count, "methods", one.method, "seeds"),
                numbers(count, "methods", one.method, "readings"),
                both("start_loss"),
                both("best_loss"),
                both("start_score"),
                both("best_score"),
                both("test_score"),
                "not reached"
                if needed is None
                else numbers(count, "methods", one.method, "readings_to_good_enough"),
                join([checks[0], " / ", checks[1], " / ", checks[2], " of ", checks[3]]),
                _time(numbers, one.method, "seconds"),
                _time(numbers, one.method, "chip_time_s"),
            ]
        )
    name = data.score_name
    head = [
        "method",
        "seeds",
        "readings",
        "loss, start",
        "best",
        f"{name}, start",
        "best",
        "on test examples",
        "readings to be within noise of the best",
        "accepted / rolled back / drifted",
        "time",
        "on the chip",
    ]
    return join(
        [
            table(head, rows, "wide"),
            tag(
                "p",
                "Means over the seeds; ± is one standard deviation between seeds. Times are for one seed.",
            ),
        ]
    )


def _time(numbers: Numbers, method: str, what: str) -> Markup | str:
    return (
        "" if numbers.value("methods", method, what) is None else numbers(duration, "methods", method, what)
    )
