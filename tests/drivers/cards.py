"""The emulated bench of NI-DAQmx cards, with the chip of a formula in place of its physics."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.card_digitizer import CardDigitizer
from drivers.card_source import CardSource
from drivers.dnpu import DNPU
from drivers.layout import Electrode, Readout, Reference
from drivers.nidaqmx_cards import NICards
from simulators.bench import EmulatedBench, load
from simulators.bench.chips import Specimen
from simulators.daqmx import emulated_daqmx
from simulators.instruments.ni_cdaq.chassis import NiCdaq
from tests.drivers.emulated import Formula

ELECTRODES = (
    Electrode("e1", 0, -1.2, 0.6, 60.0),
    Electrode("e2", 1, -1.2, 0.6, 60.0, role="input"),
    Electrode("e3", 2, -0.7, 0.3, 25.0, role="input"),
)
READOUT = Readout("e8", 1e7, 4.0, 500e-6, Reference(7, 100e6, 1e-3))
LIMITS = {0: (-1.2, 0.6, 60.0), 1: (-1.2, 0.6, 60.0), 2: (-0.7, 0.3, 25.0), 7: (-1.0, 1.0, 100.0)}
READ_BACK = {0: 0, 1: 1, 2: 2, 7: 7}
GAIN, OFFSET, RESISTOR = 10.13e6, -0.057, 100.03e6
UPDATE_s = 40e-6

BENCH = """
station:
  instruments:
    cards: {address: cDAQ1}
emulator:
  seed: 20
  link: {latency: 200 us, throughput: 20 MB/s}
  instruments:
    cards: {model: ni_cdaq, serial: 1F2A3B4, clock_error: 8 ppm, noise: LOUDNESS, options: {OPTIONS}}
  chip: {model: hopping, seed: 7}
  amplifier:
    gain: 10.13 MV/A
    offset: -57 mV
    bandwidth: 3 kHz
    saturation: 4 V
    HUM
    noise: NOISE
  wires:
    - cards.ao0 -> chip.e1
    - cards.ao1 -> chip.e2
    - cards.ao2 -> chip.e3
    - cards.ao0 -> cards.ai0
    - cards.ao1 -> cards.ai1
    - cards.ao2 -> cards.ai2
    - cards.ao7 -> cards.ai7
    - chip.e8 -> amplifier.in
    - cards.ao7 -> 100.03 MOhm -> amplifier.in
    - amplifier.out -> cards.ai8
"""


@dataclass
class CardLaboratory:
    """The cards, the adapters on them, and the bench behind them, which no driver sees."""

    cards: NICards
    source: CardSource
    digitizer: CardDigitizer
    bench: EmulatedBench
    journal: list[tuple[str, bytes]]

    @property
    def chassis(self) -> NiCdaq:
        """The emulated chassis."""
        found: NiCdaq = self.bench.instruments["cards"]
        return found

    def output_V(self, channel: int) -> float:
        """Where an output stands, from the inside."""
        return self.chassis.outputs[channel].at(self.bench.clock.now)

    def outputs_V(self) -> list[float]:
        """Where the outputs of the electrodes and the reference stand, from the inside."""
        return [self.output_V(channel) for channel in LIMITS]

    def assert_inside_the_envelope(self) -> None:
        """The emulated outputs' own log of what each was ever told.

        A movement that starts from a read-back starts off by the converters' errors, at the most.
        """
        for channel, (low, high, slew) in LIMITS.items():
            record = self.chassis.outputs[channel].record
            assert record.lowest_V >= low - 1e-9, channel
            assert record.highest_V <= high + 1e-9, channel
            assert record.largest_step_V <= slew * UPDATE_s + self.cards.accuracy_V, channel


@contextmanager
def card_laboratory(
    tmp_path: Path,
    *,
    hum: bool = True,
    noise: str = "80 uV",
    loudness: float = 1.0,
    clock_error: str = "8 ppm",
    scale: float = 1.0,
    options: str = "",
) -> Iterator[CardLaboratory]:
    """A bench of cards just switched on; `scale` is that of the chip's formula."""
    text = BENCH.replace("NOISE", noise).replace("8 ppm", clock_error).replace("OPTIONS", options)
    text = text.replace("LOUDNESS", f"{loudness:g}")
    text = text.replace("HUM", "hum: {frequency: 50 Hz, amplitude: 0.4 mV}" if hum else "hum: null")
    path = tmp_path / "bench.yaml"
    path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        names = tuple(electrode.name for electrode in ELECTRODES)
        patch.setattr("simulators.bench.bench.make_specimen", lambda *_: Specimen(names, Formula(scale)))
        bench = load(path)
    with emulated_daqmx(bench):
        cards = NICards(f"cards_{id(bench):x}", "cDAQ1", read_back=READ_BACK, readout=8)
        journal: list[tuple[str, bytes]] = []
        cards.journal = lambda text, samples: journal.append((text, samples))
        lab = CardLaboratory(cards, CardSource(cards), CardDigitizer(cards), bench, journal)
        try:
            yield lab
        finally:
            lab.source.close()
            lab.digitizer.close()
            cards.close()


@contextmanager
def chip_on(lab: CardLaboratory, aperture_s: float = 300e-6) -> Iterator[DNPU]:
    """A chip that is not calibrated on the cards; at rest and closed afterwards."""
    expect = {"source": "NI 9264", "digitizer": "NI 9202"}
    chip = DNPU(
        f"chip_{id(lab):x}",
        lab.source,
        lab.digitizer,
        ELECTRODES,
        READOUT,
        aperture_s=aperture_s,
        expect=expect,
    )
    try:
        yield chip
    finally:
        if DNPU.exist(chip.name):
            chip.close()
