"""A photonic mesh on its bench, as a QCoDeS instrument."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from qcodes.parameters import Parameter

from drivers.chip import Chip, identify
from drivers.errors import ShapeError
from drivers.guard import guarded
from drivers.mesh_hardware import MeshHardware, MeshInstruments
from drivers.mesh_layout import Heater, MeshLimits, MeshTiming, Modulator, Port
from drivers.partition import Partition
from drivers.response import Array, Response


class MeshPartition(Partition):
    """A view of a mesh: its inputs and controls, and its light."""

    _hardware: MeshHardware

    def light(self, on: bool) -> None:
        """See `PhotonicMesh.light`."""
        self._hardware.light(on)


class PhotonicMesh(Chip):
    """A photonic mesh between a laser with modulators and an array of power meters, tuned by heaters.

    Satisfies the `Device` seam, and `Shuttered`. Inputs are the modulators, controls the heaters, outputs the
    ports' powers; the tap `heater_currents` is read at the first sample of a run, and again at every one that
    moves a heater. `with_inputs` moves any channel to the other side. Every sample is a setting that is
    waited for until it has settled: where heaters are inputs, the sample rate is that of the heat.

    The laser shines from the first run on, unless `light(False)` was said, and is put out by `rest`. The
    instruments stay open when the chip is closed, with the chip at rest. Connecting sets the instruments' own
    limits and moves nothing.

    Args:
        instruments: the bench.
        modulators, heaters, ports: what is wired to what, in the order of inputs, controls and outputs.
        limits: of the chip as a whole.
        timing: of a reading.
        laser_power_W: that the chip is run with.
        wavelength_m: that laser and meters are set to; None leaves both as they are.
        mesh: kind of the mesh, for the identity, such as rectangular.
        expect: by instrument ("laser", "modulators", "heaters", "meters"), what must occur in its identity.
        replays: how often what met a line's trouble is done again.

    Raises:
        IdentityError: another instrument than expected, before anything else is sent.
        EnvelopeError, ShapeError: limits, names or timings that cannot work.
        InstrumentError: an instrument fails.
    """

    def __init__(
        self,
        name: str,
        instruments: MeshInstruments,
        modulators: Sequence[Modulator],
        heaters: Sequence[Heater],
        ports: Sequence[Port],
        *,
        limits: MeshLimits,
        timing: MeshTiming,
        laser_power_W: float,
        wavelength_m: float | None = None,
        mesh: str = "",
        expect: Mapping[str, str] | None = None,
        replays: int = 2,
        **kwargs: Any,
    ) -> None:
        hardware = MeshHardware(
            instruments, modulators, heaters, ports, limits, timing, laser_power_W, wavelength_m, replays
        )
        for channel in hardware.names:
            if not channel.isidentifier():
                raise ShapeError(f"channel name {channel!r} cannot be used; take a word such as t0_1")
        found = identify(vars(instruments), expect or {})
        identity = {"kind": "mesh", "name": name, "mesh": mesh, "ports": str(len(ports)), **found}
        device = MeshPartition(hardware, identity, hardware.modulators.names)
        facts = {modulator.name: asdict(modulator) for modulator in modulators}
        facts |= {heater.name: asdict(heater) for heater in heaters}
        super().__init__(name, hardware, device, facts, **kwargs)
        self._hardware: MeshHardware = hardware
        self._device: MeshPartition = device
        self.laser_power: Parameter[float, PhotonicMesh] = self.add_parameter(
            "laser_power",
            unit="W",
            label="Laser power",
            get_cmd=lambda: hardware.laser_power_W,
            set_cmd=hardware.set_laser_power,
        )
        """Power of the laser while it shines, in W; beyond the limits it is refused."""
        hardware.confine()

    def light(self, on: bool) -> None:
        """Read the runs that follow with light, or in the dark; a mesh begins lit. The light goes out at once.

        Holds for all views of the chip, and is not changed by `rest`. Raises InstrumentError with the chip
        at rest.
        """
        self._device.light(on)

    def zero_meters(self) -> None:
        """Take what the meters read in the dark off all later readings; the light goes out for that.

        Raises InstrumentError with the chip at rest.
        """
        hardware, lit = self._hardware, self._hardware.lit
        self.light(False)
        try:
            with guarded(hardware):
                hardware.stubbornly(hardware.zero)
        finally:
            hardware.lit = lit

    def run(self, inputs: Array) -> Response:
        """Set each sample of `inputs` (batch, time, n_in) in V, let it settle, and read the powers in W.

        Settling is waited for as long as `MeshTiming` says, by the meters' own measuring, after the modulators
        have arrived at their slew limits and the heaters, in steps, at theirs; so no sample is LATE. Where
        any meter is over its range or a port saturated, the sample is flagged CLIPPED and reads no more than
        the saturation. The inputs stay at the last sample.

        Raises ShapeError or EnvelopeError with nothing sent; TripError for heaters that their supply switched
        off, InstrumentTimeout after the budget of replays, InstrumentError for light that went out: all with
        the chip at rest.
        """
        return super().run(inputs)
