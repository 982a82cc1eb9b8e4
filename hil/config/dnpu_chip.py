"""A dopant network in the bench file: its electrodes, its readout and the limits of both."""

from collections.abc import Iterator
from math import inf
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hil.config.chip import ChipBase
from hil.config.fields import (
    Count,
    Hertz,
    Ohms,
    Ordinal,
    Percent,
    PositiveVolts,
    Seconds,
    Section,
    Siemens,
    Volts,
    VoltsPerAmpere,
    VoltsPerSecond,
    Watts,
)


class ElectrodeSection(Section):
    """One driven electrode: its DAC channel, what it is for and where its voltage must stay."""

    channel: Ordinal
    role: Literal["input", "control"] = "control"
    low: Volts
    high: Volts
    max_slew: VoltsPerSecond

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low, {self.low:g} V, is not below high, {self.high:g} V; exchange them?")
        if not -inf < self.low <= 0 <= self.high < inf:
            raise ValueError(
                f"the range {self.low:g} V to {self.high:g} V does not hold 0 V, the rest voltage; widen it"
            )
        return self


class ReferenceSection(Section):
    """The known source that calibrates the amplifier: a DAC channel behind a resistor."""

    channel: Ordinal
    resistor: Ohms
    tolerance: Percent
    low: Volts
    high: Volts
    max_slew: VoltsPerSecond = 100.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < 0 < self.high:
            raise ValueError("the reference source must reach both signs: low < 0 V < high")
        return self


class ReadoutSection(Section):
    """The electrode that is read, and the amplifier behind it."""

    electrode: str
    gain: VoltsPerAmpere
    saturation: Volts = 4.0
    settling: Seconds
    reference: ReferenceSection


class TriggerSection(Section):
    """The DAC output whose pulse starts the digitizer."""

    output: Count


class DifferenceSection(Section):
    """How far two electrodes may be apart."""

    between: Annotated[list[str], Field(min_length=2, max_length=2)]
    limit: PositiveVolts


class PowerSection(Section):
    """What the electrodes may put in together: the sum of V² times a conductance each."""

    conductance: Siemens
    limit: Watts


class LimitsSection(Section):
    """Limits on several electrodes at once, beside the range and slew of each."""

    spread: PositiveVolts | None = None
    differences: list[DifferenceSection] = []
    power: PowerSection | None = None


class DnpuSection(ChipBase):
    """A dopant network (DNPU) as the lab knows it."""

    type: Literal["dnpu"]
    source: str
    digitizer: str
    sample_rate: Hertz
    aperture: Seconds
    trigger: TriggerSection | None = None
    electrodes: Annotated[dict[str, ElectrodeSection], Field(min_length=1)]
    limits: LimitsSection = LimitsSection()
    readout: ReadoutSection

    def instruments(self) -> Iterator[tuple[str, str]]:
        """See `ChipBase.instruments`."""
        yield "source", self.source
        yield "digitizer", self.digitizer

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        channels: dict[int, str] = {self.readout.reference.channel: "readout.reference"}
        for name, electrode in self.electrodes.items():
            if electrode.channel in channels:
                raise ValueError(
                    f"electrode {name} is on channel {electrode.channel}, "
                    f"and so is {channels[electrode.channel]}; give each its own"
                )
            channels[electrode.channel] = name
        for pair in self.limits.differences:
            for name in pair.between:
                if name not in self.electrodes:
                    raise ValueError(f"limits.differences names {name!r}, which is no driven electrode")
        if self.readout.electrode in self.electrodes:
            raise ValueError(
                f"{self.readout.electrode} is the readout and cannot be driven; remove one of the two"
            )
        if self.aperture + self.readout.settling > 1 / self.sample_rate:
            raise ValueError(
                f"a sample lasts {1e6 / self.sample_rate:g} µs, less than settling "
                f"({self.readout.settling * 1e6:g} µs) and aperture ({self.aperture * 1e6:g} µs) together; "
                "lower sample_rate"
            )
        return self
