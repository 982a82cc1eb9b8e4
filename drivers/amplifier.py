"""The transimpedance amplifier's gain and offset, measured with the chip at rest and a known current.

With all electrodes at 0 V the readout carries no current and the meter shows the offset. A source
channel through a known resistor into the virtual ground then adds V / R at several levels of both signs;
the slope of a straight line through the readings is the gain. Each reading averages over whole periods
of the mains, which takes the hum out. Levels are visited upwards and downwards, which takes a linear
drift out of the gain.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from drivers.errors import AmplifierError
from drivers.layout import REFERENCE, Readout
from drivers.outputs import Outputs
from drivers.response import Array
from drivers.roles import Digitizer

FORMAT = "amplifier-calibration/1"

_HEADROOM = 0.6  # of the saturation, at the nominal gain: an offset must fit beside it
_NEAR_SATURATION = 0.95
_STRAIGHT = 0.005  # of the span: the largest deviation from a straight line
_SIGNIFICANT = 0.01  # of the gain: the largest statistical uncertainty


@dataclass(frozen=True)
class AmplifierCalibration:
    """What was measured; standard uncertainties (one sigma) beside each.

    `gain_std` includes the resistor's tolerance, `gain_std_statistical` does not. `residual_V` is the
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
    readings of `mains_periods` periods each. Raises AmplifierError when the amplifier saturates, is not
    linear, drifts, does not answer clearly, or its gain is off the nominal one by more than `plausible`.
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
    where = f"amplifier of {readout.electrode}"

    def visit(level_V: float) -> Array:
        reference.move({REFERENCE: level_V})
        volts = digitizer.read(readings, aperture_s, readout.settling_s)
        if not (np.abs(volts) < _NEAR_SATURATION * readout.saturation_V).all():
            raise AmplifierError(
                f"{where}: {np.abs(volts).max():.4g} V with {level_V:.4g} V on the reference is at its "
                f"saturation of {readout.saturation_V:g} V; check the resistor, the offset and the wiring"
            )
        return volts

    electrodes.move(dict.fromkeys(electrodes.names, 0.0))
    rest = [visit(0.0)]
    fast = digitizer.read(noise_readings, sampling_aperture_s, readout.settling_s)
    reach_V = min(
        wiring.high_V,
        -wiring.low_V,
        _HEADROOM * readout.saturation_V / abs(readout.nominal_gain_V_per_A) * wiring.resistor_ohm,
    )
    upwards = np.linspace(-reach_V, reach_V, levels)
    visited = np.concatenate([upwards, upwards[::-1]])
    seen = []
    for half in np.split(visited, 2):
        seen += [visit(float(level)) for level in half]
        rest.append(visit(0.0))

    means = np.array([volts.mean() for volts in seen])
    at_rest = np.array([volts.mean() for volts in rest])
    # Noise that averages out within a visit, and noise that shows only between visits: the larger counts.
    within = float(np.sqrt(np.mean([volts.var(ddof=1) for volts in (*seen, *rest)]) / readings))
    currents = visited / wiring.resistor_ohm
    spread = float(np.sqrt(((currents - currents.mean()) ** 2).sum()))
    gain = float(((currents - currents.mean()) * (means - means.mean())).sum() / spread**2)
    deviations = means - (means.mean() + gain * (currents - currents.mean()))
    between = float(np.sqrt((deviations**2).sum() / (len(means) - 2)))
    visit_std = max(within, between)
    statistical = visit_std / spread
    offset = float(at_rest.mean())
    offset_std = max(within, float(at_rest.std(ddof=1))) / float(np.sqrt(len(at_rest)))

    nominal = readout.nominal_gain_V_per_A
    if not abs(gain / nominal - 1.0) <= plausible:
        raise AmplifierError(
            f"{where}: gain {gain:.4g} V/A is off the nominal {nominal:.4g} V/A by more than "
            f"{plausible:.0%}; check the range switch, the sign, the resistor and the wiring"
        )
    span = abs(gain) * float(np.ptp(currents))
    worst = float(np.abs(deviations).max())
    if worst > max(6.0 * within, _STRAIGHT * span):
        raise AmplifierError(
            f"{where}: readings leave a straight line by {worst:.3g} V over a span of {span:.3g} V "
            f"(noise {within:.2g} V); it is not linear, or it drifts: let it warm up and check the range"
        )
    if not statistical <= _SIGNIFICANT * abs(gain):
        raise AmplifierError(
            f"{where}: gain {gain:.4g} V/A is known only to {statistical:.2g} V/A; use a smaller resistor, "
            "a higher reference voltage or more readings"
        )
    intercept = float(means.mean() - gain * currents.mean())
    if abs(intercept - offset) > max(6.0 * float(np.hypot(within, offset_std)), _STRAIGHT * span):
        raise AmplifierError(
            f"{where}: offset {offset:.4g} V at rest but {intercept:.4g} V from the levels; it drifts"
        )
    return AmplifierCalibration(
        gain_V_per_A=gain,
        gain_std=float(np.hypot(statistical, gain * wiring.tolerance)),
        gain_std_statistical=statistical,
        offset_V=offset,
        offset_std=offset_std,
        residual_V=float(np.sqrt((deviations**2).mean())),
        noise_V=float(fast.std(ddof=1)),
        saturation_V=readout.saturation_V,
        resistor_ohm=wiring.resistor_ohm,
        levels_V=tuple(visited.tolist()),
        readings_V=tuple(means.tolist()),
        readings_per_visit=readings,
    )


def _is_finite(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and bool(np.isfinite(number))
