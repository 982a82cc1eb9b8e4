"""HTML from Python values: what is not markup already is escaped."""

import html
from collections.abc import Iterable, Mapping
from typing import Any


class Markup(str):
    """Text that is HTML already; only `tag`, `join` and this module's other functions make it."""

    __slots__ = ()


def escape(value: object) -> Markup:
    """`value` as HTML text; markup stays as it is."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def join(parts: Iterable[object]) -> Markup:
    """Several pieces after one another, None left out."""
    return Markup("".join(escape(part) for part in parts if part is not None))


def tag(name: str, /, *children: object, **attributes: Any) -> Markup:
    """An element; an attribute's trailing underscore is dropped (`class_`), one that is None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in {"img", "meta", "br", "hr"}:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def table(head: Iterable[object], rows: Iterable[Iterable[object]], class_: str = "") -> Markup:
    """A table with a head; the first cell of each row is its heading."""
    body = []
    for row in rows:
        first, *rest = row
        body.append(tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest)))
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head))),
            tag("tbody", *body),
        ),
        class_=f"scroll {class_}".strip(),
    )


def facts(rows: Mapping[str, object]) -> Markup:
    """Names and values in two columns, as a description list."""
    return tag(
        "dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in rows.items()), class_="facts"
    )


def badge(text: object, kind: str) -> Markup:
    """A short verdict; `kind` (good, bad, open, plain) colours it, but the text alone must say it too."""
    return tag("span", text, class_=f"badge {kind}")
