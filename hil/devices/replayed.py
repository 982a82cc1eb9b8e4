"""A recorded run as a device: it answers with the nearest point that was really measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from scipy.spatial import cKDTree

from calibration.device import Array, ChannelGroup, Flags, Response
from calibration.errors import NotEnoughData, OutsideData
from hil.devices.partition import PartedDevice


class ReplayedDevice(PartedDevice):
    """Answers each sample with the recorded one nearest to it, and says how far that was.

    Distances are Euclidean in units of each electrode's range. The tap `distance` holds them.

    Args:
        identity: whose recording this is.
        electrodes: the driven electrodes.
        outputs: the read channels.
        inputs_recorded, outputs_recorded, flags_recorded: the samples, (rows, n), (rows, n_out), (rows,).
        sample_rate_Hz: at which they were taken.
        reach: largest distance at which a recorded point may answer.

    Raises:
        NotEnoughData: no usable row.
    """

    def __init__(
        self,
        identity: Mapping[str, str],
        electrodes: ChannelGroup,
        outputs: ChannelGroup,
        inputs_recorded: Array,
        outputs_recorded: Array,
        flags_recorded: Flags,
        sample_rate_Hz: float,
        reach: float = 0.25,
    ) -> None:
        good = np.isfinite(inputs_recorded).all(axis=1) & np.isfinite(outputs_recorded).all(axis=1)
        if not good.any():
            raise NotEnoughData("the recording holds no usable sample; sample first")
        super().__init__({**identity, "replayed": "yes"}, electrodes, outputs, sample_rate_Hz)
        self.reach = reach
        free = np.full(1, np.inf)
        self.taps = {"distance": ChannelGroup(("distance",), "1", np.zeros(1), np.full(1, reach), free)}
        self._span = electrodes.high - electrodes.low
        self._tree = cKDTree(inputs_recorded[good] / self._span)
        self._answers, self._flags = outputs_recorded[good], flags_recorded[good]

    @classmethod
    def of_run(cls, run: Path | str, reach: float = 0.25) -> Self:
        """The samples of a run folder; raises RunError for a folder that is no run or holds no samples."""
        from hil.store import RunStore

        with RunStore.open(run) as store:
            table = store.table("sampling")
            data, columns = table.read(), table.columns
            identity = {"kind": "dnpu", "name": store.name, **store.manifest.get("instruments", {})}
            rate = float(table.attributes["sample_rate_Hz"])
        inputs, outputs = data["inputs"], data["outputs"]
        width, steps = (
            inputs.shape[1],
            np.abs(np.diff(inputs.reshape(table.committed, -1, inputs.shape[1]), axis=1)),
        )
        free = np.full(outputs.shape[1], np.inf)
        return cls(
            identity,
            ChannelGroup(
                columns["inputs"].channels,
                columns["inputs"].unit,
                np.nanmin(inputs, axis=0),
                np.nanmax(inputs, axis=0),
                np.maximum(steps.reshape(-1, width).max(axis=0) * rate, 1e-9),
            ),
            ChannelGroup(columns["outputs"].channels, columns["outputs"].unit, -free, free, free),
            inputs,
            outputs,
            data["flags"],
            rate,
            reach,
        )

    def run(self, inputs: Array) -> Response:
        """See `calibration.device.Device`; OutsideData where nothing near enough was recorded."""
        voltages = self._partition.voltages(inputs)
        distance, row = self._tree.query(voltages / self._span)
        if distance.max(initial=0.0) > self.reach:
            batch, sample = np.unravel_index(int(distance.argmax()), distance.shape)
            point = ", ".join(
                f"{name} {value:.3f} V"
                for name, value in zip(self._partition.electrodes.names, voltages[batch, sample], strict=True)
            )
            raise OutsideData(
                f"nothing was recorded within {self.reach:g} of {point}: the nearest sample is "
                f"{distance.max():.3g} away (in units of the ranges); sample there or allow a longer reach"
            )
        self._count["samples"] += distance.size
        return Response(
            np.asarray(inputs, dtype=np.float64),
            self._answers[row],
            self._flags[row],
            {"distance": distance[..., None]},
        )
