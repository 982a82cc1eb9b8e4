"""A small lab for tests: the example's files, cut down to seconds."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import hil

QUICK = {
    "batches: 80": "batches: 6",
    "batch_time: 2 s": "batch_time: 200 ms",
    "reference_every: 10": "reference_every: 3",
    "hidden: [90, 90, 90, 90, 90]": "hidden: [16, 16]",
    "epochs: 30": "epochs: 4",
    "restarts: 256": "restarts: 8\n  steps: 20",
    "keep: 3": "keep: 1",
    "repeats: 8": "repeats: 2",
    "gates: [AND, OR, NAND, NOR, XOR, XNOR]": "gates: [AND, NOR]",
    "tasks: [AND, OR, NAND, NOR]": "tasks: [AND]",
}
NOISELESS = {
    "noise: 80 uV": "noise: 0 V",
    "amplitude: 0.4 mV": "amplitude: 0 V",
    'serial: "1017"': 'serial: "1017", noise: 0',
    "clock_error: 8 ppm": "clock_error: 8 ppm, noise: 0",
}


def make_lab(folder: Path, *, noiseless: bool = False, **changes: str) -> Path:
    """Files for a session of seconds; returns the experiment file. `changes` are more of the experiment's."""
    hil.init("dnpu", folder)
    rewrite(folder / "experiment.yaml", {**QUICK, **changes})
    if noiseless:
        rewrite(folder / "bench.yaml", NOISELESS)
        bench = (folder / "bench.yaml").read_text()
        (folder / "bench.yaml").write_text(re.sub(r"    imperfections:\n(      .*\n)+", "", bench))
    return folder / "experiment.yaml"


def rewrite(path: Path, changes: dict[str, str]) -> None:
    """Replace texts that must be there."""
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)


def command(*words: object) -> list[str]:
    """The `hil` command line for a subprocess."""
    return [sys.executable, "-m", "hil.cli", *map(str, words)]


def run(*words: object, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run `hil` to its end."""
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=timeout, check=False)


def run_here(*words: object) -> subprocess.CompletedProcess[str]:
    """Run `hil` to its end in this process: the same command line, without the seconds that its imports take.

    For what ends with a message; signals and kills need a process of their own.
    """
    from hil.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    argv = ["hil", *map(str, words)]
    code: object = 0
    with (
        mock.patch.object(sys, "argv", argv),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(
        argv, code if isinstance(code, int) else 1, out.getvalue(), err.getvalue()
    )
