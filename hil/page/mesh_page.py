"""The page of a photonic mesh: a header with the verdict, then a section for each part of the calibration."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hil.page.document import Part, card, document, write_whole
from hil.page.markup import Markup, badge, join
from hil.page.mesh_data import MeshReport
from hil.page.mesh_metrics import mesh_metrics
from hil.page.metrics import Numbers
from hil.page.numbers import count, duration, percent
from hil.page.section import plain_number
from hil.page.section_mesh import crosstalk, heaters, ports, shifters
from hil.page.section_run import acceptance, run
from hil.page.section_twin import deployment, fidelity, twin, verification


def render(data: MeshReport) -> str:
    """The report as one HTML document; parts of the run that do not exist yet are named as missing."""
    numbers = Numbers(mesh_metrics(data))
    parts = [Part(anchor, title, partial(build, data, numbers)) for anchor, title, build in _sections(data)]
    return document(data, _badges(data), _cards(data, numbers), parts)


def write_mesh_report(data: MeshReport, path: Path) -> None:
    """Write the report to `path`, whole or not at all; OSError where it cannot be written."""
    write_whole(render(data), path)


def _sections(data: MeshReport) -> list[tuple[str, str, Callable[[MeshReport, Numbers], Markup]]]:
    if data.deployed is not None:
        return [
            ("acceptance", "Acceptance", acceptance),
            ("deployment", "Deployment", deployment),
            ("run", "The run", run),
        ]
    return [
        ("acceptance", "Acceptance", acceptance),
        ("verification", "Verification", verification),
        ("twin", "Twin", twin),
        ("shifters", "Phase shifters", shifters),
        ("crosstalk", "Crosstalk", crosstalk),
        ("heaters", "Heaters", heaters),
        ("ports", "Ports", ports),
        ("run", "The run", run),
    ]


def _badges(data: MeshReport) -> list[Markup]:
    found = [badge(data.layout, "plain")] if data.layout else []
    bad = sum(not row.ok for row in data.shifters)
    if data.shifters:
        found.append(
            badge(f"{bad} of {len(data.shifters)} shifters failed", "bad")
            if bad
            else badge(f"all {len(data.shifters)} shifters good", "good")
        )
    return found


def _cards(data: MeshReport, numbers: Numbers) -> list[Markup]:
    cards = []
    if data.deployed is not None:
        for name in data.deployed.fidelity:
            cards.append(card(f"Fidelity, {name}", numbers(fidelity, "deployed", "fidelity", name), ""))
    if data.verification is not None:
        cards.append(
            card(
                "Amplitude fidelity",
                numbers(fidelity, "verification", "mean_fidelity"),
                join(["mean of ", numbers(count, "verification", "unitaries"), " random unitaries"]),
            )
        )
    if data.twin is not None:
        cards.append(
            card("Residual over noise", numbers(plain_number, "twin", "residual_over_noise"), "twin")
        )
    if data.shifters:
        cards.append(card("Good shifters", numbers(percent, "shifters", "good_share"), ""))
    if data.readings:
        cards.append(
            card(
                "Readings",
                numbers(count, "spent", "readings"),
                join([numbers(duration, "spent", "chip_time_s"), " on the chip"]),
            )
        )
    return cards
