"""The sections on a chip that was kept: its hours, and what brought it back."""

from functools import partial

from hil.page import figures_tuning
from hil.page.markup import Markup, badge, join, table, tag
from hil.page.metrics import Numbers
from hil.page.numbers import count, duration, significant
from hil.page.section import missing, picture
from hil.page.tuning_data import TuningReport

_figure = partial(significant, digits=4)


def watch(data: TuningReport, numbers: Numbers) -> Markup:
    """The hours of the chip."""
    if data.watch is None:
        return missing("The chip has not been watched yet.")
    found, name = data.watch, data.score_name if data.watch.watch == "score" else "loss"
    what = found.watch
    sentence: list[object] = [
        numbers(count, "watch", "looks"),
        " looks in ",
        numbers(lambda hours: duration(3600.0 * hours), "watch", "hours"),
        ": the ",
        name,
        " was ",
        numbers(_figure, "watch", f"first_{what}"),
        " at the start",
    ]
    if numbers.value("watch", f"held_{what}") is not None:
        sentence += [", and ", numbers(_figure, "watch", f"held_{what}"), " on the mean of the looks since"]
    if numbers.value("watch", f"alone_{what}") is not None:
        sentence += [
            ", where the parameters of the start alone would have had ",
            numbers(_figure, "watch", f"alone_{what}"),
            " (and ",
            numbers(_figure, "watch", f"last_alone_{what}"),
            " in the end, where it is ",
            numbers(_figure, "watch", f"last_held_{what}"),
            ")",
        ]
    spent: list[object] = [
        "It was out of its tolerance at ",
        numbers(count, "watch", "out"),
        " looks, and re-tuned ",
        numbers(count, "watch", "retunings"),
        " times. Looking took ",
        numbers(count, "watch", "look_readings"),
        " readings, re-tuning ",
        numbers(count, "watch", "retuning_readings"),
        "; the chip was driven for ",
        numbers(duration, "watch", "chip_time_s"),
        ". The comparison with the start's parameters took ",
        numbers(count, "watch", "compared_readings"),
        " readings besides.",
    ]
    return join(
        [
            tag("p", *sentence, "."),
            tag("p", *spent),
            picture(
                figures_tuning.hours(found, name),
                "The hours of the chip",
                "What each look read, with re-tunings as lines, beside what the parameters of the start read at the "
                "same time. A chip is re-tuned where it is beyond the tolerance, and has got worse beyond doubt: "
                "sample by sample against the start.",
            ),
        ]
    )


def rungs(data: TuningReport, numbers: Numbers) -> Markup:
    """What each rung of the ladder did, in all and each time."""
    if data.watch is None:
        return missing("The chip has not been watched yet.")
    if not data.watch.retunings:
        return tag("p", "The chip stayed within its tolerance: nothing had to be done.")
    found = numbers.value("watch", "rungs")
    summary = [
        [
            name,
            numbers(count, "watch", "rungs", name, "tried"),
            numbers(count, "watch", "rungs", name, "sufficed"),
            numbers(count, "watch", "rungs", name, "readings"),
            numbers(duration, "watch", "rungs", name, "chip_time_s"),
        ]
        for name in found
    ]
    verdicts = [v for v, judge in zip(data.watch.verdicts, data.watch.judges, strict=True) if judge]
    rows = [
        [
            duration(one.time_s),
            one.rung,
            count(one.readings),
            duration(one.chip_time_s),
            _figure(one.score_before),
            _figure(one.score_after),
            badge("within", "good") if verdict == "within" else badge(verdict, "open"),
            one.failed,
        ]
        for one, verdict in zip(data.watch.retunings, verdicts, strict=True)
    ]
    name = data.score_name
    return join(
        [
            table(["rung", "tried", "sufficed", "readings", "on the chip"], summary),
            tag("h3", "Each re-tuning"),
            table(
                ["at", "rung", "readings", "on the chip", f"{name} before", "after", "verdict", ""],
                rows,
                "wide",
            ),
        ]
    )
