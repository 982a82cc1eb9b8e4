"""The page of a tuning, or of a chip that was kept: a header with the verdict, then its sections."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hil.page.document import Part, card, document, write_whole
from hil.page.markup import Markup, badge, join
from hil.page.metrics import Numbers
from hil.page.numbers import count, significant
from hil.page.section_run import acceptance, run
from hil.page.section_tuning import accuracy, methods, recommendation
from hil.page.section_watch import rungs, watch
from hil.page.tuning_data import TuningReport
from hil.page.tuning_metrics import tuning_metrics

_figure = partial(significant, digits=4)


def render(data: TuningReport) -> str:
    """The report as one HTML document; parts of the run that do not exist yet are named as missing."""
    numbers = Numbers(tuning_metrics(data))
    parts = [Part(anchor, title, partial(build, data, numbers)) for anchor, title, build in _sections(data)]
    return document(data, _badges(data), _cards(data, numbers), parts)


def write_tuning_report(data: TuningReport, path: Path) -> None:
    """Write the report to `path`, whole or not at all; OSError where it cannot be written."""
    write_whole(render(data), path)


def _sections(data: TuningReport) -> list[tuple[str, str, Callable[[TuningReport, Numbers], Markup]]]:
    found: list[tuple[str, str, Callable[[TuningReport, Numbers], Markup]]] = [
        ("acceptance", "Acceptance", acceptance)
    ]
    if data.watch is not None:
        found += [("watch", "Kept", watch), ("rungs", "Re-tunings", rungs)]
    if data.runs or data.watch is None:
        found += [
            ("recommendation", "Recommendation", recommendation),
            ("accuracy", f"{data.score_name.capitalize()} against readings", accuracy),
            ("methods", "Methods", methods),
        ]
    return [*found, ("run", "The run", run)]


def _badges(data: TuningReport) -> list[Markup]:
    return [badge(data.task, "plain")] if data.task else []


def _cards(data: TuningReport, numbers: Numbers) -> list[Markup]:
    cards, name = [], data.score_name
    if data.runs:
        chosen = numbers.value("recommended", "method")
        if chosen is not None:
            beside = join([chosen, ", from ", numbers(_figure, "methods", chosen, "start_score")])
            cards.append(
                card(
                    f"{name.capitalize()} reached", numbers(_figure, "methods", chosen, "best_score"), beside
                )
            )
        cards.append(
            card(
                "Methods",
                numbers(count, "compared", "methods"),
                join([numbers(count, "compared", "runs"), " runs"]),
            )
        )
    if data.watch is not None:
        what = data.watch.watch
        cards.append(
            card(
                f"{(name if what == 'score' else 'loss').capitalize()} in the end",
                numbers(_figure, "watch", f"last_held_{what}"),
                join([numbers(_figure, "watch", f"first_{what}"), " at the start"]),
            )
        )
        if numbers.value("watch", f"last_alone_{what}") is not None:
            cards.append(
                card("Left alone", numbers(_figure, "watch", f"last_alone_{what}"), "at the same time")
            )
        cards += [
            card(
                "Re-tunings",
                numbers(count, "watch", "retunings"),
                join([numbers(count, "watch", "looks"), " looks"]),
            ),
            card("Readings", numbers(count, "watch", "readings"), "looks and re-tunings"),
        ]
    return cards
