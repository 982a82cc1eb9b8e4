"""The adapters in their roles, all against the same suite on the emulated bench of each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qcodes_contrib_drivers.drivers.Thorlabs.PM100D import Thorlab_PM100D

from drivers.pm100d_array import Pm100dArray
from drivers.santec_tsl570 import SantecTSL570
from tests.conformance.roles import OpticalRack, OpticalRolesConformance, Rack, RolesConformance
from tests.drivers.cards import card_laboratory
from tests.drivers.emulated import GAIN, OFFSET, RESISTOR, laboratory
from tests.simulators.instruments.optics import DIRECT, HALF, LASER, METER, optics

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


class TestOpticalInstruments(OpticalRolesConformance):
    """TSL-570 through our driver, PM100D consoles through the stock one."""

    @pytest.fixture
    def optical_rack(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpticalRack]:
        lab = optics()
        monkeypatch.setattr("qcodes_contrib_drivers.drivers.Thorlabs.PM100D.sleep", lab.wait)
        tag = f"{id(lab):x}"
        opened: list[Any] = [
            kind(f"{name}_{tag}", None, resource=lab.manager.open_resource(address))
            for kind, name, address in (
                (SantecTSL570, "laser", LASER),
                (Thorlab_PM100D, "meter", METER),
                (Thorlab_PM100D, "direct", DIRECT),
            )
        ]
        light: Any = lab.bench.instruments["laser"].light
        clock = lab.bench.clock

        def emitted_W() -> float:
            return float(light.means(np.array([clock.now - 1e-6]), np.array([clock.now]))[0])

        yield OpticalRack(
            opened[0],
            Pm100dArray(opened[1:]),
            emitted_W,
            lambda: float(light.wavelength_m(clock.now)),
            lambda: clock.now,
            (HALF, 1.0),
            accuracy=0.08,  # the laser's calibration, its ripple, cold as it is; the meters' calibrations
            dark_W=1e-9,
        )
        for driver in opened:
            driver.close()
        lab.close()
