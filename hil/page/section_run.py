"""The sections of every report: what was asked for, and the run itself."""

from functools import partial

from hil.page.data import Criterion, Page, Run
from hil.page.document import STATUS, moment
from hil.page.markup import Markup, badge, escape, facts, join, table, tag
from hil.page.metrics import Numbers
from hil.page.numbers import duration, quantity, significant
from hil.page.section import missing


def acceptance(data: Page, numbers: Numbers) -> Markup:
    """Every criterion with what was measured."""
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
    return significant(value, 6) if not line.unit and 0.99 < value < 1 else quantity(value, line.unit)


def _outcome(passed: bool | None) -> Markup:
    if passed is None:
        return badge("not measured", "open")
    return badge("met", "good") if passed else badge("missed", "bad")


def run(data: Page, numbers: Numbers) -> Markup:
    """Steps, warnings, instruments, versions and origin."""
    shown = data.run
    parts: list[object] = [_steps(shown, numbers)]
    parts.append(tag("h3", "Warnings, failures and interruptions"))
    if shown.events:
        rows = [
            [
                moment(event.time_utc),
                badge(event.kind, "bad" if event.kind == "failure" else "open"),
                event.message,
            ]
            for event in shown.events
        ]
        parts.append(table(["UTC", "kind", "what"], rows, "wide"))
    else:
        parts.append(tag("p", "None."))
    columns = [
        join(
            [
                tag("h3", "Instruments and chip"),
                facts(shown.identities) if shown.identities else missing("No instrument was connected."),
            ]
        ),
        join([tag("h3", "Versions"), facts(shown.versions) if shown.versions else missing("Not recorded.")]),
    ]
    parts.append(tag("div", *(tag("div", column) for column in columns), class_="columns"))
    parts.append(tag("h3", "Origin"))
    origin: dict[str, object] = {"folder": tag("code", shown.folder), "seed": numbers(str, "run", "seed")}
    origin.update({f"{name} (SHA-256)": tag("code", digest) for name, digest in shown.files.items()})
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
                badge(step.status, STATUS.get(step.status, "open")),
                numbers(duration, "run", "steps", step.name, "duration_s")
                if step.duration_s is not None
                else "",
                bar,
                numbers(str, "run", "steps", step.name, "attempts"),
                escape(note),
            ]
        )
    return table(["step", "status", "time", "", "attempts", "reason"], rows, "wide")
