"""What a mesh's run looks like at the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.text import Text

from hil.mesh.acceptance import DEPLOYED, RESULT, SHIFTERS


def is_mesh(metrics: Mapping[str, Any]) -> bool:
    """Whether these are the figures of a mesh's run."""
    return any(section in metrics for section in (SHIFTERS, RESULT, DEPLOYED))


def mesh_lines(metrics: Mapping[str, Any]) -> Iterator[Text]:
    """The key figures of a mesh's run, and every port and shifter that failed."""
    shifters, result, deployed = (metrics.get(name) for name in (SHIFTERS, RESULT, DEPLOYED))
    if deployed:
        each = ", ".join(f"{value:.6f} {name}" for name, value in deployed["fidelity"].items())
        yield Text(f"amplitude fidelity of {deployed['source']}: {each}")
        for note in (*deployed["notes"], *deployed["unreached"], *deployed["clipped"]):
            yield Text(note)
        return
    for note in metrics.get("ports", {}).get("notes", ()):
        yield Text(note, style="yellow")
    if shifters:
        yield Text(f"shifters: {shifters['good']} of {shifters['count']} good")
        for name, reason in shifters["failed"].items():
            yield Text.from_markup(f"[yellow]{name} fails[/]: {escape(reason)}")
    if result:
        told = []
        if result.get("mean_fidelity") is not None:
            told.append(f"amplitude fidelity {result['mean_fidelity']:.6f}")
        if result.get("residual_over_noise") is not None:
            told.append(f"residual {result['residual_over_noise']:.3g} times the noise")
        if told:
            yield Text("twin: " + ", ".join(told))
    if spent := metrics.get("spent"):
        yield Text(f"{spent['readings']} readings, {spent['chip_time_s'] / 60:.1f} min on the chip")


def mesh_cells(metrics: Mapping[str, Any]) -> tuple[str, str]:
    """What stands in the list of runs: the fidelity, and the shifters or how the matrix was set."""
    if DEPLOYED in metrics:
        return f"F {metrics[DEPLOYED]['achieved']:.5f}", "deployed"
    fidelity = metrics.get(RESULT, {}).get("mean_fidelity")
    shifters = metrics.get(SHIFTERS)
    good = f"{shifters['good']}/{shifters['count']} good" if shifters else ""
    return (f"F {fidelity:.5f}" if fidelity is not None else ""), good
