"""The adapters in their roles, all against the same suite on the emulated bench of each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.roles import Rack, RolesConformance
from tests.drivers.cards import card_laboratory
from tests.drivers.emulated import GAIN, OFFSET, RESISTOR, laboratory

LAG_s = 53e-6
SETTLED_s = 10 * LAG_s


class TestVisaInstruments(RolesConformance):
    """QDAC-II and 34465A through the stock drivers."""

    @pytest.fixture
    def rack(self, tmp_path: Path) -> Iterator[Rack]:
        with laboratory(tmp_path, hum=False, noise="0 V", scale=0.0) as lab:
            source, digitizer = lab.chip._hardware.outputs.source, lab.chip._hardware.digitizer
            dac: Any = lab.bench.instruments["dac"]
            clock = lab.bench.clock

            def disturb(channel: int, volts: float) -> None:
                dac.channel(channel).dc.set_slew(1e4)
                dac.channel(channel).dc.set_level(volts)
                clock.advance(0.1)

            yield Rack(
                source,
                digitizer,
                (8, 1),
                GAIN / RESISTOR,
                OFFSET,
                lambda channel: dac.channel(channel).at(clock.now),
                lambda: clock.now,
                disturb,
                read_error_V=1e-3,
                lag_s=SETTLED_s,
            )


class TestCards(RolesConformance):
    """NI-9264 and NI-9202 through the official package."""

    @pytest.fixture
    def rack(self, tmp_path: Path) -> Iterator[Rack]:
        pytest.importorskip("nidaqmx", reason="the optional package nidaqmx is not installed")
        with card_laboratory(tmp_path, hum=False, noise="0 V", scale=0.0) as lab:
            clock = lab.bench.clock

            def disturb(channel: int, volts: float) -> None:
                lab.chassis.outputs[channel].step(volts)
                clock.advance(0.1)

            yield Rack(
                lab.source,
                lab.digitizer,
                (7, 0),
                GAIN / RESISTOR,
                OFFSET,
                lab.output_V,
                lambda: clock.now,
                disturb,
                read_error_V=1e-3,
                lag_s=SETTLED_s,
            )
