"""Pictures of repeatability and drift, and of the amplifier's calibration."""

import numpy as np

from hil.page.canvas import (
    BLUE,
    GREEN,
    GREY,
    HALF_WIDTH,
    INK,
    ORANGE,
    VERMILLION,
    Drawing,
    common_prefix,
    drawing,
)
from hil.page.data import Amplifier, Array, Repeatability


def drift(found: Repeatability) -> Drawing:
    """Gain, offset and residual of each reference batch against time, with the fitted rates."""
    time, unit = _time_axis(found.times_s)
    current, prefix = common_prefix(found.residual_A, found.offset_A)
    hours = (found.times_s - found.times_s.mean()) / 3600
    with drawing(4.6) as figure:
        gain, offset, residual = figure.subplots(3, 1, sharex=True)
        gain.axhline(0, color=GREY, linewidth=0.8)
        gain.plot(time, 100 * (found.gain - 1), "o-", color=BLUE, markersize=4.5)
        gain.plot(
            time,
            100 * (found.gain.mean() - 1 + found.gain_rate_per_hour * hours),
            "--",
            color=ORANGE,
            label="fitted rate",
        )
        gain.set_ylabel("gain − 1 / %")
        gain.set_title("Each reference batch beside the mean of all")
        gain.legend(loc="best")
        offset.axhline(0, color=GREY, linewidth=0.8)
        offset.plot(time, found.offset_A / current, "o-", color=BLUE, markersize=4.5)
        offset.plot(
            time, (found.offset_A.mean() + found.offset_rate_A_per_hour * hours) / current, "--", color=ORANGE
        )
        offset.set_ylabel(f"offset / {prefix}A")
        residual.plot(time, found.residual_A / current, "o-", color=BLUE, markersize=4.5)
        residual.axhline(
            found.short_term_A / current, color=GREEN, linestyle="-.", label="short-term repeatability"
        )
        residual.set_ylim(bottom=0, top=1.25 * max(found.residual_A.max(), found.short_term_A) / current or 1)
        residual.set_ylabel(f"residual / {prefix}A")
        residual.set_xlabel(f"time since the first reference / {unit}")
        residual.legend(loc="lower right")
        figure.align_ylabels([gain, offset, residual])
        return Drawing(figure)


def noise(found: Repeatability) -> Drawing:
    """Standard deviation between repeats against output, with the noise model."""
    current, prefix = common_prefix(found.bins_output_A)
    sigma, sigma_prefix = common_prefix(found.bins_sigma_A)
    reach = float(np.abs(found.bins_output_A).max()) or 1.0
    line = np.linspace(min(found.bins_output_A.min(), 0), max(found.bins_output_A.max(), 0), 201)
    with drawing(3.1, HALF_WIDTH) as figure:
        axes = figure.subplots()
        axes.plot(
            found.bins_output_A / current,
            found.bins_sigma_A / sigma,
            "o",
            color=BLUE,
            markersize=4.5,
            label="between repeats",
        )
        axes.plot(
            line / current,
            (found.noise_a * np.abs(line) + found.noise_b_A) / sigma,
            color=ORANGE,
            label="model a |I| + b",
        )
        axes.set_xlim(-1.05 * reach / current if line[0] < 0 else 0, None)
        axes.set_ylim(0, 1.15 * float(found.bins_sigma_A.max()) / sigma or 1)
        axes.set_xlabel(f"current / {prefix}A")
        axes.set_ylabel(f"standard deviation / {sigma_prefix}A")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0.2)
        return Drawing(figure)


def amplifier(measured: Amplifier, applied_A: Array, reading_V: Array) -> Drawing:
    """Readings against the known current, and what the straight line leaves."""
    current, prefix = common_prefix(applied_A)
    fitted = measured.gain_V_per_A * applied_A + measured.offset_V
    left = reading_V - fitted
    small, small_prefix = common_prefix(left)
    order = np.argsort(applied_A)
    with drawing(2.9) as figure:
        line, rest = figure.subplots(1, 2)
        line.plot(applied_A[order] / current, fitted[order], color=ORANGE, label="fitted gain and offset")
        line.plot(applied_A / current, reading_V, "o", color=BLUE, markersize=5, label="reading")
        line.set_xlabel(f"current of the known source / {prefix}A")
        line.set_ylabel("reading / V")
        line.set_title("Transimpedance stage")
        line.legend(loc="best")
        rest.axhline(0, color=INK, linewidth=0.8)
        rest.plot(applied_A / current, left / small, "o", color=VERMILLION, markersize=5)
        rest.set_xlabel(f"current of the known source / {prefix}A")
        rest.set_ylabel(f"reading − line / {small_prefix}V")
        rest.set_title("Residual")
        return Drawing(figure)


def _time_axis(times_s: Array) -> tuple[Array, str]:
    since = times_s - times_s[0]
    longest = since.max()
    if longest > 3 * 3600:
        return since / 3600, "h"
    return (since / 60, "min") if longest > 180 else (since, "s")
