"""The section on sampling: what was driven, how well it covers the input space, what came back."""

from functools import partial
from typing import Any

from hil.page import figures_sampling
from hil.page.canvas import common_prefix
from hil.page.data import ReportData, Sampling
from hil.page.markup import Markup, facts, join, table, tag
from hil.page.metrics import PERCENTILES, Numbers
from hil.page.numbers import count, duration, percent, quantity, significant
from hil.page.section import beside, missing, picture, plain_number

_TOLD_ELSEWHERE = {"sample_rate_Hz", "batches"}
_PERCENTILE = {0: "least", 50: "median", 100: "greatest"}


def sampling(data: ReportData, numbers: Numbers) -> Markup:
    """What was driven, the coverage of the input space and the distribution of the output."""
    sampling = data.sampling
    if sampling is None:
        return missing("Nothing has been sampled yet.")
    hertz = partial(quantity, unit="Hz")
    left: dict[str, object] = {
        "batches": join(
            [
                numbers(count, "sampling", "batches"),
                " of ",
                numbers(count, "sampling", "batches_planned"),
                " planned",
            ]
        ),
        "samples": numbers(count, "sampling", "samples"),
        "useful": numbers(count, "sampling", "useful_samples"),
        "clipped": join(
            [
                numbers(count, "sampling", "clipped_samples"),
                " (",
                numbers(percent, "sampling", "clipped_fraction"),
                "), left out of the fit",
            ]
        ),
        "sample rate": numbers(hertz, "sampling", "sample_rate_Hz"),
    }
    if sampling.chip_time_s is not None:
        left["time on the chip"] = numbers(duration, "sampling", "chip_time_s")
        left["useful samples a second"] = numbers(plain_number, "sampling", "useful_samples_per_s")
    if sampling.useful_fraction is not None:
        left["useful share of that time"] = numbers(percent, "sampling", "useful_fraction")
    right = dict(
        _setting(name, value) for name, value in sampling.plan.items() if name not in _TOLD_ELSEWHERE
    )
    parts: list[object] = [
        beside(facts(left), facts(right)),
    ]
    if sampling.example is not None and len(sampling.example.outputs_A):
        parts.append(
            picture(
                figures_sampling.example_batch(sampling, sampling.example),
                f"The beginning of batch {sampling.example.index}",
                "Each electrode runs through its whole range at a frequency of its own (blue, range "
                "marked at "
                "the left); the black trace is the current read at the same samples.",
            )
        )
    parts += _coverage(sampling, numbers)
    parts += _outputs(sampling, numbers)
    return join(parts)


def _coverage(sampling: Sampling, numbers: Numbers) -> list[object]:
    parts: list[object] = []
    if sampling.coverage:
        rows = []
        for name in sampling.coverage:
            at = ("sampling", "coverage", name)
            rows.append(
                [
                    name,
                    *(
                        numbers(plain_number, *at, figure)
                        for figure in ("fill_distance", "mean_distance", "discrepancy")
                    ),
                ]
            )
        first = next(iter(sampling.coverage))
        at = ("sampling", "coverage", first)
        rows.append(
            [
                "as many uniform random points",
                *(
                    numbers(plain_number, *at, figure)
                    for figure in ("uniform_fill_distance", "uniform_mean_distance", "uniform_discrepancy")
                ),
            ]
        )
        parts += [
            tag("h3", "Coverage of the input space"),
            tag(
                "p",
                "Distances in a cube whose edges are the electrodes' ranges, from ",
                numbers(count, *at, "probes"),
                " evenly spread probes to the nearest of ",
                numbers(count, *at, "samples"),
                " samples. Discrepancy: centred, of ",
                numbers(count, *at, "discrepancy_samples"),
                " samples. Smaller is better in every column.",
            ),
            table(["plan", "fill distance", "mean distance", "discrepancy"], rows),
        ]
    if any(len(points) for points in sampling.points_V.values()):
        parts.append(
            picture(
                figures_sampling.coverage(sampling),
                "Sampled points in three planes",
                "Each panel spans the whole range of two electrodes. Lines mean that samples follow one "
                "another along few paths; empty patches were never visited.",
            )
        )
    return parts


def _outputs(sampling: Sampling, numbers: Numbers) -> list[object]:
    if sampling.outputs_A is None or not len(sampling.outputs_A):
        return []
    at = ("sampling", "output")
    scale, prefix = common_prefix(sampling.outputs_A)
    current = partial(_in_units_of, scale)
    head = [f"/ {prefix}A", *(_PERCENTILE.get(p, f"{p} %") for p in PERCENTILES), "mean", "std", "skewness"]
    row = [
        "current",
        *(numbers(current, *at, "percentiles_A", str(p)) for p in PERCENTILES),
        numbers(current, *at, "mean_A"),
        numbers(current, *at, "std_A"),
        numbers(plain_number, *at, "skewness"),
    ]
    return [
        tag("h3", "Output current"),
        picture(
            figures_sampling.output_distribution(sampling.outputs_A, sampling.clipping_A),
            "Distribution of the output current",
            "All good samples. Orange: the middle half; black line: the median"
            + (
                "; dashed, where in view: the ends of the readout."
                if sampling.clipping_A is not None
                else "."
            ),
        ),
        table(head, [row], "wide small"),
    ]


def _in_units_of(scale: float, value: float) -> str:
    return significant(value / scale, 3)


def _setting(name: str, value: Any) -> tuple[str, str]:
    """A setting of the plan as it is told: its unit moved from the name to the value."""
    unit = next((unit for unit in ("Hz", "V", "A", "s") if name.endswith(f"_{unit}")), "")
    told = name.removesuffix(f"_{unit}") if unit else name
    return told.replace("_", " "), f"{_plainly(value)} {unit}".rstrip()


def _plainly(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_plainly(item) for item in value)
    return f"{value:.4g}".replace("-", "−") if isinstance(value, float) else str(value)
