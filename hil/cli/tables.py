"""Tables for the person at the terminal."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hil.cli.mesh_tables import is_mesh, mesh_cells, mesh_lines
from hil.cli.tuning_tables import is_tuning, tuning_cells, tuning_lines
from hil.steps.session import STEPS

if TYPE_CHECKING:
    from hil.api.instruments import InstrumentInfo
    from hil.coverage import Coverage
    from hil.findings import CheckResult
    from hil.outcome import Outcome
    from hil.store.index import RunSummary
    from simulators.server import Doors

_STYLE = {"done": "green", "failed": "red", "interrupted": "yellow", "running": "cyan", "pending": "dim"}


def nano(value: float | None) -> str:
    """A current in nA."""
    return "-" if value is None else f"{value * 1e9:.3g} nA"


def outcome_table(outcome: "Outcome") -> RenderableType:
    """A run's steps, key figures and verdict."""
    metrics = outcome.metrics
    lines: list[RenderableType] = [Text.from_markup(_steps(outcome.steps))]
    surrogate = metrics.get("surrogate")
    if surrogate:
        floor = surrogate.get("repeatability_A")
        beside = f" beside a repeatability of {nano(floor)}" if floor else ""
        lines.append(Text(f"surrogate: RMSE {nano(surrogate['rmse_A'])} on unseen batches{beside}"))
    tasks = metrics.get("tasks")
    if tasks:
        lines.append(_tasks(tasks))
    elif metrics.get("solutions"):
        lines.append(_solutions(metrics["solutions"]))
    failed = {name: task["reason"] for name, task in (tasks or {}).items() if not task["passed"]}
    lines += [
        Text.from_markup(f"[yellow]{name} fails[/]: {escape(reason)}") for name, reason in failed.items()
    ]
    lines += mesh_lines(metrics)
    lines += tuning_lines(metrics)
    lines += [Text.from_markup(f"[red]acceptance missed[/]: {escape(text)}") for text in outcome.missed]
    lines.append(_unbroken(f"run: {outcome.run}"))
    if outcome.report:
        lines.append(_unbroken(f"report: {outcome.report}"))
    return Group(*lines)


def doors_table(doors: "dict[str, Doors]") -> RenderableType:
    """Under which resource names pyvisa-py finds each instrument of a served bench."""
    lines = [
        _unbroken(f"{name:12} {resource}")
        for name, all_doors in doors.items()
        for resource in (all_doors.serial, all_doors.hislip, all_doors.vxi11, all_doors.socket)
        if resource is not None
    ]
    return Group(*lines, Text("ready; Ctrl-C ends it"))


def _unbroken(text: str) -> Text:
    """A line that is not folded: a path must survive being copied."""
    return Text(text, no_wrap=True, overflow="ignore")


def _steps(steps: Any) -> str:
    shown = [f"[{_STYLE[status]}]{name} {status}[/]" for name, status in steps.items()]
    return ", ".join(shown)


def _tasks(tasks: dict[str, Any]) -> Table:
    table = Table("task", "verdict", "accuracy", "margin", "noise", "margin / noise")
    for name, task in tasks.items():
        ratio = task.get("margin_over_noise")
        table.add_row(
            name,
            "[green]pass[/]" if task["passed"] else "[red]fail[/]",
            "-" if task["accuracy"] is None else f"{task['accuracy']:.1%}",
            nano(task["margin_A"]),
            nano(task["noise_A"]),
            "-" if ratio is None else f"{ratio:.1f}",
        )
    return table


def _solutions(solutions: dict[str, Any]) -> Table:
    table = Table("task", "solutions", "predicted margin", "predicted accuracy")
    for name, found in solutions.items():
        best = found["best"] or {"margin_A": None, "accuracy": 0.0}
        table.add_row(name, str(found["count"]), nano(best["margin_A"]), f"{best['accuracy']:.1%}")
    return table


def runs_table(runs: Sequence["RunSummary"], folder: Path) -> RenderableType:
    """One line a run; folders that cannot be used are named below, with the reason."""
    if not runs:
        return Text(f"no runs in {folder}")
    table = Table()
    for head in ("run", "state", "RMSE / floor", "tasks", "size"):
        table.add_column(head, no_wrap=True)
    for run in runs:
        if run.problem is None:
            table.add_row(*_run_row(run))
    problems = [_unbroken(run.problem) for run in runs if run.problem is not None]
    return Group(table, *problems)


