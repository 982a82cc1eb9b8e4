"""What every report is: one HTML document with a header, a verdict and sections, that needs nothing else."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hil.page.data import Page, Verdict
from hil.page.markup import Markup, badge, join, tag

_VERDICTS: dict[Verdict, tuple[str, str]] = {
    "accepted": ("accepted", "good"),
    "missed": ("acceptance missed", "bad"),
    "failed": ("a step failed", "bad"),
    "incomplete": ("not complete", "open"),
}
STATUS = {"done": "good", "failed": "bad", "interrupted": "bad"}
"""How the badge of a step is coloured."""
# The page may show its own pictures and styles and load nothing, whatever text found its way in.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Part:
    """A section of a page: where links go, its title, and what makes its content."""

    anchor: str
    title: str
    build: Callable[[], Markup]


def document(page: Page, badges: Sequence[Markup], cards: Sequence[Markup], parts: Sequence[Part]) -> str:
    """One HTML document that needs no other file, no network and no script; the same data give the same text.

    The verdict and the steps that did not end well come before and after the `badges`.
    """
    style = files("hil.page").joinpath("style.css").read_text(encoding="utf-8")
    body = [
        _header(page, badges, cards),
        tag("nav", *(tag("a", part.title, href=f"#{part.anchor}") for part in parts)),
    ]
    body += [tag("section", tag("h2", part.title), part.build(), id=part.anchor) for part in parts]
    head = join(
        [
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            tag("title", f"{page.run.name}: calibration report"),
            tag("style", Markup(style)),
        ]
    )
    footer = tag(
        "footer", "Every figure on this page is in metrics.json beside it. Uncertainties are standard."
    )
    text = tag("html", tag("head", head), tag("body", *body, footer), lang="en")
    return f"<!DOCTYPE html>\n{text}\n"


def _header(page: Page, badges: Sequence[Markup], cards: Sequence[Markup]) -> Markup:
    text, kind = _VERDICTS[page.verdict]
    run = page.run
    what = f"{run.chip}, " if run.chip else ""
    steps = [
        badge(f"{step.name}: {step.status}", STATUS.get(step.status, "open"))
        for step in run.steps
        if step.status not in {"done", "pending"} and step.name != "report"
    ]
    return tag(
        "header",
        tag("p", "Calibration report", class_="kind"),
        tag("h1", run.name),
        tag("p", f"{what}begun {moment(run.created_utc)} UTC", class_="lead"),
        tag("div", badge(text, kind), *badges, *steps, class_="badges"),
        tag("div", *cards, class_="cards"),
    )


def card(name: str, value: object, beside: object) -> Markup:
    """One figure of the header, with what it is beside."""
    return tag(
        "div",
        tag("div", name, class_="name"),
        tag("div", value, class_="value"),
        tag("div", beside, class_="beside"),
        class_="card",
    )


def moment(iso: str) -> str:
    """A time of the run store as it is read."""
    return iso[:19].replace("T", " ")


def write_whole(text: str, path: Path) -> None:
    """Write a page to `path`, whole or not at all; OSError where it cannot be written."""
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
