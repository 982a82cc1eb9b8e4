"""The page of a tuning or a watch stands alone; its curves, its recommendation and its figures are what they say."""

from dataclasses import replace

import numpy as np
import pytest

from hil.page.data import Run
from hil.page.tuning_curves import by_method, grid_of, recommended
from hil.page.tuning_data import TuningReport, TuningRun, Watch
from hil.page.tuning_metrics import tuning_metrics
from hil.page.tuning_page import render
from tests.hil.page.test_page import NASTY, Page, leaves
from tests.hil.page.tuning_example import kept, run_figures, tuned, watch_figures


@pytest.mark.parametrize(
    ("data", "sections", "pictures"),
    [
        (tuned(), {"acceptance", "recommendation", "accuracy", "methods", "run"}, 2),
        (tuned(seeds=1), {"acceptance", "recommendation", "accuracy", "methods", "run"}, 2),
        (kept(), {"acceptance", "watch", "rungs", "run"}, 1),
    ],
    ids=["tuned", "one seed", "kept"],
)
def test_every_section_picture_and_number_is_there(
    data: TuningReport, sections: set[str], pictures: int
) -> None:
    page = Page(render(data))
    assert {attributes.get("id") for attributes in page.all("section")} == sections
    assert len(page.all("img")) == pictures
    assert not page.unclosed
    for attributes in page.all("img"):
        assert (attributes["src"] or "").startswith("data:image/svg+xml;base64,")
    known = {str(leaf) for leaf in leaves(tuning_metrics(data)) if leaf is not None}
    assert len(page.numbers) > 20
    assert set(page.numbers) - {""} <= known


def test_a_page_of_a_run_that_has_hardly_begun_names_what_is_missing() -> None:
    page = Page(render(TuningReport(Run("r", "runs/r", "2026-01-01T00:00:00+00:00", 1))))
    assert len([a for a in page.all("p") if a.get("class") == "missing"]) >= 4


def test_what_came_from_files_is_text_on_the_page() -> None:
    data = tuned()
    page = Page(render(replace(data, task=NASTY, run=replace(data.run, name=NASTY))))
    assert not page.all("script")


def test_between_two_checks_the_earlier_one_holds() -> None:
    def run(seed: int, at: list[int], score: list[float]) -> TuningRun:
        figures = run_figures("spsa", seed) | {"readings": 400}
        figures["curve"] = [
            {"readings": a, "loss": 1.0 - s, "score": s, "score_error": 0.004, "verdict": "accepted"}
            for a, s in zip(at, score, strict=True)
        ]
        return TuningRun.of(figures)

    runs = (run(0, [100, 200, 400], [0.5, 0.7, 0.8]), run(1, [100, 300, 400], [0.5, 0.6, 0.9]))
    one = by_method(runs)[0]
    band = one.band("score", np.array([100.0, 199.0, 200.0, 299.0, 300.0, 400.0]))
    np.testing.assert_allclose(band.mean, [0.5, 0.5, 0.6, 0.6, 0.65, 0.85])
    np.testing.assert_allclose(band.spread[-1], np.std([0.8, 0.9], ddof=1))
    assert set(grid_of(runs)) >= {100.0, 200.0, 300.0, 400.0}
    assert one.readings_to(0.6) == 250.0
    assert one.readings_to(0.85) is None


def test_the_cheapest_of_those_that_are_as_good_is_recommended() -> None:
    def runs(method: str, finals: list[float], reached: int) -> list[TuningRun]:
        found = []
        for seed, final in enumerate(finals):
            figures = run_figures("spsa", seed) | {"method": method, "readings": 1000}
            figures["curve"] = [
                {"readings": at, "loss": 1.0 - score, "score": score, "score_error": 0.004, "verdict": "kept"}
                for at, score in ((100, 0.5), (reached, final), (1000, final))
            ]
            found.append(TuningRun.of(figures))
        return found

    slow, quick = runs("slow", [0.90, 0.94, 0.92], 900), runs("quick", [0.89, 0.93, 0.91], 300)
    bad, alone = runs("bad", [0.70, 0.71, 0.69], 200), runs("alone", [0.5], 150)
    chosen = recommended([*slow, *quick, *bad])
    assert chosen.method == "quick"
    assert "300 readings" in chosen.reason
    assert recommended([*bad, *alone]).method == "bad"
    assert recommended(()).method is None


def test_the_figures_of_a_watch_add_up() -> None:
    found = tuning_metrics(kept())["watch"]
    figures = watch_figures()
    assert found["look_readings"] + found["retuning_readings"] == found["readings"]
    assert found["looks"] + found["retunings"] == len(figures["looks"])
    assert sum(rung["tried"] for rung in found["rungs"].values()) == found["retunings"]
    assert found["rungs"]["readout"]["sufficed"] == 0
    assert found["failed"] == 1
    assert found["held_score"] > found["alone_score"]
    assert Watch.of(figures).score[-1] != Watch.of(figures).score[-1]  # a look that failed read nothing
