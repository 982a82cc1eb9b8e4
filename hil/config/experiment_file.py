"""What the experiment files of all kinds of chip have in common."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from hil.config.fields import Section
from hil.errors import ConfigError
from simulators.errors import SourceError
from simulators.yaml_source import YamlSource

EXPERIMENT = "experiment.yaml"
"""What the copy of the experiment file is called in a run's folder, whatever it was called before."""
FORMATS = {
    "hil-experiment/1": "a dopant network",
    "hil-mesh/1": "a photonic mesh",
    "hil-tune/1": "tuning in situ",
}
"""The format of each kind of experiment file, and what it is for."""
COMMANDS = {"hil-experiment/1": "calibrate", "hil-mesh/1": "calibrate", "hil-tune/1": "tune"}
"""The command that works on each format, and goes on with a run of it."""


class ExperimentBase(Section):
    """An experiment on the chip of a bench; paths are relative to the experiment file.

    Attributes:
        name: of the runs, which go into the folder `runs`.
        seed: of everything random in a run.
    """

    format: str
    name: str = Field(pattern=r"^[\w.-]+$")
    bench: str = "bench.yaml"
    runs: str = "runs"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


def format_of(target: Path) -> str:
    """The format that an experiment file, or the one in a run's folder, says it has; empty if it says none.

    Raises ConfigError for a file that cannot be read.
    """
    path = target / EXPERIMENT if target.is_dir() else target
    if target.is_dir() and not path.exists():
        return ""
    try:
        return str(YamlSource.read(path).values.get("format", ""))
    except SourceError as error:
        raise ConfigError(str(error)) from None
