"""The page of a dopant network: a header with the verdict, then a section for each part of the session."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hil.page.data import ReportData
from hil.page.document import Part, card, document, write_whole
from hil.page.markup import Markup, badge, join
from hil.page.metrics import Numbers, metrics
from hil.page.numbers import count, duration, significant
from hil.page.section import AMPERE
from hil.page.section_device import amplifier, drift
from hil.page.section_run import acceptance, run
from hil.page.section_sampling import sampling
from hil.page.section_surrogate import surrogate
from hil.page.section_tasks import tasks


def render(data: ReportData) -> str:
    """The report as one HTML document; parts of the run that do not exist yet are named as missing."""
    numbers = Numbers(metrics(data))
    parts = [Part(anchor, title, partial(build, data, numbers)) for anchor, title, build in _sections()]
    return document(data, _badges(data, numbers), _cards(data, numbers), parts)


def write_report(data: ReportData, path: Path) -> None:
    """Write the report to `path`, whole or not at all; OSError where it cannot be written."""
    write_whole(render(data), path)


def _sections() -> list[tuple[str, str, Callable[[ReportData, Numbers], Markup]]]:
    return [
        ("acceptance", "Acceptance", acceptance),
        ("tasks", "Tasks on the device", tasks),
        ("surrogate", "Surrogate", surrogate),
        ("sampling", "Sampling", sampling),
        ("drift", "Repeatability and drift", drift),
        ("amplifier", "Amplifier", amplifier),
        ("run", "The run", run),
    ]


def _badges(data: ReportData, numbers: Numbers) -> list[Markup]:
    if not data.tasks:
        return []
    passed, verified = numbers.value("tasks_passed"), numbers.value("tasks_verified")
    if not verified:
        return [badge("tasks not verified yet", "open")]
    good = "good" if passed == verified else "bad"
    return [badge(f"{passed} of {verified} tasks pass on the device", good)]


def _cards(data: ReportData, numbers: Numbers) -> list[Markup]:
    cards = []
    if data.surrogate is not None:
        floor = "repeatability not measured"
        beside: object = floor
        if data.repeatability is not None:
            beside = join(["beside a repeatability of ", numbers(AMPERE, "surrogate", "repeatability_A")])
        cards.append(card("Surrogate RMSE", numbers(AMPERE, "surrogate", "rmse_A"), beside))
    elif data.repeatability is not None:
        cards.append(
            card(
                "Repeatability",
                numbers(AMPERE, "repeatability", "repeatability_A"),
                join(["with drift ", numbers(AMPERE, "repeatability", "with_drift_A")]),
            )
        )
    ratios = [
        (t.margin_over_noise, t.name) for t in data.tasks if t.passed and t.margin_over_noise is not None
    ]
    if ratios:
        _, name = min(ratios)
        cards.append(
            card(
                "Smallest passing margin",
                numbers(AMPERE, "tasks", name, "margin_A"),
                join([name, ", ", numbers(_times, "tasks", name, "margin_over_noise"), " the noise"]),
            )
        )
    if data.sampling is not None:
        cards.append(
            card(
                "Useful samples",
                numbers(count, "sampling", "useful_samples"),
                join([numbers(duration, "sampling", "chip_time_s"), " on the chip"])
                if data.sampling.chip_time_s is not None
                else "",
            )
        )
    if numbers.value("run", "duration_s") is not None:
        cards.append(card("Duration", numbers(duration, "run", "duration_s"), "all steps together"))
    return cards


def _times(value: float | None) -> str:
    return "not known" if value is None else f"{significant(value, 3)} ×"
