"""A quick lab whose bench has a fault, what a session on it came to, and how that is written down."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

import hil
from hil.cli.exit_codes import exit_code
from hil.outcome import Outcome
from hil.store import RunStore
from simulators.bench import EmulatedBench
from simulators.visa import powered
from tests.hil.lab import make_lab, rewrite
from tests.simulators.bench.linear import write_bench

SAMPLING_FROM_s = 8.0
"""Virtual time at which such a session has begun to sample; the amplifier was measured before 5 s."""


def faulty_lab(folder: Path, *faults: str) -> Path:
    """A noiseless lab with a chip that is a sum of voltages; returns the experiment file."""
    experiment = make_lab(folder / "lab", noiseless=True)
    write_bench(folder)
    bench = experiment.parent / "bench.yaml"
    chip = f"    model: network\n    file: {folder / 'chip'}\n"
    bench.write_text(re.sub(r"    model: hopping .*\n    seed: 7 .*\n", chip, bench.read_text()))
    if faults:
        listed = "".join(f"    - {{{fault}}}\n" for fault in faults)
        rewrite(bench, {"  wires:\n": f"  faults:\n{listed}  wires:\n"})
    return experiment


def samples(run: Path) -> dict[str, np.ndarray]:
    """What a run has sampled."""
    with RunStore.open(run) as store:
        return store.table("sampling").read()


@dataclass
class Attempt:
    """One session on a faulty bench, and the bench as it was left.

    Attributes:
        error: what ended it, None if nothing did.
        outcome: what it came to otherwise.
        outputs_V: where the DAC's outputs stood at its end, from the inside.
    """

    run: Path
    bench: EmulatedBench
    error: BaseException | None = None
    outcome: Outcome | None = None
    outputs_V: list[float] = field(default_factory=list)

    @property
    def said(self) -> str:
        """The error with its notes, as the command line shows it."""
        return "\n".join([str(self.error), *getattr(self.error, "__notes__", [])])

    @property
    def code(self) -> int:
        """The exit code of the same on the command line."""
        if self.error is not None:
            return exit_code(self.error)
        return self.outcome.exit_code if self.outcome is not None else -1

    @property
    def at_rest(self) -> bool:
        """Whether every output really stood at 0 V."""
        return max(map(abs, self.outputs_V)) < 2e-3


def attempt(experiment: Path, whole: bool = False) -> Attempt:
    """Sample, or calibrate the whole way, until the end or the first error."""
    error: BaseException | None = None
    outcome: Outcome | None = None
    try:
        outcome = (hil.calibrate if whole else hil.sample)(experiment)
    except Exception as failure:
        error = failure
    (run,) = (experiment.parent / "runs").iterdir()
    bench = cast("EmulatedBench", powered(str((run / "bench.yaml").resolve())))
    dac: Any = bench.instruments["dac"]
    outputs_V = [dac.channel(channel).at(bench.clock.now) for channel in range(1, 9)]
    return Attempt(run, bench, error, outcome, outputs_V)


@dataclass(frozen=True)
class Row:
    """One line of the table of faults."""

    kind: str
    where: str
    what: str
    came_to: str


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| fault | of | how | the session |", "|---|---|---|---|"]
    lines += [f"| `{row.kind}` | {row.where} | {row.what} | {row.came_to} |" for row in rows]
    return "\n".join(lines) + "\n"
