"""The sections on a mesh as it was characterised: ports, heaters, shifters, crosstalk."""

from functools import partial

from hil.page import mesh_figures
from hil.page.markup import Markup, badge, facts, join, table, tag
from hil.page.mesh_data import MeshReport, ShifterRow
from hil.page.metrics import Numbers
from hil.page.numbers import count, percent, quantity, significant, with_uncertainty
from hil.page.section import missing, picture

_WATT = partial(quantity, unit="W")
_UNITS = {"rad": "rad", "ohm": "Ω", "W": "W", "V": "V", "A": "A"}


def ports(data: MeshReport, numbers: Numbers) -> Markup:
    """Darks of the detectors and the transmission of the ports."""
    if data.ports is None:
        return missing("The detectors have not been read yet.")
    rows: dict[str, object] = {}
    for place, name in enumerate(data.ports.names):
        dark = numbers(_WATT, "ports", "dark_W", place)
        if data.ports.transmission is None:
            rows[name] = dark
        else:
            share = numbers(percent, "ports", "transmission", place)
            rows[name] = join([dark, " in the dark; ", share, " of the light"])
    return join(
        [
            picture(
                mesh_figures.ports(data.ports),
                "Ports",
                "What each detector reads without light, which is taken off every later reading, and what part "
                "of the light reaches it.",
            ),
            *(tag("p", note) for note in data.ports.notes),
            facts(rows),
        ]
    )


def heaters(data: MeshReport, numbers: Numbers) -> Markup:
    """Currents against voltages and the resistances."""
    if not data.heaters:
        return missing("The heaters have not been measured yet.")
    return join(
        [
            tag(
                "p",
                numbers(count, "heaters", "good"),
                " of ",
                numbers(count, "heaters", "count"),
                " heaters are as they should be.",
            ),
            picture(
                mesh_figures.heaters(data.heaters, data.design_ohm),
                "Heaters",
                "A good heater is a resistor that grows a little as it warms: its current bends below a straight "
                "line. An open one draws nothing, a shorted one too much.",
            ),
        ]
    )


def shifters(data: MeshReport, numbers: Numbers) -> Markup:
    """The sweep of every shifter, and the table of what came of it."""
    if not data.shifters:
        return missing("No phase shifter has been swept yet.")
    parts: list[object] = [
        tag(
            "p",
            numbers(count, "shifters", "good"),
            " of ",
            numbers(count, "shifters", "count"),
            " phase shifters can be trusted. Those that cannot are held at 0 V and fitted by the twin alone.",
        )
    ]
    if data.sweeps:
        parts.append(
            picture(
                mesh_figures.sweeps(data.sweeps),
                "Sweeps",
                "What was read while one heater was stepped (points) and the fitted fringe (line). t: inside an "
                "interferometer; p: before one. The numbers are its column and its upper row.",
            )
        )
    failed = [row for row in data.shifters if not row.ok]
    if failed:
        parts += [
            tag("h3", "Not to be trusted"),
            table(["shifter", "why"], [[r.name, r.reason] for r in failed]),
        ]
    return join([*parts, tag("h3", "Every shifter"), _rows(data.shifters, numbers)])


def _rows(shown: tuple[ShifterRow, ...], numbers: Numbers) -> Markup:
    names = list(dict.fromkeys(name for row in shown for name in row.figures))
    columns = [name for name in names if not (name.endswith("_error") or "_error_" in name)]
    rows = []
    for row in shown:
        cells = [_cell(numbers, row, name) for name in columns]
        rows.append([row.name, badge("good", "good") if row.ok else badge("failed", "bad"), *cells])
    return table(["shifter", "", *(name.rpartition("_")[0] or name for name in columns)], rows, "wide")


def _cell(numbers: Numbers, row: ShifterRow, name: str) -> object:
    if name not in row.figures:
        return ""
    stem, _, suffix = name.rpartition("_")
    unit = _UNITS.get(suffix, "")
    beside = f"{stem}_error_{suffix}" if unit else f"{name}_error"
    path = ("shifters", "each", row.name, name)
    if beside in row.figures:
        return numbers.pair(partial(with_uncertainty, unit=unit), path, beside)
    return numbers(partial(quantity, unit=unit) if unit else lambda value: significant(value, 3), *path)


def crosstalk(data: MeshReport, numbers: Numbers) -> Markup:
    """The map of what each heater does to the other shifters."""
    if data.crosstalk is None:
        return missing("Crosstalk has not been measured yet.")
    return join(
        [
            tag(
                "p",
                "A heater has at most ",
                numbers(percent, "crosstalk", "largest"),
                " of its effect on another shifter; all others together add ",
                numbers(percent, "crosstalk", "mean_row_sum"),
                " of a shifter's own on the mean.",
            ),
            picture(
                mesh_figures.crosstalk(data.crosstalk, [row.name for row in data.shifters]),
                "Crosstalk",
                "Each row is a shifter, each column a heater; logarithmic, without the diagonal. First all "
                "internal shifters, then the external ones.",
            ),
        ]
    )
