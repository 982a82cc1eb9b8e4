"""The page of what the emulated instruments cover is what a run of their drivers gives now."""

from importlib.metadata import version
from pathlib import Path

import pytest

import simulators.instruments
from hil.api.instruments import coverage, coverage_page
from hil.coverage import UNDEFINED
from simulators.instruments.keithley_2400.personality import Keithley2400

PAGE = Path(simulators.instruments.__file__).parent / "COVERAGE.md"


def test_the_page_is_true() -> None:
    written = PAGE.read_text()
    for package in ("qcodes", "qcodes-contrib-drivers"):
        if f"{package} {version(package)}" not in written:
            pytest.skip(
                f"the page was written with another {package}: make it anew by hil instruments --markdown"
            )
    assert coverage_page() == written


def test_a_header_that_the_personality_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same driver on an instrument that has forgotten one of its commands."""
    tree = Keithley2400._tree
    find = tree.find

    def forgetful(header: str, *, query: bool):  # type: ignore[no-untyped-def]
        return find("NONE:SUCH" if "NPLC" in header.upper() else header, query=query)

    monkeypatch.setattr(tree, "find", forgetful)
    found = coverage("keithley_2400")
    assert found is not None
    assert found.undefined == ("nplcv", "nplci")
    assert {outcome.get for outcome in found.outcomes if outcome.parameter in found.undefined} == {UNDEFINED}
