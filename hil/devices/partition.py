"""Electrodes parted into fast inputs and held controls, for devices that need no instruments."""

import copy
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from calibration.device import Array, ChannelGroup, Cost, Device
from calibration.errors import ShapeError

Rows = NDArray[np.intp]


class Partition:
    """Electrodes parted into inputs and controls, and the voltages at which the controls are held.

    Args:
        electrodes: all driven electrodes, in the chip's order.
        inputs: names of the fast ones; every other is a control.
        sample_rate_Hz: of the waveforms, for their slew.
        held: present voltage of every electrode, shape (n,); shared between partitions of one chip.
        rows: where in `held` these electrodes are, for a part of a larger chip; all of it unless said.
    """

    def __init__(
        self,
        electrodes: ChannelGroup,
        inputs: Sequence[str],
        sample_rate_Hz: float,
        held: Array,
        rows: Rows | None = None,
    ) -> None:
        place, fast = {name: k for k, name in enumerate(electrodes.names)}, frozenset(inputs)
        unknown = [name for name in inputs if name not in place]
        if unknown or not inputs:
            known = ", ".join(electrodes.names)
            what = f"no electrode {unknown[0]!r}" if unknown else "no input was named"
            raise ShapeError(f"{what}; this chip has {known}")
        self.electrodes, self.sample_rate_Hz, self.held = electrodes, sample_rate_Hz, held
        self.rows: Rows = np.arange(len(electrodes.names)) if rows is None else rows
        self.inputs = electrodes.select(tuple(inputs))
        self.controls = electrodes.select([name for name in electrodes.names if name not in fast])
        self._input_index = [place[name] for name in self.inputs.names]
        self._control_index = [place[name] for name in self.controls.names]

    def hold(self, values: Array) -> None:
        """Hold the controls at `values`, shape (n_controls,)."""
        checked = np.asarray(values, dtype=np.float64)
        self._check(checked, self.controls, (len(self.controls.names),))
        self.held[self.rows[self._control_index]] = checked

    @property
    def present(self) -> Array:
        """What the electrodes stand at, (n,)."""
        return self.held[self.rows]

    def voltages(self, inputs: Array) -> Array:
        """Every electrode's voltage (batch, time, n) for `inputs` (batch, time, n_in)."""
        checked = self.checked(inputs)
        whole = np.broadcast_to(self.present, (*checked.shape[:2], len(self.rows))).copy()
        whole[..., self._input_index] = checked
        return whole

    def checked(self, inputs: Array) -> Array:
        """`inputs` (batch, time, n_in) themselves; raises ShapeError where they do not fit the channels."""
        checked = np.asarray(inputs, dtype=np.float64)
        if checked.ndim != 3 or not checked.shape[1]:
            raise ShapeError(f"inputs must be (batch, time, {len(self._input_index)}), not {checked.shape}")
        self._check(checked, self.inputs, (*checked.shape[:2], len(self._input_index)))
        self._check_slew(checked)
        return checked

    def remember(self, voltages: Array) -> None:
        """The electrodes now stand at `voltages`, shape (n,)."""
        self.held[self.rows] = voltages

    def _check_slew(self, inputs: Array) -> None:
        slew = np.abs(np.diff(inputs, axis=1)) * self.sample_rate_Hz
        wrong = slew > self.inputs.max_slew * (1 + 1e-6)
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            name, limit = self.inputs.names[where[-1]], self.inputs.max_slew[where[-1]]
            raise ShapeError(
                f"{name}: {slew[where]:g} {self.inputs.unit}/s to sample {where[1] + 1} exceeds "
                f"{limit:g} {self.inputs.unit}/s; use more samples for the change"
            )

    @staticmethod
    def _check(values: Array, group: ChannelGroup, shape: tuple[int, ...]) -> None:
        if values.shape != shape:
            raise ShapeError(
                f"expected shape {shape} for {', '.join(group.names) or 'no channels'}, got {values.shape}"
            )
        wrong = ~((values >= group.low) & (values <= group.high))
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            channel = where[-1]
            raise ShapeError(
                f"{group.names[channel]}: {values[where]:g} {group.unit} is outside "
                f"{group.low[channel]:g} to {group.high[channel]:g} {group.unit}; keep it inside"
            )


class PartedDevice:
    """What every device without instruments shares: its partition, its views, its count of samples and its time.

    Views made by `with_inputs` share the held voltages, the count and the time. Subclasses answer `run`.
    """

    taps: Mapping[str, ChannelGroup]
    layers: Sequence[Device]

    def __init__(
        self,
        identity: Mapping[str, str],
        electrodes: ChannelGroup,
        outputs: ChannelGroup,
        sample_rate_Hz: float,
    ) -> None:
        self.identity, self.outputs, self.sample_rate_Hz = identity, outputs, sample_rate_Hz
        self.taps, self.layers = {}, ()
        self._count, self._idle = {"samples": 0}, {"s": 0.0}
        self._part(electrodes, electrodes.names, np.zeros(len(electrodes.names)))

    def _part(
        self, electrodes: ChannelGroup, inputs: Sequence[str], held: Array, rows: Rows | None = None
    ) -> None:
        self._partition = Partition(electrodes, inputs, self.sample_rate_Hz, held, rows)
        self.inputs, self.controls = self._partition.inputs, self._partition.controls

    @property
    def cost(self) -> Cost:
        """Samples answered so far, and the time that a chip takes for them."""
        return Cost(self._count["samples"], self._count["samples"] / self.sample_rate_Hz)

    def wait(self, seconds: float) -> None:
        """See `calibration.device.Waiting`."""
        if not 0.0 <= seconds < np.inf:
            raise ShapeError(f"a wait of {seconds} s: a number, not negative")
        self._idle["s"] += seconds

    def _instants(self, samples: int) -> Array:
        """When the next samples are read, (samples,) in s; the device's time begins with it."""
        return self._idle["s"] + (self._count["samples"] + 1 + np.arange(samples)) / self.sample_rate_Hz

    def with_inputs(self, names: Sequence[str]) -> Self:
        """See `calibration.device.Device`."""
        view = copy.copy(self)
        view._part(self._partition.electrodes, names, self._partition.held, self._partition.rows)
        return view

    def set_controls(self, values: Array) -> None:
        """See `calibration.device.Device`."""
        self._partition.hold(values)

    def rest(self) -> None:
        """Every electrode to 0 V."""
        self._partition.remember(np.zeros(len(self._partition.rows)))
