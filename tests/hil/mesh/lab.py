"""A small lab for tests: the example of a mesh, cut down to a few ports."""

import re
from pathlib import Path
from typing import Any

import yaml

import hil
from hil.store import RunStore

QUICK: dict[str, Any] = {
    "ports": {"repeats": 4, "points": 10, "mixes": 2},
    "heaters": {"points": 4},
    "sweeps": {"points": 12},
    "crosstalk": {"neighbours": 2},
    "twin": {"settings": 24, "together": 1, "repeats": 4, "steps": 100},
    "verify": {"unitaries": 3, "settings": 2},
    "drift": {"settings": 4},
}


def make_mesh_lab(
    folder: Path,
    ports: int = 3,
    *,
    options: dict[str, Any] | None = None,
    noiseless: bool = False,
    **changes: Any,
) -> Path:
    """Files for a calibration of seconds; returns the experiment file.

    `options` are more of the emulated chip's, `changes` sections of the experiment; a `noiseless` bench gives the
    same readings whatever was read before.
    """
    hil.init("mesh", folder)
    bench = yaml.safe_load((folder / "bench.yaml").read_text())
    gone = [f"power{k}" for k in range(ports, 8)]
    for name in gone:
        del bench["station"]["instruments"][name], bench["emulator"]["instruments"][name]
    bench["chip"]["layout"]["ports"] = ports
    bench["chip"]["meters"]["instruments"] = [f"power{k}" for k in range(ports)]
    if noiseless:
        bench["emulator"]["chip"]["imperfections"] = {"drift": "0 rad"}
        for instrument in bench["emulator"]["instruments"].values():
            instrument["noise"] = 0
    shifters = ports * (ports - 1)
    bench["emulator"]["chip"]["options"] |= {"ports": ports, **(options or {})}
    bench["emulator"]["wires"] = [
        "laser.output -> chip.light",
        f"dac.1..{ports} -> chip.m0..{ports - 1}",
        f"heaters.0..{shifters - 1} -> chip.shifters",
        f"chip.out0..{ports - 1} -> power0..{ports - 1}.input",
    ]
    (folder / "bench.yaml").write_text(yaml.safe_dump(bench, sort_keys=False))
    experiment = yaml.safe_load((folder / "mesh.yaml").read_text())
    (folder / "mesh.yaml").write_text(yaml.safe_dump({**experiment, **QUICK, **changes}, sort_keys=False))
    return folder / "mesh.yaml"


def last_heater_volts(run: Path) -> dict[int, float]:
    """What each channel of the heaters' supply was last told, by the run's own events."""
    with RunStore.open(run) as store:
        texts = [
            event.get("text", "")
            for event in store.events()
            if event["kind"] == "write" and event["instrument"] == "heaters"
        ]
    last: dict[int, float] = {}
    for line in "\n".join(texts).splitlines():
        if told := re.fullmatch(r"V(?:VEC)?(\d+)=([\d.,]+)", line):
            values = [float(value) for value in told[2].split(",")]
            last |= dict(enumerate(values, start=int(told[1])))
    return last
