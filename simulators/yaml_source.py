"""YAML files as values with the line of each, so that an error can point at it.

An error reads `file:line: key: what is wrong and what to do`.
"""

import difflib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from simulators.errors import SourceError


@dataclass(frozen=True)
class YamlSource:
    """A YAML document, its values, and where each of them stands."""

    name: str
    values: dict[str, Any]
    root: yaml.Node

    @classmethod
    def read(cls, path: str | Path) -> "YamlSource":
        """Read a file; SourceError for one that is missing, not YAML, no mapping, or has a key twice."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SourceError(
                f"{path}: no such file; `hil init dnpu FOLDER` writes one to start from"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{path}: cannot be read: {error}") from None
        try:
            values = yaml.safe_load(text)
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            raise SourceError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
        if not isinstance(values, dict) or root is None:
            raise SourceError(f"{path}: holds no settings; it must be a mapping of keys to values")
        source = cls(str(path), values, root)
        source._refuse_twice(root)
        return source

    def line(self, where: Sequence[Hashable]) -> int:
        """The line, from 1, of the value at `where`, or of the nearest value around it."""
        node: yaml.Node | None = self.root
        line = int(self.root.start_mark.line) + 1
        for step in where:
            if isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == step]
                if not found:
                    return line
                key, node = found[0]
                line = key.start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                return line
        return line

    def node(self, where: Sequence[str]) -> yaml.Node | None:
        """The node at `where` in nested mappings, None where there is none."""
        node: yaml.Node | None = self.root
        for step in where:
            if not isinstance(node, yaml.MappingNode):
                return None
            node = next((value for key, value in node.value if key.value == step), None)
        return node

    def place(self, where: Sequence[Hashable], message: str) -> str:
        """A message with file, line and key before it."""
        key = ".".join(str(step) for step in where)
        return f"{self.name}:{self.line(where)}: " + (f"{key}: {message}" if key else message)

    def faults(self, error: ValidationError, kind: type[BaseModel], prefix: Sequence[Hashable] = ()) -> str:
        """Everything that pydantic found wrong with the values at `prefix`, a line each."""
        told = [self._fault(dict(fault), kind, tuple(prefix)) for fault in error.errors()]
        return "\n".join(dict.fromkeys(told))

    def _fault(self, fault: dict[str, Any], kind: type[BaseModel], prefix: tuple[Hashable, ...]) -> str:
        told, value = fault["loc"], fault["input"]
        key = self._without_tags(told, prefix, missing=fault["type"] == "missing")
        if fault["type"] == "extra_forbidden":
            known = _keys(kind, told[:-1])
            hint = difflib.get_close_matches(str(key[-1]), known, n=1)
            message = "unknown key; " + (f"did you mean {hint[0]!r}?" if hint else "remove it")
            message += f" (known: {', '.join(known)})" if known else ""
        elif fault["type"] == "missing":
            message = "missing; add it"
        else:
            text = fault["msg"].removeprefix("Value error, ")
            shown = "" if isinstance(value, dict | list) or repr(value) in text else f"{value!r}: "
            message = f"{shown}{text[0].lower() + text[1:]}"
        return self.place((*prefix, *key), message)

    def _without_tags(
        self, told: tuple[Hashable, ...], prefix: tuple[Hashable, ...], missing: bool
    ) -> tuple[Hashable, ...]:
        """Where pydantic found a fault, as the file has it: the kind that a union chose is no key of its own."""
        at: Any = self.values
        for step in prefix:
            at = at[step]
        key: list[Hashable] = []
        for depth, step in enumerate(told, 1):
            absent = isinstance(at, dict) and step not in at
            if absent and step in at.values() and not (missing and depth == len(told)):
                continue
            key.append(step)
            inside = isinstance(at, dict | list) and not absent
            at = at[step] if inside else None
        return tuple(key)

    def _refuse_twice(self, node: yaml.Node) -> None:
        # PyYAML lets the last of two equal keys win without a word: the first would be lost
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    raise SourceError(
                        f"{self.name}:{line}: {key.value!r} is given twice, first on line {seen[key.value]}; remove one"
                    )
                seen[key.value if isinstance(key, yaml.ScalarNode) else str(line)] = line
                self._refuse_twice(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self._refuse_twice(value)


def _keys(kind: Any, path: Sequence[Hashable]) -> list[str]:
    """The keys that a model allows at `path`, followed through optional, list and mapping types."""
    models = [kind]
    for part in path:
        found: list[Any] = [model for model in models if part in _tags(model)]
        for model in models:
            named = {field.alias or name: field for name, field in model.model_fields.items()}
            found += _models_in(named[str(part)].annotation) if part in named else []
        models = found or models
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _tags(model: type[BaseModel]) -> list[Any]:
    """The words by which a union tells a model from the others."""
    return [word for field in model.model_fields.values() for word in get_args(field.annotation)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    if isinstance(annotation, UnionType) or get_args(annotation):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []
