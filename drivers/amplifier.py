"""The transimpedance amplifier's gain and offset, measured with the chip at rest and a known current.

What is measured is the chain that turns current into readings: the meter's own errors are part of it.

With all electrodes at 0 V the readout carries no current and the meter shows the offset. A source
channel through a known resistor into the virtual ground then adds V / R at several levels of both signs;
the slope of a straight line through the readings is the gain. Each reading averages over whole periods
of the mains, which takes the hum out. Levels are visited upwards and downwards, which takes a linear
drift out of the gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from drivers.errors import AmplifierError
from drivers.layout import REFERENCE, Readout, Reference
from drivers.outputs import Outputs
from drivers.response import Array
from drivers.roles import Digitizer

FORMAT = "amplifier-calibration/1"

_HEADROOM = 0.6  # of the saturation, at the nominal gain: an offset must fit beside it
_NEAR_SATURATION = 0.95
_STRAIGHT = 0.005  # of the span: the largest deviation from a straight line
_SIGMAS = 6.0  # beyond which a deviation is not chance
_SIGNIFICANT = 0.01  # of the gain: the largest statistical uncertainty


@dataclass(frozen=True)
class AmplifierCalibration:
    """What was measured; standard uncertainties (one sigma) beside each.

    `gain_std` includes the reference's tolerance, `gain_std_statistical` does not. `residual_V` is the
    rms deviation from a straight line, `noise_V` the standard deviation of one reading at rest with the
    aperture used for sampling.
    """

    gain_V_per_A: float
    gain_std: float
    gain_std_statistical: float
    offset_V: float
    offset_std: float
    residual_V: float
    noise_V: float
    saturation_V: float
    resistor_ohm: float
    levels_V: tuple[float, ...]
    """Reference voltage of each visit."""
    readings_V: tuple[float, ...]
    """Mean reading of each visit."""
    readings_per_visit: int

    def current_A(self, readings_V: Array) -> Array:
        """Readings in V as currents in A into the virtual ground."""
        return np.asarray((readings_V - self.offset_V) / self.gain_V_per_A)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON, with its format."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave, also after JSON; raises AmplifierError for anything else."""
        if stored.get("format") != FORMAT:
            raise AmplifierError(f"format {stored.get('format')!r} where {FORMAT!r} is needed; measure anew")
        values = {key: value for key, value in stored.items() if key != "format"}
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise AmplifierError(f"keys do not fit {FORMAT}: {sorted(set(values) ^ names)}; measure anew")
        for key, value in values.items():
            numbers = value if key in ("levels_V", "readings_V") else [value]
            if not isinstance(numbers, list | tuple) or not all(_is_finite(number) for number in numbers):
                raise AmplifierError(f"{key} is {value!r}, which is no finite number; measure anew")
            if isinstance(value, list):
                values[key] = tuple(value)
        if values["gain_V_per_A"] == 0.0:
            raise AmplifierError("a stored gain of 0 turns no voltage into a current; measure anew")
        return cls(**values)


def calibrate_amplifier(
    electrodes: Outputs,
    reference: Outputs,
    digitizer: Digitizer,
    readout: Readout,
    *,
    sampling_aperture_s: float,
    levels: int = 7,
    readings: int = 10,
    mains_periods: int = 1,
    plausible: float = 0.2,
    noise_readings: int = 200,
) -> AmplifierCalibration:
    """Measure gain and offset; the electrodes and the reference are at 0 V afterwards.

    `levels` voltages of the reference, spread evenly over both signs, are visited twice with `readings`
    readings of `mains_periods` periods each. Raises AmplifierError when the amplifier saturates or is
    not linear, when drift or noise hide the gain, or when it is off the nominal one by more than `plausible`.
    """
    wiring = readout.reference
    if wiring is None:
        raise AmplifierError(
            f"readout {readout.electrode} has no reference source, so its gain cannot be measured; "
            "wire a source channel through a known resistor into the amplifier"
        )
    if levels < 3 or readings < 2 or mains_periods < 1 or noise_readings < 2:
        raise AmplifierError("a calibration needs at least 3 levels and 2 readings of 1 mains period")
    aperture_s = mains_periods / digitizer.line_frequency_Hz

    def visit(level_V: float) -> Array:
        reference.move({REFERENCE: level_V})
        volts = digitizer.read(readings, aperture_s, readout.settling_s)
        if not (np.abs(volts) < _NEAR_SATURATION * readout.saturation_V).all():
            raise AmplifierError(
                f"amplifier of {readout.electrode}: {np.abs(volts).max():.4g} V with {level_V:.4g} V on the "
                f"reference is at its saturation of {readout.saturation_V:g} V; check the resistor, the "
                "offset and the wiring"
            )
        return volts

    electrodes.move(dict.fromkeys(electrodes.names, 0.0))
    rest = [visit(0.0)]
    fast = digitizer.read(noise_readings, sampling_aperture_s, readout.settling_s)
    upwards = np.linspace(-1.0, 1.0, levels) * _reach(readout, wiring)
    visited = []
    for sweep in (upwards, upwards[::-1]):
        visited += [visit(float(level)) for level in sweep]
        rest.append(visit(0.0))
    line = _Line.through(np.concatenate([upwards, upwards[::-1]]) / wiring.resistor_ohm, visited, rest)
    line.judge(readout, plausible)
    return AmplifierCalibration(
        gain_V_per_A=line.gain,
        gain_std=float(np.hypot(line.gain_std, line.gain * wiring.tolerance)),
        gain_std_statistical=line.gain_std,
        offset_V=line.offset,
        offset_std=line.offset_std,
        residual_V=float(np.sqrt((line.deviations**2).mean())),
        noise_V=float(fast.std(ddof=1)),
        saturation_V=readout.saturation_V,
        resistor_ohm=wiring.resistor_ohm,
        levels_V=tuple((line.currents * wiring.resistor_ohm).tolist()),
        readings_V=tuple(line.means.tolist()),
        readings_per_visit=readings,
    )


