"""The sections on what the calibration is good for: the twin, its verification, a matrix on the chip."""

from functools import partial

from hil.page import mesh_figures
from hil.page.markup import Markup, escape, facts, join, tag
from hil.page.mesh_data import MeshReport
from hil.page.metrics import Numbers
from hil.page.numbers import count, quantity, significant
from hil.page.section import beside, missing, picture, plain_number


def fidelity(value: float | None) -> str:
    """A fidelity with as many nines as it has, and two digits more."""
    if value is None:
        return "not measured"
    away = max(1.0 - value, 1e-9)
    decimals = 4
    while 10.0 ** -(decimals - 2) > away and decimals < 8:
        decimals += 1
    return f"{value:.{decimals}f}"


def twin(data: MeshReport, numbers: Numbers) -> Markup:
    """How well the chip's model agrees with random settings."""
    found = data.twin
    if found is None:
        return missing("The twin has not been fitted yet.")
    rows: dict[str, object] = {
        "verdict": found.verdict,
        "residual over noise": tag("b", numbers(plain_number, "twin", "residual_over_noise")),
        "steps": numbers(count, "twin", "steps"),
    }
    rows |= {name.replace("_", " "): numbers(plain_number, "twin", name) for name in found.figures}
    drawn = (
        picture(
            mesh_figures.twin_fit(found),
            "Fit of the twin",
            "All offsets, splitters, crosstalk and losses together, to powers alone. The first steps are "
            "lenient with dark ports and no measure; the last ones count everything. At 1 nothing is left but noise.",
        )
        if len(found.loss)
        else missing("The course of the fit was not kept.")
    )
    return beside(facts(rows), drawn)


def verification(data: MeshReport, numbers: Numbers) -> Markup:
    """Random unitaries that the twin has not seen."""
    parts: list[object] = []
    if data.verification is None:
        parts.append(missing("Nothing has been verified yet."))
    else:
        at = "verification"
        parts += [
            facts(
                {
                    "mean amplitude fidelity": tag("b", numbers(fidelity, at, "mean_fidelity")),
                    "least": numbers(fidelity, at, "least_fidelity"),
                    "mean without correction": numbers(fidelity, at, "mean_uncorrected"),
                    "random unitaries": numbers(count, at, "unitaries"),
                    "powers from prediction": numbers(partial(quantity, unit="W"), at, "rms_W"),
                }
            ),
            picture(
                mesh_figures.verification(data.verification),
                "Random unitaries on the chip",
                "Each is set through the calibration and judged by the powers at every output for every input. "
                "Right: a twin that knows everything lies on the grey line.",
            ),
        ]
    if data.recheck is not None:
        at = "recheck"
        drift: dict[str, object] = {
            "verdict": data.recheck.verdict,
            "settings read again": numbers(count, at, "settings"),
            "change over noise": numbers(plain_number, at, "change_over_noise"),
            "twin's residual over noise, then": numbers(plain_number, at, "residual_over_noise_then"),
            "and now": numbers(plain_number, at, "residual_over_noise"),
        }
        parts += [tag("h3", "Drift"), facts(drift)]
    return join(parts)


def deployment(data: MeshReport, numbers: Numbers) -> Markup:
    """The matrix that was put on the chip."""
    found = data.deployed
    if found is None:
        return missing("No matrix was deployed in this run.")
    rows: dict[str, object] = {"matrix": found.source}
    for name in found.fidelity:
        rows[f"fidelity, {name}"] = numbers(fidelity, "deployed", "fidelity", name)
    rows["amplitudes from wanted"] = numbers(lambda v: significant(v, 3), "deployed", "rms_amplitude")
    rows["beyond the splitters"] = _lines(found.clipped)
    rows["phases out of reach"] = _lines(found.unreached)
    return join(
        [
            facts(rows),
            *(tag("p", note) for note in found.notes),
            picture(
                mesh_figures.deployed(found),
                "The matrix on the chip",
                "Amplitudes, from the powers read at every output with one input lit at a time.",
            ),
        ]
    )


def _lines(told: tuple[str, ...]) -> Markup:
    return join(tag("div", line) for line in told) if told else escape("none")
