"""Pictures of a mesh: ports, heaters, sweeps, crosstalk, the fit of the twin, verification."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, NullFormatter

from hil.page.canvas import (
    BLUE,
    GREEN,
    GREY,
    HALF_WIDTH,
    INK,
    ORANGE,
    SKY,
    VERMILLION,
    Drawing,
    common_prefix,
    drawing,
)
from hil.page.data import Array
from hil.page.mesh_data import Deployed, HeaterCurve, Ports, Sweep, Twin, Verification

_ACROSS = 8
"""Small pictures beside each other."""
_POINTS = 3000


def ports(found: Ports) -> Drawing:
    """The dark reading of each detector, and what reaches it of the light."""
    scale, prefix = common_prefix(found.dark_W)
    with drawing(2.4) as figure:
        count = 1 if found.transmission is None else 2
        axes = figure.subplots(1, count, squeeze=False)[0]
        places = np.arange(len(found.names))
        axes[0].bar(places, found.dark_W / scale, color=GREY, width=0.6)
        axes[0].set_title("In the dark")
        axes[0].set_ylabel(f"reading / {prefix}W")
        if found.transmission is not None:
            axes[1].bar(places, 10 * np.log10(np.maximum(found.transmission, 1e-6)), color=BLUE, width=0.6)
            axes[1].set_title("From the laser to the detector, beside the mesh")
            axes[1].set_ylabel("transmission / dB")
        for one in axes:
            one.set_xticks(places[:: max(1, len(places) // 16)])
            one.set_xlabel("port")
            one.grid(axis="x", visible=False)
        return Drawing(figure)


def heaters(curves: Sequence[HeaterCurve], design_ohm: float | None) -> Drawing:
    """Every heater's current against its voltage, and their resistances when cold."""
    with drawing(3.0) as figure:
        left, right = figure.subplots(1, 2)
        for curve in curves:
            color, above = (BLUE, 2) if curve.ok else (VERMILLION, 3)
            left.plot(
                curve.volts, 1e3 * curve.amperes, ".-", color=color, alpha=0.55, linewidth=0.8, zorder=above
            )
        left.set_title("Current against voltage" + _red(curves))
        left.set_xlabel("voltage / V")
        left.set_ylabel("current / mA")
        ohms = np.array([_resistance(curve) for curve in curves if curve.ok])
        ohms = ohms[np.isfinite(ohms)]
        if ohms.size:
            right.hist(ohms, bins=min(24, max(6, ohms.size // 2)), color=BLUE, alpha=0.85)
        if design_ohm is not None:
            right.axvline(design_ohm, color=ORANGE, linestyle="--", label="design")
            right.legend()
        right.set_title("Resistance at the lowest voltage")
        right.set_xlabel("resistance / Ω")
        right.set_ylabel("heaters")
        right.grid(axis="x", visible=False)
        return Drawing(figure)


def _resistance(curve: HeaterCurve) -> float:
    driven = np.flatnonzero((curve.volts > 0) & (curve.amperes > 0))
    return float(curve.volts[driven[0]] / curve.amperes[driven[0]]) if driven.size else np.nan


def _red(curves: Sequence[HeaterCurve | Sweep]) -> str:
    return "" if all(curve.ok for curve in curves) else " (red: not to be trusted)"


def sweeps(found: Sequence[Sweep]) -> Drawing:
    """Every shifter's sweep, small: what was read, and the fitted curve through it."""
    rows = -(-len(found) // _ACROSS)
    most = max((float(sweep.heater_W.max(initial=0.0)) for sweep in found), default=1e-3)
    scale, prefix = common_prefix([most])
    with drawing(0.5 + 0.95 * rows) as figure:
        grid = figure.subplots(rows, _ACROSS, squeeze=False, sharex=True)
        for axes in grid.flat[len(found) :]:
            axes.set_axis_off()
        for axes, sweep in zip(grid.flat, found, strict=False):
            color = BLUE if sweep.ok else VERMILLION
            axes.plot(sweep.fitted_W / scale, sweep.fitted, color=ORANGE, linewidth=1.2)
            axes.plot(sweep.heater_W / scale, sweep.share, ".", color=color, markersize=2.6)
            axes.set_title(sweep.name, fontsize=7.5, color=INK if sweep.ok else VERMILLION, pad=2)
            axes.tick_params(labelsize=6, length=1.5, pad=1)
            axes.set_yticks([])
            axes.margins(y=0.12)
            axes.grid(visible=False)
        figure.supxlabel(f"power of the heater / {prefix}W", fontsize=8.5)
        figure.supylabel("light at the detector", fontsize=8.5)
        return Drawing(figure)


def crosstalk(shares: Array, names: Sequence[str]) -> Drawing:
    """How much each shifter feels of every heater, as a share of its own heater's effect."""
    off = np.abs(shares[~np.eye(len(shares), dtype=bool)])
    top = max(float(off.max(initial=0.0)), 1e-6)
    shown = np.ma.masked_less(np.abs(shares), 1e-3 * top)
    np.fill_diagonal(shown, np.ma.masked)
    with drawing(5.0, 6.4) as figure:
        axes = figure.subplots()
        image = axes.imshow(
            shown, norm=LogNorm(1e-3 * top, top), cmap="viridis", interpolation="nearest", origin="upper"
        )
        axes.set_xlabel("heater")
        axes.set_ylabel("shifter")
        step = max(1, len(names) // 14)
        axes.set_xticks(range(0, len(names), step), names[::step], rotation=90, fontsize=7)
        axes.set_yticks(range(0, len(names), step), names[::step], fontsize=7)
        axes.grid(visible=False)
        bar = figure.colorbar(image, ax=axes, shrink=0.85)
        bar.set_label("share of the own heater's effect", fontsize=8.5)
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        bar.ax.tick_params(labelsize=8)
        return Drawing(figure)


def twin_fit(found: Twin) -> Drawing:
    """The misfit of the twin, step by step of its fit; 1 is what noise alone leaves."""
    with drawing(2.8, HALF_WIDTH) as figure:
        axes = figure.subplots()
        axes.plot(np.arange(1, len(found.loss) + 1), found.loss, color=BLUE)
        if np.all(found.loss > 0):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        if found.residual_over_noise is not None:
            axes.axhline(1.0, color=GREEN, linestyle="--", linewidth=1.0)
        axes.set_xlabel("step of the fit")
        axes.set_ylabel("misfit over noise")
        return Drawing(figure)


def verification(found: Verification) -> Drawing:
    """Amplitude fidelities of the random unitaries, and predicted powers against measured ones, port by port."""
    scale, prefix = common_prefix(found.measured_W)
    with drawing(3.3) as figure:
        left, right = figure.subplots(1, 2)
        values = 1.0 - found.fidelity
        left.hist(values, bins=min(30, max(8, len(values) // 2)), color=BLUE, alpha=0.85)
        left.axvline(float(values.mean()), color=ORANGE, label="mean")
        left.set_title("Infidelity of each unitary")
        left.set_xlabel("1 − amplitude fidelity")
        left.set_ylabel("unitaries")
        left.ticklabel_format(axis="x", style="sci", scilimits=(-2, 2))
        left.grid(axis="x", visible=False)
        left.legend()
        n = found.predicted_W.shape[1]
        step = max(1, found.predicted_W.size // _POINTS)
        colors = [BLUE, ORANGE, GREEN, VERMILLION, SKY, GREY]
        for port in range(n):
            right.plot(
                found.predicted_W[::step, port] / scale,
                found.measured_W[::step, port] / scale,
                ".",
                color=colors[port % len(colors)],
                markersize=2.4,
                alpha=0.6,
            )
        top = float(max(found.predicted_W.max(), found.measured_W.max())) / scale
        right.plot([0, top], [0, top], color=GREY, linewidth=0.8, zorder=1)
        right.set_title("Powers at the ports, a colour each")
        right.set_xlabel(f"predicted / {prefix}W")
        right.set_ylabel(f"measured / {prefix}W")
        return Drawing(figure)


def deployed(found: Deployed) -> Drawing:
    """The amplitudes that were wanted, those that were read, and what is between them."""
    difference = found.measured - found.wanted
    most = max(float(np.abs(difference).max()), 1e-6)
    top = float(max(found.wanted.max(), found.measured.max()))
    with drawing(3.4) as figure:
        pictures = zip(
            figure.subplots(1, 3),
            (
                (found.wanted, "Wanted", (0.0, top), "viridis"),
                (found.measured, "Measured", (0.0, top), "viridis"),
                (difference, "Measured − wanted", (-most, most), "RdBu_r"),
            ),
            strict=True,
        )
        for axes, (values, title, (low, high), colors) in pictures:
            image = axes.imshow(values, vmin=low, vmax=high, cmap=colors, interpolation="nearest")
            axes.set_title(title)
            axes.set_xlabel("input port")
            axes.grid(visible=False)
            figure.colorbar(image, ax=axes, shrink=0.7).ax.tick_params(labelsize=7.5)
        figure.axes[0].set_ylabel("output port")
        return Drawing(figure)
