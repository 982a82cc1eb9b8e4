from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from hil.page.markup import Markup, facts, join, table, tag

NASTY = "<script>alert('x')</script>&\""


class Seen(HTMLParser):
    """What a browser would make of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_is_escaped_wherever_it_stands() -> None:
    for made in (
        tag("p", NASTY),
        join([NASTY]),
        table([NASTY], [[NASTY, NASTY]]),
        facts({NASTY: NASTY}),
    ):
        seen = Seen(made)
        assert "script" not in seen.tags
        assert NASTY in seen.text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_survives_as_text_and_as_attribute(text: str) -> None:
    seen = Seen(tag("p", text, title=text))
    assert seen.tags == ["p"]
    assert seen.text == text
    assert seen.attributes == [("title", text)]


def test_markup_is_not_escaped_twice() -> None:
    assert tag("p", tag("b", "a & b")) == "<p><b>a &amp; b</b></p>"
    assert isinstance(tag("p"), Markup)


def test_attribute_names_and_void_elements() -> None:
    assert tag("meta", http_equiv="x", content=None) == '<meta http-equiv="x">'
    assert tag("p", class_="a b") == '<p class="a b"></p>'
