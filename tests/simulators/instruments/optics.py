"""A photonic bench for tests: one laser, a power meter behind 3 dB, and one on the laser itself."""

from dataclasses import dataclass
from typing import Any

import pyvisa

from simulators.bench import EmulatedBench, EmulatorConfig, build
from simulators.visa import HilVisaLibrary

LASER = "GPIB0::10::INSTR"
METER = "USB0::0x1313::0x8078::P0000001::INSTR"
DIRECT = "USB0::0x1313::0x8078::P0000002::INSTR"
HALF = 10.0**-0.3


@dataclass
class Optics:
    """The bench and plain VISA resources to it; `library` opens drivers on it."""

    bench: EmulatedBench
    library: HilVisaLibrary
    manager: pyvisa.ResourceManager
    laser: Any
    meter: Any
    direct: Any

    def wait(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    def error(self, resource: Any) -> int:
        return int(resource.query("SYST:ERR?").split(",")[0])

    def shine(self, nanometres: float = 1550.0, milliwatts: float = 1.0) -> None:
        """Light that has settled in a laser that is warm; the meters know the wavelength."""
        self.laser.write(f"WAV {nanometres}nm;:POW {milliwatts}MW;:POW:STAT 1")
        for meter in (self.meter, self.direct):
            meter.write(f"SENS:CORR:WAV {nanometres}")
        self.wait(3600.0)

    def close(self) -> None:
        self.manager.close()


def optics(noise: float = 1.0, sensor: str = "S155C", product: str = "480640", seed: int = 5) -> Optics:
    """Switch the bench on; everything in SCPI."""
    head = {"sensor": sensor}
    section = {
        "seed": seed,
        "instruments": {
            "laser": {"model": "santec_tsl570", "noise": noise, "options": {"product": product}},
            "meter": {"model": "thorlabs_pm100d", "serial": "P0000001", "noise": noise, "options": head},
            "direct": {"model": "thorlabs_pm100d", "serial": "P0000002", "noise": noise, "options": head},
        },
        "wires": ["laser.output -> 3 dB -> meter.input", "laser.output -> direct.input"],
    }
    addresses = {"laser": LASER, "meter": METER, "direct": DIRECT}
    bench = build(EmulatorConfig.model_validate(section), addresses, ".")
    library = HilVisaLibrary.for_bench(bench)
    manager = pyvisa.ResourceManager(library)  # type: ignore[arg-type]
    laser = manager.open_resource(LASER, read_termination="\r", write_termination="\r")
    meter, direct = (
        manager.open_resource(name, read_termination="\n", write_termination="\n", timeout=60_000)
        for name in (METER, DIRECT)
    )
    laser.write("SYST:COMM:COD 1")
    return Optics(bench, library, manager, laser, meter, direct)
