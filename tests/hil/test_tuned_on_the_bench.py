"""A gate won back through the bench's virtual instruments: stock drivers, an amplifier, an envelope."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyvisa
from qcodes.instrument_drivers.Keysight import Keysight34465A
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

import hil
from calibration.tasks import Solution, boolean_gate, verify
from calibration.tuning import Spsa, Tuner, TuningPlan, Update, dopant_problem
from drivers.dnpu import DNPU
from drivers.keysight_digitizer import KeysightDigitizer
from drivers.qdac2_source import Qdac2Source
from hil.chips.dnpu import electrodes, readout
from hil.config.bench import load_bench
from simulators.bench import EmulatedBench, load
from simulators.visa import HilVisaLibrary

AND = boolean_gate("AND", -0.6, 0.2)
READINGS = 6_000


@contextmanager
def example(folder: Path) -> Iterator[tuple[DNPU, EmulatedBench]]:
    """The chip of the example's bench with its amplifier measured, and what only the bench knows."""
    hil.init("dnpu", folder)
    section, bench = load_bench(folder / "bench.yaml"), load(folder / "bench.yaml")
    stations = section.station.instruments
    manager = pyvisa.ResourceManager(HilVisaLibrary.for_bench(bench))  # type: ignore[arg-type]
    opened = {name: manager.open_resource(stations[name].address) for name in ("dac", "meter")}
    with ExitStack() as stack:
        stack.callback(manager.close)
        dac = QDac2("tuned_dac", None, resource=opened["dac"])
        stack.callback(dac.close)
        meter = Keysight34465A("tuned_meter", None, silent=True, resource=opened["meter"])  # type: ignore[arg-type]
        stack.callback(meter.close)
        source = Qdac2Source(dac, trigger_output=4)
        chip = DNPU(
            "tuned", source, KeysightDigitizer(meter), electrodes(section.chip), readout(section.chip)
        )
        stack.callback(chip.close)
        chip.calibrate_amplifier()
        yield chip, bench


def test_a_gate_that_fails_is_won_back_inside_the_envelope(tmp_path: Path) -> None:
    with example(tmp_path) as (chip, bench):
        device = chip.with_inputs(["e3", "e4"])
        start = np.array([-0.3, -0.3, -0.3, -0.2, -0.2])
        problem = dopant_problem(device, AND, model=None, noise_A=0.5e-9, plateau_s=6e-3, probes=4, seed=1)
        tuner = Tuner(
            device,
            problem,
            Spsa(Update("adam", 0.05), perturbation=0.05),
            TuningPlan(READINGS, checks=3),
            start,
        )
        before = device.cost.readings
        for _ in tuner:
            pass
        assert device.cost.readings - before == tuner.readings <= READINGS
        for controls, passes in ((start, False), (tuner.best, True)):
            deployed = Solution(
                "AND", device.inputs.names, device.controls.names, controls, np.zeros(4), 0.0, 1, 0.0, 1.0, 0
            )
            verdict = verify(device, deployed, AND, plateau_s=0.02, repeats=4, rng=np.random.default_rng(0))
            assert verdict.passed == passes, verdict.reason
        chip.rest()
        output: Any = bench.instruments["dac"]
        for electrode in electrodes(load_bench(tmp_path / "bench.yaml").chip):
            record = output.record(electrode.channel)
            assert electrode.low_V <= record.lowest_V <= record.highest_V <= electrode.high_V
            assert record.fastest_V_per_s <= electrode.max_slew_V_per_s * (1.0 + 1e-6)
            assert abs(output.channel(electrode.channel).at(bench.clock.now)) < 1e-6
