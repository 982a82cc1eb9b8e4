"""`hil serve`: the command, and a session of another process through what it serves."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
import zarr

import hil
from hil.errors import ConfigError
from simulators.errors import BenchError
from tests.hil.lab import command, make_lab, rewrite


@contextmanager
def serving(*words: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`hil serve --json`, once it says that it is ready."""
    line = command("serve", *words, "--json")
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = ""
        try:
            while not told.endswith("\n}\n"):
                part = process.stdout.readline()
                assert part, process.communicate()
                told += part
            yield process, json.loads(told)
        finally:
            process.kill()


def samples(outcome: Any) -> dict[str, Any]:
    group = zarr.open_group(Path(outcome.run) / "data" / "sampling.zarr", mode="r")
    return {name: group[name][:] for name in ("inputs", "outputs", "flags")}


def both_ways(step: Callable[[Path], Any], folder: Path, **changes: str) -> tuple[Any, Any]:
    """One step of a session in process, and through the sockets of another process."""
    experiment = make_lab(folder, **changes)
    served_experiment = folder / "served_experiment.yaml"
    served_experiment.write_text(experiment.read_text())
    rewrite(served_experiment, {"bench: bench.yaml": "bench: served.yaml"})
    with serving(folder / "bench.yaml", "--station", folder / "served.yaml") as (process, told):
        assert "hislip0," in told["instruments"]["meter"]["hislip"]
        assert "emulator:" not in (folder / "served.yaml").read_text()
        served = step(served_experiment)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    return step(experiment), served


def test_samples_through_the_sockets_are_those_in_process(tmp_path: Path) -> None:
    here, served = both_ways(hil.sample, tmp_path / "lab", **{"batches: 6": "batches: 3"})
    for name, values in samples(here).items():
        assert np.array_equal(values, samples(served)[name], equal_nan=True), name


@pytest.mark.slow
def test_a_whole_session_through_the_sockets_is_the_one_in_process(tmp_path: Path) -> None:
    here, served = both_ways(hil.calibrate, tmp_path / "lab")
    for name, values in samples(here).items():
        assert np.array_equal(values, samples(served)[name], equal_nan=True), name
    assert set(served.metrics["tasks"]) == {"AND", "NOR"}
    # Opening instruments anew costs other exchanges through a socket, and so other virtual time: the chip's drift
    # is that of a few milliseconds later, which is a part in 10^5 of the currents. Everything else is the same.
    for name, task in here.metrics["tasks"].items():
        through = served.metrics["tasks"][name]
        assert through["solution"] == task["solution"]
        assert through["passed"] == task["passed"]
        for figure in ("threshold_A", "margin_A"):
            assert through[figure] == pytest.approx(task[figure], abs=1e-4 * abs(task["threshold_A"])), name


def test_it_ends_cleanly_and_says_when_others_can_reach_it(tmp_path: Path) -> None:
    make_lab(tmp_path / "lab")
    with serving(tmp_path / "lab" / "bench.yaml", "--host", "0.0.0.0") as (process, told):
        name = told["instruments"]["dac"]["socket"]
        where = ("127.0.0.1", int(name.split("::")[2]))
        with socket.create_connection(where, timeout=20) as client:
            client.sendall(b"*IDN?\n")
            assert b"QDAC" in client.recv(100)
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=20)
            assert client.recv(100) == b"", "connections are closed"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where, timeout=20)
    assert process.returncode == 130
    assert rest == "", "one JSON document"
    assert "WARNING" in said
    assert "Traceback" not in said


def test_what_cannot_be_served(tmp_path: Path) -> None:
    make_lab(tmp_path / "lab")
    with pytest.raises(BenchError, match="no such file"):
        hil.serve(tmp_path / "missing.yaml")
    with pytest.raises(BenchError, match="99999"), hil.serve(tmp_path / "lab" / "bench.yaml", port=99999):
        pass
    unwritable = hil.serve(tmp_path / "lab" / "bench.yaml", station=tmp_path / "missing" / "served.yaml")
    with pytest.raises(ConfigError, match=r"served\.yaml"), unwritable:
        pass


def test_in_a_script(tmp_path: Path) -> None:
    make_lab(tmp_path / "lab")
    with hil.serve(tmp_path / "lab" / "bench.yaml") as served:
        assert set(served.doors) == {"dac", "meter"}
        manager = pyvisa.ResourceManager("@py")
        meter = manager.open_resource(
            served.doors["meter"].best, read_termination="\n", write_termination="\n"
        )
        assert "34465A" in meter.query("*IDN?")  # type: ignore[attr-defined]
        meter.close()
        manager.close()
