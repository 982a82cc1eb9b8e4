"""The section on the tasks: what the device does for each combination of inputs, and the verdict."""

from collections.abc import Mapping

from hil.page import figures_tasks
from hil.page.data import ReportData, Task
from hil.page.markup import Markup, badge, join, table, tag
from hil.page.metrics import Numbers
from hil.page.numbers import percent
from hil.page.section import AMPERE, missing, picture, plain_number


def tasks(data: ReportData, numbers: Numbers) -> Markup:
    """A table of verdicts, then each task's trace, levels and control voltages."""
    if not data.tasks:
        return missing("No task has been searched for yet.")
    rows = []
    for task in data.tasks:
        at = ("tasks", task.name)
        rows.append(
            [
                tag("a", task.name, href=f"#task-{task.name}"),
                _verdict(task),
                numbers(percent, *at, "accuracy"),
                numbers(AMPERE, *at, "margin_A"),
                numbers(AMPERE, *at, "noise_A"),
                numbers(plain_number, *at, "margin_over_noise"),
                numbers(AMPERE, *at, "predicted_margin_A"),
            ]
        )
    head = ["task", "verdict", "accuracy", "margin", "noise", "margin / noise", "margin on the surrogate"]
    note = tag(
        "p",
        "Margin: gap between the nearest plateaus of the two classes, on the device and over all repeats; "
        "negative where they overlap. Noise: standard deviation of one reading within a plateau.",
    )
    return join([table(head, rows, "wide"), note, *(_task(task, numbers) for task in data.tasks)])


def _verdict(task: Task) -> Markup:
    if task.passed is None:
        return badge("not verified", "open")
    return badge("pass", "good") if task.passed else badge("fail", "bad")


def _task(task: Task, numbers: Numbers) -> Markup:
    at = ("tasks", task.name)
    parts: list[object] = [tag("h3", task.name, _verdict(task), id=f"task-{task.name}")]
    if task.reason:
        parts.append(tag("p", task.reason))
    if task.levels:
        left = (
            f"Left: the current while the first plateaus are played, with the combination of "
            f"{', '.join(task.inputs)} above; settled samples are bold, in the colour of the wanted output "
            "(blue 0, red 1). Right: levels"
        )
        caption: list[object] = [
            "Levels" if task.trace is None else left,
            " with two standard deviations, single repeats as dots, the surrogate's promise as diamonds. "
            "Dashed: the threshold",
        ]
        if task.threshold_A is not None:
            caption += [", ", numbers(AMPERE, *at, "threshold_A")]
        caption.append("; the orange band is the margin.")
        parts.append(picture(figures_tasks.task(task), f"{task.name} on the device", join(caption)))
    controls: Mapping[str, object] = {
        name: numbers(_volts, *at, "controls_V", name) for name in task.controls_V
    }
    if controls:
        parts.append(table(["control", *controls], [["voltage / V", *controls.values()]]))
    return join(parts)


def _volts(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")
