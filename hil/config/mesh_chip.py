"""A photonic mesh in the bench file: laser, modulators, heaters, power meters, and the chip's design."""

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from hil.config.chip import ChipBase
from hil.config.fields import (
    Amperes,
    Count,
    Metres,
    Ohms,
    Ordinal,
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
    """The laser that lights every input."""

    instrument: str
    wavelength: Metres
    power: Watts


class ModulatorsSection(Section):
    """The amplitude modulators, one at each input port, and the outputs of the source that drives them.

    Attributes:
        channels: of the source, port by port; one number stands for it and those that follow.
        half_wave: from shut to open, as designed.
    """

    source: str
    channels: Ordinal | list[Ordinal]
    low: Volts
    high: Volts
    max_slew: VoltsPerSecond
    half_wave: PositiveVolts

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not -inf < self.low <= 0 <= self.high < inf or self.low >= self.high:
            raise ValueError(
                f"the range {self.low:g} V to {self.high:g} V does not hold 0 V, the rest voltage; widen it"
            )
        return self


class ChainSection(Section):
    """One heater supply, such as a chain of Qontrol units.

    Attributes:
        first: its channel for the first of the shifters that it serves; the following ones follow.
        count: how many shifters it serves; without it, all that are left.
    """

    source: str
    first: Ordinal = 0
    count: Count | None = None


class HeatersSection(Section):
    """The heaters: one at every phase shifter, in the order of `MeshLayout.shifters`.

    Attributes:
        chains: the supplies; the shifters are dealt out to them in order.
        channels: where a shifter is somewhere else: its name, and `supply.channel`.
        unconnected: shifters without a wire; they take no channel.
        voltage, current: the limit of each heater.
        total_power: of all heaters together.
        settling: from a change of any heater until the chip is warm.
        resistance, half_wave_power, bits: as designed: of a cold heater, for a phase of π, of the supply's converter
            from 0 to `voltage`; no bits where its steps are too small to matter.
    """

    chains: Annotated[list[ChainSection], Field(min_length=1)]
    channels: dict[str, str] = {}
    unconnected: list[str] = []
    voltage: PositiveVolts
    current: Amperes
    total_power: Watts
    settling: Seconds
    resistance: Ohms
    half_wave_power: Watts
    bits: Annotated[int, Field(ge=4, le=32)] | None = None

    @field_validator("channels")
    @classmethod
    def _dotted(cls, value: dict[str, str]) -> dict[str, str]:
        for shifter, place in value.items():
            supply, _, channel = place.rpartition(".")
            if not (supply and channel.isdecimal()):
                raise ValueError(f"{shifter}: {place!r} is not supply.channel, such as heaters.17")
        return value


class MetersSection(Section):
    """The power meters, one at each output port, in order; a reading averages over `averaging`."""

    instruments: Annotated[list[str], Field(min_length=1)]
    averaging: Seconds


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
    def heater_channels(self) -> dict[str, tuple[str, int]]:
        """For every shifter that has a wire, its supply and the channel there, in the shifters' order."""
        asked, heaters = self.heaters.channels, self.heaters
        dealt = iter([name for name in self.mesh.shifters if name not in (*asked, *heaters.unconnected)])
        places: dict[str, tuple[str, int]] = {}
        for chain in heaters.chains:
            channel = chain.first
            while (chain.count is None or channel < chain.first + chain.count) and (
                name := next(dealt, None)
            ):
                places[name] = chain.source, channel
                channel += 1
        for name, place in asked.items():
            supply, _, number = place.rpartition(".")
            places[name] = supply, int(number)
        return {name: places[name] for name in self.mesh.shifters if name in places}

    def instruments(self) -> Iterator[tuple[str, str]]:
        """See `ChipBase.instruments`."""
        yield "laser.instrument", self.laser.instrument
        yield "modulators.source", self.modulators.source
        for chain in self.heaters.chains:
            yield "heaters.chains", chain.source
        for name in dict.fromkeys(supply for supply, _ in self.heater_channels.values()):
            yield "heaters.channels", name
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
        self._check_wires()
        return self

    def _check_wires(self) -> None:
        taken: dict[tuple[str, int], str] = {}
        for name, place in self.heater_channels.items():
            if place in taken:
                raise ValueError(
                    f"heaters {taken[place]} and {name} are both on {place[0]}.{place[1]}; give each its own"
                )
            taken[place] = name
        for name in self.mesh.shifters:
            if name not in self.heater_channels and name not in self.heaters.unconnected:
                raise ValueError(
                    f"heater {name} has no channel: the chains serve too few; raise a count, or name it in "
                    "heaters.channels or heaters.unconnected"
                )
