"""Starting points: a folder of files to edit, the demonstration, the Station configuration."""

import os
import re
from importlib.resources import files
from pathlib import Path

from hil.errors import ConfigError
from hil.outcome import Outcome
from hil.progress import Progress, Silent

KINDS = (
    "diffractive",
    "diffractive-tuning",
    "dnpu",
    "dnpu-cards",
    "dnpu-tuning",
    "mesh",
    "mesh-tuning",
    "network-tuning",
    "own",
    "rack",
)


def init(kind: str, folder: Path | str, chip: Path | str | None = None) -> list[Path]:
    """Write a commented bench.yaml and experiment.yaml, mesh.yaml or tune.yaml, for a kind of chip into `folder`.

    The kind `own` is a small package with an emulated instrument, its driver and a chip model of one's own.
    With `chip`, a folder written by `hil import brainspy` or a run's surrogate, the emulated bench holds that
    chip and the electrodes have its ranges. Raises ConfigError for an unknown kind, for a folder that already
    holds one of the files, and for a chip that does not fit the bench.
    """
    if kind not in KINDS:
        raise ConfigError(f"no kind of chip {kind!r}; there are {', '.join(KINDS)}")
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target} is a file; name a folder")
    found = files("hil").joinpath("examples", kind.replace("-", "_")).iterdir()
    examples = sorted((file for file in found if file.is_file()), key=lambda file: file.name)
    written = [target / example.name for example in examples]
    for path in written:
        if path.exists():
            raise ConfigError(f"{path} exists and would be lost; name another folder")
    texts = {
        path.name: example.read_text(encoding="utf-8")
        for example, path in zip(examples, written, strict=True)
    }
    if chip is not None and not kind.startswith("dnpu"):
        raise ConfigError(f"a stored chip is a dopant network, and no part of a {kind}; leave --chip out")
    if chip is not None:
        texts["bench.yaml"] = _holding(texts["bench.yaml"], Path(chip), target)
    target.mkdir(parents=True, exist_ok=True)
    for path in written:
        path.write_text(texts[path.name], encoding="utf-8")
    return written


def _holding(bench: str, chip: Path, target: Path) -> str:
    """The bench file's text with another chip in the emulator, and its ranges on the electrodes."""
    from simulators.errors import ModelError
    from simulators.models.network import NetworkChip

    try:
        model = NetworkChip.load(chip)
    except ModelError as error:
        raise ConfigError(str(error)) from None
    for name, low, high in zip(model.electrodes, model.low.tolist(), model.high.tolist(), strict=True):
        line = re.compile(rf"(\b{name}: \{{channel:.*low: )\S+ V(, high: )\S+ V")
        bench, found = line.subn(rf"\g<1>{low:g} V\g<2>{high:g} V", bench)
        if not found:
            raise ConfigError(f"{chip}: electrode {name} is not on the bench; it has seven, e1 to e7")
    place = os.path.relpath(chip.resolve(), target.resolve())
    return re.sub(
        r"    model: hopping .*\n    seed: 7 .*\n", f"    model: network\n    file: {place}\n", bench
    )


def demo(folder: Path | str = "runs/demo", progress: Progress | None = None) -> Outcome:
    """Run the whole session of the `dnpu` example on the emulated bench.

    The files in `folder` are written if they are not there; each call is a new run.
    """
    from hil.api.calibrate import calibrate

    target, shown = Path(folder), progress or Silent()
    experiment = target / "experiment.yaml"
    if not experiment.exists():
        init("dnpu", target)
    shown.say(f"the demonstration's bench.yaml and experiment.yaml are in {target}")
    return calibrate(experiment, progress=shown)


def station(bench: Path | str) -> str:
    """The instruments of a bench file as YAML for `qcodes.station.Station`."""
    from hil.config.bench import load_rack, station_configuration

    path = Path(bench)
    return station_configuration(load_rack(path), path)
