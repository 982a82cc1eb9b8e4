"""A mesh's page stands alone, and every number on it is in the metrics."""

import re
from dataclasses import replace

import pytest

from hil.page.data import Run
from hil.page.mesh_data import MeshReport
from hil.page.mesh_metrics import mesh_metrics
from hil.page.mesh_page import render
from tests.hil.page.mesh_example import calibrated, deployed
from tests.hil.page.test_page import NASTY, Page, leaves


@pytest.fixture(scope="module")
def data() -> MeshReport:
    return calibrated()


@pytest.fixture(scope="module")
def page(data: MeshReport) -> Page:
    return Page(render(data))


def test_every_section_and_picture_is_there(page: Page) -> None:
    anchors = {attributes.get("id") for attributes in page.all("section")}
    assert anchors == {
        "acceptance",
        "verification",
        "twin",
        "shifters",
        "crosstalk",
        "heaters",
        "ports",
        "run",
    }
    assert len(page.all("img")) == 6  # fidelities; fit; sweeps; map; I-V; ports
    assert not [a for a in page.all("p") if a.get("class") == "missing"]
    assert not page.unclosed
    for attributes in page.all("img"):
        assert (attributes["src"] or "").startswith("data:image/svg+xml;base64,")


def test_every_number_shown_is_in_the_metrics(data: MeshReport, page: Page) -> None:
    known = {str(leaf) for leaf in leaves(mesh_metrics(data)) if leaf is not None}
    assert len(page.numbers) > 80
    assert set(page.numbers) - {""} <= known


def test_a_shifter_that_failed_is_named_with_its_reason(data: MeshReport, page: Page) -> None:
    bad = next(row for row in data.shifters if not row.ok)
    assert bad.reason in page.text
    assert "1 of 30 shifters failed" in page.text


def test_a_page_of_a_run_that_has_hardly_begun_names_what_is_missing() -> None:
    page = Page(render(MeshReport(Run("r", "runs/r", "2026-01-01T00:00:00+00:00", 1))))
    assert len([a for a in page.all("p") if a.get("class") == "missing"]) >= 7
    assert "not complete" in page.text


def test_a_deployment_has_a_page_of_its_own() -> None:
    data = deployed()
    page = Page(render(data))
    assert {attributes.get("id") for attributes in page.all("section")} == {"acceptance", "deployment", "run"}
    assert any("t1_1 failed" in text for text in page.text)
    known = {str(leaf) for leaf in leaves(mesh_metrics(data)) if leaf is not None}
    assert set(page.numbers) - {""} <= known


def test_the_same_data_give_the_same_page_and_names_are_never_markup(data: MeshReport) -> None:
    assert render(data) == render(calibrated())
    text = render(replace(data, run=replace(data.run, name=NASTY), layout=NASTY))
    assert "<script" not in re.sub(r"data:image[^\"]*", "", text)