def _reach(readout: Readout, wiring: Reference) -> float:
    """The largest level of either sign that the reference and the amplifier allow, in V."""
    headroom_A = _HEADROOM * readout.saturation_V / abs(readout.nominal_gain_V_per_A)
    reach_V = min(wiring.high_V, -wiring.low_V, headroom_A * wiring.resistor_ohm)
    if reach_V <= 0.0:
        raise AmplifierError(
            f"the reference's range {wiring.low_V:g} V to {wiring.high_V:g} V has one sign only; allow both"
        )
    return reach_V


@dataclass(frozen=True, eq=False)
class _Line:
    """A straight line through the means of visits, upwards and downwards again; standard uncertainties."""

    currents: Array
    means: Array
    deviations: Array
    gain: float
    gain_std: float
    offset: float
    offset_std: float
    within: float
    """Standard uncertainty of one visit's mean, as far as its own readings show."""

    @classmethod
    def through(cls, currents: Array, visited: Sequence[Array], rest: Sequence[Array]) -> Self:
        means = np.array([volts.mean() for volts in visited])
        at_rest = np.array([volts.mean() for volts in rest])
        variances = [volts.var(ddof=1) / len(volts) for volts in (*visited, *rest)]
        within = float(np.sqrt(np.mean(variances)))
        centred = currents - currents.mean()
        gain = float((centred * means).sum() / (centred**2).sum())
        deviations = means - means.mean() - gain * centred
        # Noise that averages out within a visit, and noise that shows only between visits: the larger counts.
        visit_std = max(within, float(np.sqrt((deviations**2).sum() / (len(means) - 2))))
        return cls(
            currents,
            means,
            deviations,
            gain,
            visit_std / float(np.sqrt((centred**2).sum())),
            float(at_rest.mean()),
            max(visit_std, float(at_rest.std(ddof=1))) / float(np.sqrt(len(at_rest))),
            within,
        )

    def judge(self, readout: Readout, plausible: float) -> None:
        """Raise AmplifierError for a gain that cannot be trusted."""
        where, nominal = f"amplifier of {readout.electrode}", readout.nominal_gain_V_per_A
        if not abs(self.gain / nominal - 1.0) <= plausible:
            raise AmplifierError(
                f"{where}: gain {self.gain:.4g} V/A is off the nominal {nominal:.4g} V/A by more than "
                f"{plausible:.0%}; check the range switch, the sign, the resistor and the wiring"
            )
        span = abs(self.gain) * float(np.ptp(self.currents))
        # A bend shows in both visits to a level; what shows in one of them only is noise or drift.
        upward, downward = np.split(self.deviations, 2)
        bend = float(np.abs(upward + downward[::-1]).max()) / 2.0
        between = float(np.sqrt(((upward - downward[::-1]) ** 2).mean())) / 2.0
        chance = max(between, self.within / float(np.sqrt(2.0)))
        if bend > max(_SIGMAS * chance, _STRAIGHT * span):
            raise AmplifierError(
                f"{where}: readings leave a straight line by {bend:.3g} V over a span of {span:.3g} V "
                f"(chance {chance:.2g} V); it is not linear: check its range and its load"
            )
        if not self.gain_std <= _SIGNIFICANT * abs(self.gain):
            raise AmplifierError(
                f"{where}: gain {self.gain:.4g} V/A is known only to {self.gain_std:.2g} V/A; let it warm "
                "up, or use a smaller resistor, a higher reference voltage or more readings"
            )


def _is_finite(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and bool(np.isfinite(number))
