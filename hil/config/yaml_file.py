"""YAML files into checked settings, with errors that name file, line, key, value and remedy."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hil.errors import ConfigError
from simulators.errors import SourceError
from simulators.yaml_source import YamlSource

Settings = TypeVar("Settings", bound=BaseModel)


def load(path: Path, kind: type[Settings]) -> Settings:
    """Read `path` into `kind`; ConfigError tells every fault at once, one line each."""
    try:
        source = YamlSource.read(path)
    except SourceError as error:
        raise ConfigError(str(error)) from None
    try:
        return kind.model_validate(source.values)
    except ValidationError as error:
        raise ConfigError(source.faults(error, kind)) from None
