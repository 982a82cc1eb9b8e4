"""What the sections share: a picture with its caption, a missing part, figures with their unit."""

from functools import partial

from hil.page.canvas import Drawing
from hil.page.markup import Markup, tag
from hil.page.numbers import quantity, significant

AMPERE = partial(quantity, unit="A")
VOLT = partial(quantity, unit="V")


def picture(drawn: Drawing, title: str, caption: object) -> Markup:
    """A figure with a title and a caption that says what one sees."""
    return tag(
        "figure",
        tag("img", src=drawn.data_uri(), alt=title, style=f"max-width:{drawn.width_px}px"),
        tag("figcaption", tag("b", f"{title}. "), caption),
    )


def beside(*parts: object) -> Markup:
    """Parts in columns, one below the other where the window is narrow."""
    return tag("div", *(tag("div", part) for part in parts), class_="columns")


def missing(text: str) -> Markup:
    """A sentence in the place of a part that does not exist yet."""
    return tag("p", text, class_="missing")


def plain_number(value: float | None) -> str:
    """A figure without a unit."""
    return "not known" if value is None else significant(value, 3)
