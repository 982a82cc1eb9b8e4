"""A common look for the figures, drawn on Matplotlib's object interface without global state."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from hil.page.numbers import prefix_of

# Okabe and Ito's palette, told apart with every common colour vision.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, INK, GREY, PALE = "#56B4E9", "#CC79A7", "#1f2933", "#6b7785", "#e4e8ee"

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "grid.color": PALE,
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "text.color": INK,
    # Names come from files: a $ in one is no formula.
    "text.parse_math": False,
    "svg.hashsalt": "hil",
}
PIXELS_PER_INCH = 96
FULL_WIDTH = 10.2
"""Width in inches of a figure across the page."""
HALF_WIDTH = 4.85
"""Width in inches of one of two figures beside each other."""


class Drawing:
    """A figure and its picture as a data URI."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    @property
    def width_px(self) -> int:
        """Its width on the page at 100 %."""
        return round(self.figure.get_figwidth() * PIXELS_PER_INCH)

    def data_uri(self) -> str:
        """The figure as SVG, the same bytes for the same data."""
        buffer = io.BytesIO()
        with matplotlib.rc_context(_STYLE):
            FigureCanvasSVG(self.figure).print_figure(buffer, format="svg", metadata={"Date": None})
        return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


@contextmanager
def drawing(height: float, width: float = FULL_WIDTH) -> Iterator[Figure]:
    """An empty figure in the common style; sizes in inches, which are 96 pixels of the page."""
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), dpi=200, layout="constrained")


def common_prefix(*values: npt.ArrayLike) -> tuple[float, str]:
    """One SI prefix that suits most of all these values: the factor and the letter."""
    everything = np.concatenate([np.abs(np.ravel(np.asarray(value, dtype=float))) for value in values])
    everything = everything[np.isfinite(everything) & (everything > 0)]
    return prefix_of(float(np.quantile(everything, 0.9))) if everything.size else (1.0, "")
