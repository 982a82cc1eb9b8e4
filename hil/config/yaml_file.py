"""YAML files into checked settings, with errors that name file, line, key, value and remedy."""

import difflib
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from hil.errors import ConfigError

Key = tuple[str | int, ...]
Settings = TypeVar("Settings", bound=BaseModel)


def load(path: Path, kind: type[Settings]) -> Settings:
    """Read `path` into `kind`; ConfigError tells every fault at once, one line each."""
    data, lines = read(path)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = [_fault(path, lines, dict(fault), kind) for fault in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(faults))) from None


def read(path: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    """The mapping in a YAML file and the line on which each key stands."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `hil init dnpu FOLDER` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
    lines: dict[Key, int] = {}
    if node is not None:
        _walk(path, node, (), lines)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: holds no settings; it must be a mapping of keys to values")
    return data, lines


def _walk(path: Path, node: yaml.Node, key: Key, lines: dict[Key, int]) -> None:
    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for name, value in node.value:
            # PyYAML lets the last of two equal keys win without a word: the first would be lost
            if name.value in seen:
                line = name.start_mark.line + 1
                raise ConfigError(f"{path}:{line}: {name.value!r} is given twice; remove one")
            seen.add(name.value)
            lines[(*key, name.value)] = name.start_mark.line + 1
            _walk(path, value, (*key, name.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(path, value, (*key, index), lines)


def _fault(path: Path, lines: dict[Key, int], fault: dict[str, Any], kind: type[BaseModel]) -> str:
    # pydantic adds the tags of unions to the location: keep what the file really holds
    key = tuple(part for part in fault["loc"])
    known: Key = ()
    for part in key:
        if (*known, part) in lines:
            known = (*known, part)
    line = lines.get(known, 1)
    name = ".".join(str(part) for part in (known if fault["type"] != "missing" else key))
    where = f"{path}:{line}"
    if fault["type"] == "extra_forbidden":
        hint = difflib.get_close_matches(str(key[-1]), _keys(kind, key[:-1]), n=1)
        remedy = f"did you mean {hint[0]!r}?" if hint else "remove it"
        allowed = ", ".join(_keys(kind, key[:-1]))
        return f"{where}: {name}: unknown key; {remedy}" + (f" (known: {allowed})" if allowed else "")
    if fault["type"] == "missing":
        return f"{where}: {name} is missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    value = fault["input"]
    name = f"{name}: " if name else ""
    shown = "" if isinstance(value, dict | list) or repr(value) in message else f"{value!r}: "
    return f"{where}: {name}{shown}{message[0].lower() + message[1:]}"


def _keys(kind: Any, path: Key) -> list[str]:
    """The keys a model allows at `path`, followed through optional, list and mapping types."""
    models = [kind]
    for part in path:
        found: list[Any] = []
        for model in models:
            if isinstance(model, type) and issubclass(model, BaseModel):
                if part in model.model_fields:
                    found += _models_in(model.model_fields[str(part)].annotation)
            else:
                found += _models_in(model)
        models = found or models
    return sorted(
        {name for m in models if isinstance(m, type) and issubclass(m, BaseModel) for name in m.model_fields}
    )


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    if isinstance(annotation, UnionType) or get_args(annotation):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []
