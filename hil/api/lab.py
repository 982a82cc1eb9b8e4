"""Starting points: a folder of files to edit, the demonstration, the Station configuration."""

from importlib.resources import files
from pathlib import Path

from hil.errors import ConfigError
from hil.outcome import Outcome
from hil.progress import Progress, Silent

KINDS = ("dnpu",)


def init(kind: str, folder: Path | str) -> list[Path]:
    """Write a commented bench.yaml and experiment.yaml for a kind of chip into `folder`.

    Raises ConfigError for an unknown kind and for a folder that already holds one of the files.
    """
    if kind not in KINDS:
        raise ConfigError(f"no kind of chip {kind!r}; there is {', '.join(KINDS)}")
    target = Path(folder)
    examples = sorted(files("hil").joinpath("examples", kind).iterdir(), key=lambda file: file.name)
    written = [target / example.name for example in examples]
    for path in written:
        if path.exists():
            raise ConfigError(f"{path} exists and would be lost; name another folder")
    target.mkdir(parents=True, exist_ok=True)
    for example, path in zip(examples, written, strict=True):
        path.write_bytes(example.read_bytes())
    return written


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
    from hil.config.bench import load_bench, station_configuration

    path = Path(bench)
    return station_configuration(load_bench(path), path)
