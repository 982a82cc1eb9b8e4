import json
import math
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.page.data import Criterion, Event, ReportData, Run, Step, Surrogate
from hil.page.metrics import metrics
from hil.page.page import render, write_report
from tests.hil.page.example import whole_session

NASTY = "</style><script>alert(1)</script><img src=http://example.org/x onerror=alert(2)>"


class Page(HTMLParser):
    """The elements and texts of a report."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.numbers: list[str] = []
        self.text: list[str] = []
        self.unclosed: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "data":
            self.numbers.append(dict(attrs)["value"] or "")
        if tag not in {"img", "meta"}:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def session() -> ReportData:
    return whole_session()


@pytest.fixture(scope="module")
def text(session: ReportData) -> str:
    return render(session)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def bare(run: Run | None = None) -> ReportData:
    return ReportData(run=run or Run("r", "runs/r", "2026-01-01T00:00:00+00:00", 1))


def test_it_needs_nothing_but_itself(text: str, page: Page) -> None:
    assert not page.unclosed
    for attributes in page.all("img"):
        source = attributes["src"] or ""
        assert source.startswith("data:image/svg+xml;base64,")
        assert attributes["alt"]
    for name, attributes in page.elements:
        assert name not in {"script", "link", "iframe", "object", "embed", "base"}
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in {"src", "href"}:
                assert (value or "").startswith(("data:", "#"))
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style


def test_the_pictures_need_nothing_either(page: Page) -> None:
    import base64

    for attributes in page.all("img"):
        picture = base64.b64decode((attributes["src"] or "").split(",")[1]).decode()
        references = re.findall(r'href="([^"]*)"', picture)
        assert all(reference.startswith(("#", "data:")) for reference in references)
        assert "<script" not in picture


def test_every_section_and_picture_is_there(page: Page) -> None:
    anchors = {attributes.get("id") for attributes in page.all("section")}
    assert anchors == {"acceptance", "tasks", "surrogate", "sampling", "drift", "amplifier", "run"}
    links = {attributes["href"] for attributes in page.all("a")}
    ids = {f"#{attributes['id']}" for _, attributes in page.elements if attributes.get("id")}
    assert links <= ids
    # batch, coverage, outputs; drift, noise; training, errors, error by output, error map; amplifier; 3 tasks
    assert len(page.all("img")) == 13
    assert not [a for a in page.all("p") if a.get("class") == "missing"]


def test_every_number_shown_is_in_the_metrics(session: ReportData, page: Page) -> None:
    known = {str(leaf) for leaf in leaves(metrics(session)) if leaf is not None}
    assert len(page.numbers) > 80
    assert set(page.numbers) - {""} <= known


def test_metrics_are_strict_json_with_the_figures_of_the_session(session: ReportData) -> None:
    found = json.loads(json.dumps(metrics(session), allow_nan=False))
    assert found["verdict"] == "missed"
    assert found["tasks_passed"] == 2
    assert found["tasks"]["XOR"]["margin_A"] < 0
    surrogate, floor = found["surrogate"], found["repeatability"]["repeatability_A"]
    assert surrogate["over_repeatability"] == pytest.approx(surrogate["rmse_A"] / floor)
    assert found["sampling"]["coverage"]["phases drawn every batch"]["fill_distance"] > 0
    assert found["amplifier"]["offset_A"] == pytest.approx(-57.02e-3 / 10.1312e6)
    assert found["run"]["duration_s"] == pytest.approx(126.1)


def test_the_same_data_give_the_same_bytes(session: ReportData, text: str) -> None:
    assert render(session) == text


def test_interruption_reason_and_identity_are_told(page: Page) -> None:
    told = " ".join(page.text)
    for what in ("SIGINT: stopped after batch 14", "MY57502311", "acceptance missed", "2 of 3 tasks pass"):
        assert what in told


def test_all_text_is_escaped(session: ReportData) -> None:
    run = replace(
        session.run,
        name=NASTY,
        chip=NASTY,
        folder=NASTY,
        steps=(Step(NASTY, NASTY, 1.0, reason=NASTY),),
        identities={NASTY: NASTY},
        versions={NASTY: NASTY},
        files={NASTY: NASTY},
        events=(Event(NASTY, "warning", NASTY),),
    )
    assert session.sampling is not None
    data = replace(
        session,
        run=run,
        sampling=replace(
            session.sampling, plan={NASTY: NASTY}, example=None, outputs_A=None, points_V={}, coverage={}
        ),
        surrogate=Surrogate(1e-9, 10, 1, description=NASTY),
        tasks=(replace(session.tasks[0], name=NASTY, reason=NASTY, inputs=(NASTY,), levels=()),),
        acceptance=(Criterion(NASTY, 1.0, 2.0, NASTY, "at most", True),),
    )
    page = Page(render(data))
    assert not page.all("script")
    assert all((a["src"] or "").startswith("data:") and "onerror" not in a for a in page.all("img"))
    assert "".join(page.text).count(NASTY) > 12


def test_dollar_signs_in_names_are_no_formulas(session: ReportData) -> None:
    # Matplotlib reads $ as mathematics and fails on what it cannot parse.
    assert session.sampling is not None
    named = replace(
        session.sampling,
        electrodes=tuple(f"$\\frac{i}" for i in range(7)),
        points_V={"$\\oops{": next(iter(session.sampling.points_V.values()))},
        coverage={},
    )
    task = replace(session.tasks[0], inputs=("$a_{", "b$"))
    assert "<figure>" in render(replace(bare(), sampling=named, tasks=(task,)))


@pytest.mark.parametrize("part", ["amplifier", "sampling", "repeatability", "surrogate"])
def test_a_missing_part_is_named(session: ReportData, part: str) -> None:
    light = replace(session, tasks=())
    without: Any = dict.fromkeys(("amplifier", "sampling", "repeatability", "surrogate"))
    without[part] = getattr(light, part)
    page = Page(render(replace(light, **without)))
    missing = [a for a in page.all("p") if a.get("class") == "missing"]
    assert len(missing) == 4  # the three others and the tasks


def test_a_run_that_did_nothing_has_a_report() -> None:
    page = Page(render(bare()))
    told = " ".join(page.text)
    assert "Nothing has been sampled yet." in told
    assert "No step was begun." in told
    assert "not complete" in told
    assert json.dumps(metrics(bare()), allow_nan=False)


def test_the_parts_of_a_part_may_be_missing(session: ReportData) -> None:
    assert session.sampling is not None
    assert session.amplifier is not None
    data = replace(
        session,
        amplifier=replace(session.amplifier, applied_A=None, reading_V=None, nominal_gain_V_per_A=None),
        sampling=replace(
            session.sampling,
            chip_time_s=None,
            useful_fraction=None,
            example=None,
            coverage={},
            points_V={},
            outputs_A=None,
            clipping_A=None,
        ),
        repeatability=None,
        surrogate=Surrogate(1e-9, 10, 1),
        tasks=(replace(session.tasks[0], trace=None, margin_A=None, noise_A=None, passed=None),),
    )
    page = Page(render(data))
    assert "tasks not verified yet" in " ".join(page.text)
    assert len(page.all("img")) == 1


def test_extreme_values_can_be_drawn(session: ReportData) -> None:
    assert session.sampling is not None
    assert session.sampling.example is not None
    constant = replace(
        session.sampling,
        outputs_A=np.zeros(50),
        example=replace(session.sampling.example, outputs_A=np.zeros(500)),
        low_V=np.zeros(7),
        high_V=np.zeros(7),
        points_V={},
    )
    task = replace(session.tasks[0], margin_A=0.0, noise_A=0.0)
    surrogate = Surrogate(0.0, 3, 1, measured_A=np.zeros(3), predicted_A=np.zeros(3))
    found = metrics(replace(bare(), sampling=constant, tasks=(task,), surrogate=surrogate))
    assert found["sampling"]["output"]["skewness"] is None
    assert found["tasks"]["AND"]["margin_over_noise"] is None
    assert "<figure>" in render(replace(bare(), sampling=constant, tasks=(task,), surrogate=surrogate))


@pytest.mark.parametrize(
    ("statuses", "passed", "verdict"),
    [
        (["done", "done"], [True], "accepted"),
        (["done", "done"], [True, False], "missed"),
        (["done", "failed"], [True], "failed"),
        (["done", "interrupted"], [True], "incomplete"),
        (["done", "done"], [None], "incomplete"),
        (["done", "done"], [], "incomplete"),
        ([], [], "incomplete"),
    ],
)
def test_verdict(statuses: list[str], passed: list[bool | None], verdict: str) -> None:
    run = Run("r", "r", "", 0, steps=tuple(Step(f"s{i}", status) for i, status in enumerate(statuses)))
    lines = tuple(Criterion("c", 1.0, 1.0, "", "at most", value) for value in passed)
    assert ReportData(run=run, acceptance=lines).verdict == verdict


def test_figures_that_are_not_finite_are_told_as_not_measured() -> None:
    assert "not measured" in render(replace(bare(), surrogate=Surrogate(math.nan, 10, 1)))


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    write_report(bare(), target)
    before = target.read_text(encoding="utf-8")
    assert before.startswith("<!DOCTYPE html>")
    assert target.stat().st_mode & 0o777 == 0o644

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_report(replace(bare(), surrogate=Surrogate(1e-9, 10, 1)), target)
    assert target.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [target]


def test_the_way_between_two_plateaus_is_no_plateau(session: ReportData) -> None:
    from hil.page.figures_tasks import SHOWN_PLATEAUS, task

    trace = session.tasks[0].trace
    assert trace is not None
    between = trace.level.copy()
    between[np.arange(len(between)) % 20 < 4] = -1
    drawn = task(replace(session.tasks[0], trace=replace(trace, level=between)))
    labels = [text.get_text() for text in drawn.figure.axes[0].texts]
    assert labels == ["00", "01", "10", "11"] * (SHOWN_PLATEAUS // 4)
