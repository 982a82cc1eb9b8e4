"""A photonic mesh in the bench file: laser, modulators, heaters, power meters, and the chip's design."""

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from hil.config.chip import ChipBase
from hil.config.fields import (
    Amperes,
    Metres,
    Ohms,
    Ordinal,
    Percent,
    PositiveVolts,
    Seconds,
    Section,
    Volts,
    VoltsPerSecond,
    Watts,
)

if TYPE_CHECKING:
    from simulators.models.mesh.layout import MeshLayout


class LayoutSection(Section):
    """Which interferometers there are; see `simulators.models.mesh.MeshLayout`."""

    kind: Literal["rectangular", "triangular"] = "rectangular"
    ports: Annotated[int, Field(ge=2, le=128)]


class LaserSection(Section):
    """The laser that lights every input.

    Attributes:
        limit: most power that the chip stands; without one, `power`.
        settling: from a change of the light until a reading is good.
    """

    instrument: str
    wavelength: Metres
    power: Watts
    limit: Watts | None = None
    settling: Seconds = 0.1


class ModulatorsSection(Section):
    """The amplitude modulators, one at each input port, and the outputs of the source that drives them.

    Attributes:
        channels: of the source, port by port; one number stands for it and those that follow.
        settling: from a change of any until a reading is good.
        half_wave: from shut to open, as designed.
    """

    source: str
    channels: Ordinal | list[Ordinal]
    low: Volts
    high: Volts
    max_slew: VoltsPerSecond
    settling: Seconds = 1e-3
    half_wave: PositiveVolts

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not -inf < self.low <= 0 <= self.high < inf or self.low >= self.high:
            raise ValueError(
                f"the range {self.low:g} V to {self.high:g} V does not hold 0 V, the rest voltage; widen it"
            )
        return self


class HeatersSection(Section):
    """The heaters, one at every phase shifter, and the supply's channels that drive them.

    Attributes:
        first: the supply's channel of the first shifter; the following ones follow in `MeshLayout.shifters`'s order.
        channels: of those that are somewhere else, by the shifter's name; they are passed over.
        unconnected: shifters without a wire, passed over too.
        voltage, current: the limit of each heater.
        total_power: of all heaters together.
        max_slew: what a heater stands; without it, nothing limits it.
        settling: from a change of any until the chip is warm.
        resistance, tolerance, half_wave_power: as designed: of a cold heater, how far one may be from it, for a
            phase of π.
        bits, converter: resolution of the supply's converter, and its full scale if that is not `voltage`; no bits
            where its steps are too small to matter.
    """

    source: str
    first: Ordinal = 0
    channels: dict[str, Ordinal] = {}
    unconnected: list[str] = []
    voltage: PositiveVolts
    current: Amperes
    total_power: Watts
    max_slew: VoltsPerSecond | None = None
    settling: Seconds
    resistance: Ohms
    tolerance: Percent = 0.2
    half_wave_power: Watts
    bits: Annotated[int, Field(ge=4, le=32)] | None = None
    converter: PositiveVolts | None = None


class MetersSection(Section):
    """The power meters, one at each output port, in order.

    Attributes:
        averaging: time over which a reading averages.
        saturation: power from which a reading is not to be trusted.
    """

    instruments: Annotated[list[str], Field(min_length=1)]
    averaging: Seconds
    saturation: Watts


class MeshSection(ChipBase):
    """A photonic mesh as the lab knows it."""

    type: Literal["mesh"]
    layout: LayoutSection
    laser: LaserSection
    modulators: ModulatorsSection
    heaters: HeatersSection
    meters: MetersSection

    @property
    def mesh(self) -> "MeshLayout":
        """Its interferometers and shifters."""
        from simulators.models.mesh.layout import (
            MeshLayout,
        )  # with it comes torch: only where there is a mesh

        return MeshLayout(self.layout.kind, self.layout.ports)

    @property
    def modulator_channels(self) -> tuple[int, ...]:
        """The source's output for each port."""
        first = self.modulators.channels
        return tuple(first) if isinstance(first, list) else tuple(range(first, first + self.layout.ports))

    @property
    def heater_channels(self) -> dict[str, int]:
        """For every shifter that has a wire, the supply's channel, in the shifters' order."""
        asked, channel, found = self.heaters.channels, self.heaters.first, {}
        for name in self.mesh.shifters:
            if name in asked:
                found[name] = asked[name]
            elif name not in self.heaters.unconnected:
                found[name] = channel
                channel += 1
        return found

    def instruments(self) -> Iterator[tuple[str, str]]:
        """See `ChipBase.instruments`."""
        yield "laser.instrument", self.laser.instrument
        yield "modulators.source", self.modulators.source
        yield "heaters.source", self.heaters.source
        for name in self.meters.instruments:
            yield "meters.instruments", name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ports, shifters = self.layout.ports, self.mesh.shifters
        if len(self.modulator_channels) != ports or len(set(self.modulator_channels)) != ports:
            raise ValueError(
                f"modulators.channels {list(self.modulator_channels)} are not {ports} different outputs, one a port"
            )
        if len(self.meters.instruments) != ports or len(set(self.meters.instruments)) != ports:
            raise ValueError(
                f"meters.instruments {self.meters.instruments} are not {ports} different meters, one a port"
            )
        for where in ("channels", "unconnected"):
            for name in getattr(self.heaters, where):
                if name not in shifters:
                    raise ValueError(
                        f"heaters.{where} names {name!r}; this mesh has {shifters[0]} to {shifters[-1]}"
                    )
        for name in self.heaters.unconnected:
            if name in self.heaters.channels:
                raise ValueError(f"heaters.unconnected and heaters.channels both name {name}; remove one")
        taken: dict[int, str] = {}
        for name, channel in self.heater_channels.items():
            if channel in taken:
                raise ValueError(
                    f"heaters {taken[channel]} and {name} are both on channel {channel}; give each its own"
                )
            taken[channel] = name
        if self.laser.limit is not None and self.laser.power > self.laser.limit:
            raise ValueError(
                f"laser.power, {self.laser.power:g} W, is above laser.limit, {self.laser.limit:g} W; lower it"
            )
        return self
