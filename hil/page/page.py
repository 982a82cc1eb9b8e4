"""The page: a header with the verdict, then a section for each part of the session."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path

from hil.page.data import Criterion, ReportData, Run, Verdict
from hil.page.markup import Markup, badge, escape, facts, join, table, tag
from hil.page.metrics import Numbers, metrics
from hil.page.numbers import count, duration, quantity, significant
from hil.page.section import AMPERE, missing
from hil.page.section_device import amplifier, drift
from hil.page.section_sampling import sampling
from hil.page.section_surrogate import surrogate
from hil.page.section_tasks import tasks

_VERDICTS: dict[Verdict, tuple[str, str]] = {
    "accepted": ("accepted", "good"),
    "missed": ("acceptance missed", "bad"),
    "failed": ("a step failed", "bad"),
    "incomplete": ("not complete", "open"),
}
_STATUS = {"done": "good", "failed": "bad", "interrupted": "bad"}
# The page may show its own pictures and styles and load nothing, whatever text found its way in.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render(data: ReportData) -> str:
    """The report as one HTML document that needs no other file, no network and no script.

    The same data give the same text. Parts of the run that do not exist yet are named as missing.
    """
    numbers = Numbers(metrics(data))
    style = files("hil.page").joinpath("style.css").read_text(encoding="utf-8")
    body = [
        _header(data, numbers),
        tag("nav", *(tag("a", title, href=f"#{anchor}") for anchor, title, _ in _sections())),
    ]
    body += [
        tag("section", tag("h2", title), build(data, numbers), id=anchor)
        for anchor, title, build in _sections()
    ]
    head = join(
        [
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            tag("title", f"{data.run.name}: calibration report"),
            tag("style", Markup(style)),
        ]
    )
    footer = tag(
        "footer", "Every figure on this page is in metrics.json beside it. Uncertainties are standard."
    )
    page = tag("html", tag("head", head), tag("body", *body, footer), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def write_report(data: ReportData, path: Path) -> None:
    """Write the report to `path`, whole or not at all; OSError where it cannot be written."""
    text = render(data)
    descriptor, partial_name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(partial_name, 0o644)
        os.replace(partial_name, path)
    except BaseException:
        Path(partial_name).unlink(missing_ok=True)
        raise


def _sections() -> list[tuple[str, str, Callable[[ReportData, Numbers], Markup]]]:
    return [
        ("acceptance", "Acceptance", _acceptance),
        ("tasks", "Tasks on the device", tasks),
        ("surrogate", "Surrogate", surrogate),
        ("sampling", "Sampling", sampling),
        ("drift", "Repeatability and drift", drift),
        ("amplifier", "Amplifier", amplifier),
        ("run", "The run", _run),
    ]


def _header(data: ReportData, numbers: Numbers) -> Markup:
    text, kind = _VERDICTS[data.verdict]
    run = data.run
    what = f"{run.chip}, " if run.chip else ""
    badges = [badge(text, kind)]
    if data.tasks:
        passed, verified = numbers.value("tasks_passed"), numbers.value("tasks_verified")
        if verified:
            badges.append(
                badge(
                    f"{passed} of {verified} tasks pass on the device",
                    "good" if passed == verified else "bad",
                )
            )
        else:
            badges.append(badge("tasks not verified yet", "open"))
    badges += [
        badge(f"{step.name}: {step.status}", _STATUS.get(step.status, "open"))
        for step in run.steps
        if step.status not in {"done", "pending"} and step.name != "report"
    ]
    return tag(
        "header",
        tag("p", "Calibration report", class_="kind"),
        tag("h1", run.name),
        tag("p", f"{what}begun {_moment(run.created_utc)} UTC", class_="lead"),
        tag("div", *badges, class_="badges"),
        tag("div", *_cards(data, numbers), class_="cards"),
    )


def _cards(data: ReportData, numbers: Numbers) -> list[Markup]:
    cards = []
    if data.surrogate is not None:
        floor = "repeatability not measured"
        beside: object = floor
        if data.repeatability is not None:
            beside = join(["beside a repeatability of ", numbers(AMPERE, "surrogate", "repeatability_A")])
        cards.append(_card("Surrogate RMSE", numbers(AMPERE, "surrogate", "rmse_A"), beside))
    elif data.repeatability is not None:
        cards.append(
            _card(
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
            _card(
                "Smallest passing margin",
                numbers(AMPERE, "tasks", name, "margin_A"),
                join([name, ", ", numbers(_times, "tasks", name, "margin_over_noise"), " the noise"]),
            )
        )
    if data.sampling is not None:
        cards.append(
            _card(
                "Useful samples",
                numbers(count, "sampling", "useful_samples"),
                join([numbers(duration, "sampling", "chip_time_s"), " on the chip"])
                if data.sampling.chip_time_s is not None
                else "",
            )
        )
    if numbers.value("run", "duration_s") is not None:
        cards.append(_card("Duration", numbers(duration, "run", "duration_s"), "all steps together"))
    return cards


def _times(value: float | None) -> str:
    return "not known" if value is None else f"{significant(value, 3)} ×"


def _card(name: str, value: object, beside: object) -> Markup:
    return tag(
        "div",
        tag("div", name, class_="name"),
        tag("div", value, class_="value"),
        tag("div", beside, class_="beside"),
        class_="card",
    )


def _acceptance(data: ReportData, numbers: Numbers) -> Markup:
    if not data.acceptance:
        return tag(
            "p",
            "The experiment file states no acceptance, so nothing was accepted or missed.",
            class_="missing",
        )
    rows = []
    for i, line in enumerate(data.acceptance):
        form = partial(_in_unit, line)
        rows.append(
            [
                line.what,
                numbers(form, "acceptance", i, "measured"),
                join([f"{line.sense} ", numbers(form, "acceptance", i, "limit")]),
                _outcome(line.passed),
            ]
        )
    return table(["criterion", "measured", "asked for", "verdict"], rows, "wide")


def _in_unit(line: Criterion, value: float | None) -> str:
    if value is None:
        return "not measured" if line.passed is None else "no solution"
    if line.unit == "%":
        return f"{significant(100 * value, 4)} %"
    return quantity(value, line.unit)


def _outcome(passed: bool | None) -> Markup:
    if passed is None:
        return badge("not measured", "open")
    return badge("met", "good") if passed else badge("missed", "bad")


def _run(data: ReportData, numbers: Numbers) -> Markup:
    run = data.run
    parts: list[object] = [_steps(run, numbers)]
    parts.append(tag("h3", "Warnings, failures and interruptions"))
    if run.events:
        rows = [
            [
                _moment(event.time_utc),
                badge(event.kind, "bad" if event.kind == "failure" else "open"),
                event.message,
            ]
            for event in run.events
        ]
        parts.append(table(["UTC", "kind", "what"], rows, "wide"))
    else:
        parts.append(tag("p", "None."))
    columns = [
        join(
            [
                tag("h3", "Instruments and chip"),
                facts(run.identities) if run.identities else missing("No instrument was connected."),
            ]
        ),
        join([tag("h3", "Versions"), facts(run.versions) if run.versions else missing("Not recorded.")]),
    ]
    parts.append(tag("div", *(tag("div", column) for column in columns), class_="columns"))
    parts.append(tag("h3", "Origin"))
    origin: dict[str, object] = {"folder": tag("code", run.folder), "seed": numbers(str, "run", "seed")}
    origin.update({f"{name} (SHA-256)": tag("code", digest) for name, digest in run.files.items()})
    parts.append(facts(origin))
    return join(parts)


def _steps(run: Run, numbers: Numbers) -> Markup:
    if not run.steps:
        return missing("No step was begun.")
    longest = max((step.duration_s or 0.0 for step in run.steps), default=0.0)
    rows = []
    for step in run.steps:
        width = 160 * (step.duration_s or 0.0) / longest if longest else 0
        bar = tag("span", class_="bar", style=f"width:{max(1, round(width))}px") if step.duration_s else ""
        note = step.reason or ""
        if step.exit_status:
            note += f" (exit status {step.exit_status})"
        rows.append(
            [
                step.name,
                badge(step.status, _STATUS.get(step.status, "open")),
                numbers(duration, "run", "steps", step.name, "duration_s")
                if step.duration_s is not None
                else "",
                bar,
                numbers(str, "run", "steps", step.name, "attempts"),
                escape(note),
            ]
        )
    return table(["step", "status", "time", "", "attempts", "reason"], rows, "wide")


def _moment(iso: str) -> str:
    return iso[:19].replace("T", " ")
