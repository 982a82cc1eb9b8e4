"""Driving a mesh by names while little is known of it: which inputs are lit, where heaters stand, what is read."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.device import Array, Device, Flag
from calibration.errors import ShapeError
from calibration.mesh.drive import least_powers
from simulators.models.mesh import PhotonicChip

HEATER_CURRENTS = "heater_currents"
"""The tap that says what each heater draws, in A."""

Readings = Mapping[str, Array]
"""`inputs_V` (T, N) and `heater_V` (H,) as they were set; of a sweep, `swept` (k,), the numbers of the heaters that
went through `volts` (T, k) meanwhile; `powers` (T, N) in W as read, and `flags` (T,)."""

_UNTRUE = Flag.COMPLIANCE | Flag.LATE
_SPARE_RAD = 0.2 * np.pi  # in hand for what neighbours take off


class Probe:
    """A mesh with what is known of it.

    Args:
        device: its inputs are the modulators, its controls the heaters by the names of the layout's shifters.
        twin: says what voltages mean; changes made to it later count.

    Raises ShapeError for a device of another shape.
    """

    def __init__(self, device: Device, twin: PhotonicChip) -> None:
        shifters, ports = twin.mesh.layout.shifters, twin.n_inputs
        if len(device.inputs.names) != ports or set(device.controls.names) != set(shifters):
            raise ShapeError(
                f"the device has {len(device.inputs.names)} inputs and {len(device.controls.names)} controls, a "
                f"{twin.mesh.layout.kind} mesh of {ports} ports has {ports} modulators and {len(shifters)} heaters, "
                f"{shifters[0]} to {shifters[-1]}"
            )
        if len(device.outputs.names) != ports:
            raise ShapeError(f"the device has {len(device.outputs.names)} outputs, the mesh has {ports}")
        self.device, self.twin = device, twin
        self.modulators, self.shifters = device.inputs.names, shifters
        place = [device.controls.names.index(name) for name in shifters]
        self.high_V = np.minimum(np.asarray(device.controls.high)[place], twin.heaters.high_V.numpy())

    # What is set and read -----------------------------------------------------------------------------------

    def lit(self, ports: Sequence[int]) -> Array:
        """Modulator voltages (N,) with some of them open and the others shut, as far as their range goes."""
        parts = self.twin.modulators
        closed, half = parts.closed_V.numpy(), parts.half_wave_V.numpy()
        volts = closed - 2.0 * half / np.pi * np.arcsin(np.clip(parts.floor.numpy(), -1.0, 1.0))
        volts[list(ports)] = (closed + half)[list(ports)]
        return np.asarray(np.clip(volts, self.device.inputs.low, self.device.inputs.high))

    def read(self, inputs_V: Array, heater_V: Array, currents: bool = False) -> Readings:
        """Read at modulator voltages (T, N) with the heaters standing at (H,); `currents` (T, H) in A if asked."""
        held = dict(zip(self.shifters, heater_V.tolist(), strict=True))
        return {
            "inputs_V": np.array(inputs_V),
            "heater_V": np.array(heater_V),
            **self._run(self.modulators, inputs_V, held, range(len(self.shifters)) if currents else ()),
        }

    def sweep(
        self, heaters: Sequence[int], volts: Array, inputs_V: Array, heater_V: Array, currents: bool = False
    ) -> Readings:
        """Read while the heaters of these numbers go through `volts` (T, k) and everything else stands still.

        With `currents`, those of the swept heaters are read too, (T, k) in A.
        """
        held = dict(zip(self.modulators, inputs_V.tolist(), strict=True))
        held |= dict(zip(self.shifters, heater_V.tolist(), strict=True))
        names = [self.shifters[k] for k in heaters]
        read = self._run(names, volts, held, heaters if currents else ())
        return {**sweep_settings(heaters, volts, inputs_V, heater_V), **read}

    def _run(
        self, names: Sequence[str], values: Array, held: Mapping[str, float], tapped: Sequence[int]
    ) -> dict[str, Array]:
        view = self.device.with_inputs(list(names))
        view.set_controls(np.array([held[name] for name in view.controls.names]))
        measured = view.run(np.asarray(values, dtype=np.float64)[None])
        found = {"powers": measured.outputs[0], "flags": measured.flags[0].astype(np.float64)}
        if len(tapped):
            order = view.taps[HEATER_CURRENTS].names
            place = [order.index(self.shifters[k]) for k in tapped]
            found["currents"] = measured.taps[HEATER_CURRENTS][0][:, place]
        return found

    def light(self, readings: Readings, dark_W: Array) -> Array:
        """Powers (T, N) without the dark; NaN where a detector was at its end, or a source was not as set."""
        powers, untrue = readings["powers"], (readings["flags"].astype(np.uint8) & _UNTRUE) != 0
        over = ~(powers < 0.999 * np.asarray(self.device.outputs.high))
        return np.where(over | untrue[:, None], np.nan, powers - dark_W)

    def expected(self, readings: Readings) -> Array:
        """What the twin as it is now says of the powers (T, N) of a reading, without the dark."""
        with torch.no_grad():
            inputs, heaters = torch.as_tensor(readings["inputs_V"]), torch.as_tensor(_heater_V(readings))
            return np.asarray(self.twin(inputs, heaters).numpy())

    # What voltages mean -------------------------------------------------------------------------------------

    def swept_W(self, readings: Readings) -> Array:
        """Powers (T, k) of the swept heaters, the converter's resolution included."""
        bank = self.twin.heaters
        with torch.no_grad():
            powers = bank.powers(bank.quantised(torch.as_tensor(_heater_V(readings)))).numpy()
        return np.asarray(np.atleast_2d(powers)[:, readings["swept"].astype(int)])

    def volts(self, heater_W: Array) -> Array:
        """Heater voltages (..., H) for powers (..., H), not above the limits; 0 V for an open heater."""
        with torch.no_grad():
            asked = self.twin.heaters.volts(torch.as_tensor(np.maximum(heater_W, 0.0))).numpy()
        return np.asarray(np.clip(np.nan_to_num(asked, nan=0.0, posinf=0.0), 0.0, self.high_V))

    def most_W(self) -> Array:
        """The most power (H,) of each heater."""
        with torch.no_grad():
            return np.asarray(self.twin.heaters.powers(torch.as_tensor(self.high_V)).numpy())

    def half_turn_W(self) -> Array:
        """The power (H,) with which each heater adds half a turn to its own shifter."""
        return np.asarray(np.pi / self.twin.heaters.gamma_rad_per_W.numpy())

    def live(self, shifter: int) -> bool:
        """Whether a shifter has a heater that works."""
        return bool(np.isfinite(float(self.twin.heaters.resistance_ohm[shifter])))

    def felt(self, shifter: int, heater_V: Array) -> float:
        """What a shifter feels of the other heaters at voltages (H,), in rad."""
        bank = self.twin.heaters
        with torch.no_grad():
            powers = bank.powers(bank.quantised(torch.as_tensor(heater_V)))
            powers[shifter] = 0.0
            return float(bank.phases(powers)[shifter])

    def reaches(self, phase_rad: float) -> NDArray[np.bool_]:
        """Whether each shifter (H,) can be brought to a phase within its heater's limit, by what is known of it."""
        needed = (phase_rad - self.twin.mesh.phase_offset.numpy()) % (2.0 * np.pi)
        return np.asarray(needed + _SPARE_RAD <= np.pi * self.most_W() / self.half_turn_W())

    def heating(self, phases_rad: Mapping[int, float]) -> Array:
        """Least heater powers (H,) that bring some shifters to phases, crosstalk included; the others stay cold."""
        wanted, cold = -self.twin.mesh.phase_offset.numpy(), np.ones(len(self.shifters), dtype=bool)
        for k, phase in phases_rad.items():
            wanted[k] += phase
            cold[k] = False
        return least_powers(wanted, self.twin.heaters, self.most_W(), cold)[0]


def sweep_settings(heaters: Sequence[int], volts: Array, inputs_V: Array, heater_V: Array) -> Readings:
    """A sweep as it is to be read: what `Probe.expected` needs of its readings."""
    return {
        "inputs_V": np.tile(inputs_V, (len(volts), 1)),
        "heater_V": np.array(heater_V),
        "swept": np.array(heaters, dtype=np.float64),
        "volts": np.array(volts),
    }


def own_copy(twin: PhotonicChip) -> PhotonicChip:
    """A twin that can be changed while the one it came from stays."""
    return copy.deepcopy(twin)


def _heater_V(readings: Readings) -> Array:
    """Voltages of all heaters, (H,) of a reading, (T, H) of a sweep."""
    if "swept" not in readings:
        return readings["heater_V"]
    whole = np.tile(readings["heater_V"], (len(readings["volts"]), 1))
    whole[:, readings["swept"].astype(int)] = readings["volts"]
    return whole