def _run_row(run: "RunSummary") -> Iterator[str]:
    surrogate, tasks = run.figures.get("surrogate", {}), run.figures.get("tasks", {})
    passed = sum(bool(task["passed"]) for task in tasks.values())
    yield run.folder.name
    last = next((name for name in reversed(STEPS) if name in run.steps), None)
    if is_mesh(run.figures) or not set(run.steps) <= set(STEPS):
        last = next(reversed(list(run.steps)))
    if is_tuning(run.figures):  # a report says nothing of a method that was stopped
        last = next((name for name, status in run.steps.items() if status != "done"), last)
    yield f"[{_STYLE[run.steps[last]]}]{last} {run.steps[last]}[/]" if last else "imported"
    if is_mesh(run.figures) or is_tuning(run.figures):
        yield from mesh_cells(run.figures) if is_mesh(run.figures) else tuning_cells(run.figures)
        yield f"{run.size_bytes / 1e6:.1f} MB"
        return
    error, floor = surrogate.get("rmse_A"), surrogate.get("repeatability_A")
    yield f"{error * 1e9:.3g} / {floor * 1e9:.3g} nA" if error is not None and floor is not None else ""
    yield f"{passed} of {len(tasks)}" if tasks else ""
    yield f"{run.size_bytes / 1e6:.1f} MB"


def check_table(result: "CheckResult") -> RenderableType:
    """What was checked, and how each came out."""
    table = Table("check", "", "finding")
    for item in result.items:
        table.add_row(item.what, "[green]ok[/]" if item.ok else "[red]no[/]", escape(item.finding))
    return Group(table, Text(result.summary))


def instruments_table(found: "Sequence[InstrumentInfo]", chips: Sequence[str]) -> RenderableType:
    """One line a model; what comes from another package says from which."""
    table = Table("model", "instrument", "stock driver", "options")
    for info in found:
        outside = "" if info.origin.startswith("simulators.") else f" ({info.origin})"
        driver = info.stock_driver.rpartition(".")[2]
        table.add_row(info.model, escape(info.title + outside), driver, ", ".join(info.options))
    return Group(table, Text(f"chips: {', '.join(chips)}"), Text("more of one: hil instruments MODEL"))


def instrument_text(info: "InstrumentInfo", tried: "Coverage | None") -> RenderableType:
    """All of one model: its sockets, and its driver parameter by parameter."""
    lines: list[RenderableType] = [Text(f"{info.model}: {info.title} ({info.origin})")]
    for kind, names in info.terminals.items():
        lines.append(Text(f"{kind.replace('_', ' ')}: {', '.join(names)}"))
    if info.options:
        lines.append(Text(f"options: {', '.join(info.options)}"))
    if info.headers:
        lines.append(Text(f"headers understood ({len(info.headers)}): {', '.join(info.headers)}"))
    if tried is not None:
        table = Table(
            "parameter", "get", "set", title=f"{tried.driver}: {tried.covered} of {len(tried.outcomes)}"
        )
        for outcome in tried.outcomes:
            table.add_row(outcome.parameter, *(_verdict(said) for said in (outcome.get, outcome.set)))
        lines.append(table)
    elif info.stock_driver:
        lines.append(Text(f"{info.stock_driver} is not in the packages installed here"))
    return Group(*lines)


def _verdict(said: str | None) -> str:
    return "" if said is None else "[green]ok[/]" if said == "ok" else f"[yellow]{escape(said)}[/]"


def import_text(summary: dict[str, Any], output: Path) -> RenderableType:
    """What was imported; all that the file said of itself is in the written folder and in `--json`."""
    rows = Table(show_header=False)
    for key, value in summary.items():
        if key != "facts" and value not in (None, "", [], {}, ()):
            rows.add_row(key.replace("_", " "), escape(_short(value)))
    return Group(rows, _unbroken(f"wrote {output}"))


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_short(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        if any(isinstance(item, dict) for item in value):
            return "\n".join(", ".join(f"{key} {_short(one)}" for key, one in item.items()) for item in value)
        long = any(isinstance(item, str) and len(item) > 20 for item in value)
        return ("\n" if long else ", ").join(_short(item) for item in value)
    return str(value)
