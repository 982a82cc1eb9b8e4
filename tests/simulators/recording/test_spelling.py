import pytest

from simulators.errors import RecordingError
from simulators.recording import Spelling, read_spelling


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("record:s.rec:@py", Spelling("record", "s.rec", "@py")),
        ("record:s.rec:", Spelling("record", "s.rec", "")),
        ("record:s.rec:bench.yaml@hil", Spelling("record", "s.rec", "bench.yaml@hil")),
        (
            r"record:C:\data\s.rec:C:\visa32.dll@ivi",
            Spelling("record", r"C:\data\s.rec", r"C:\visa32.dll@ivi"),
        ),
        ("record:a.rec:record:b.rec:@py@hil", Spelling("record", "a.rec", "record:b.rec:@py@hil")),
        ("replay:my s.rec", Spelling("replay", "my s.rec")),
        (r"replay-loose:C:\data\s.rec", Spelling("replay-loose", r"C:\data\s.rec")),
        ("bench.yaml", None),
        ("", None),
    ],
)
def test_a_spelling_is_read_and_written(text: str, meant: Spelling | None) -> None:
    assert read_spelling(text) == meant
    if meant is not None:
        assert str(meant) == f"{text}@hil"


@pytest.mark.parametrize(
    "text", ["record:@py", "record:s.rec", "record:s.txt:@py", "replay:", "replay:s.json"]
)
def test_an_incomplete_one_is_refused(text: str) -> None:
    with pytest.raises(RecordingError, match=r"\.rec"):
        read_spelling(text)
