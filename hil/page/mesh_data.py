"""What the report of a photonic mesh shows, as plain values in SI units; a part that does not exist yet is None."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hil.page.data import Array, Page


@dataclass(frozen=True, eq=False)
class Ports:
    """What each detector reads in the dark, and the share of the light that reaches it; both (N,).

    `notes` says which ports cannot be used, and what is done about it.
    """

    names: tuple[str, ...]
    dark_W: Array
    transmission: Array | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class HeaterCurve:
    """Voltage and current of one heater, each (points,)."""

    name: str
    volts: Array
    amperes: Array
    ok: bool = True


@dataclass(frozen=True, eq=False)
class Sweep:
    """One shifter's sweep: power of its heater and the share of light read, (points,) each, and the fitted curve.

    `offset_rad` is its phase without heat, `visibility` that of the fringe.
    """

    name: str
    heater_W: Array
    share: Array
    fitted_W: Array
    fitted: Array
    ok: bool = True


@dataclass(frozen=True)
class ShifterRow:
    """How one shifter came out; `figures` are in SI units, by name."""

    name: str
    ok: bool
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Twin:
    """The fit of the chip's model to random settings.

    Attributes:
        loss: after each step of the fit, (steps,).
        figures: more of them, by name.
        verdict: of the fit, in words.
        residual_over_noise: RMS of what the twin leaves, in standard deviations of a reading.
    """

    loss: Array
    residual_over_noise: float | None
    figures: Mapping[str, float] = field(default_factory=dict)
    verdict: str = ""


@dataclass(frozen=True, eq=False)
class Verification:
    """Random unitaries on the chip: the amplitude fidelity of each, and powers that were predicted and read.

    Attributes:
        fidelity: one for each unitary.
        predicted_W, measured_W: (points, N), at the ports in their order.
        uncorrected: the fidelities without the correction of the splitters.
    """

    fidelity: Array
    predicted_W: Array
    measured_W: Array
    uncorrected: Array | None = None


@dataclass(frozen=True)
class Recheck:
    """Settings read again at the end: the twin's residual over noise then and now, and the change over noise."""

    settings: int
    then: float | None
    now: float | None
    change: float | None
    verdict: str


@dataclass(frozen=True, eq=False)
class Deployed:
    """A matrix on the chip: the amplitudes that were wanted and read, and the fidelity by how it was set.

    Attributes:
        fidelity: by the way of setting: as designed, calibrated, corrected, refined; the last one is the best.
        wanted, measured: amplitudes (N, N), the last one's.
        clipped, unreached: interferometers and shifters that cannot do what was asked, in words.
    """

    source: str
    fidelity: Mapping[str, float]
    wanted: Array
    measured: Array
    clipped: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MeshReport(Page):
    """Everything in the report of a photonic mesh."""

    layout: str = ""
    record: Mapping[str, object] = field(default_factory=dict)
    readings: int = 0
    chip_time_s: float = 0.0
    ports: Ports | None = None
    heaters: tuple[HeaterCurve, ...] = ()
    design_ohm: float | None = None
    sweeps: tuple[Sweep, ...] = ()
    shifters: tuple[ShifterRow, ...] = ()
    crosstalk: Array | None = None
    """Effect of each heater (columns) on each shifter (rows), as a share of the shifter's own, (H, H)."""
    twin: Twin | None = None
    verification: Verification | None = None
    recheck: Recheck | None = None
    deployed: Deployed | None = None

    @property
    def good_share(self) -> float | None:
        """Share of the shifters that can be trusted."""
        return float(np.mean([row.ok for row in self.shifters])) if self.shifters else None
