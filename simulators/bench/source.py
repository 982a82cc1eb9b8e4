"""Bench files as text: YAML with the line of every value, so that an error can point at it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from simulators.errors import BenchError


@dataclass(frozen=True)
class BenchSource:
    """A YAML document, its values, and where each of them stands."""

    name: str
    values: dict[str, Any]
    root: yaml.Node | None = None

    @classmethod
    def read(cls, path: str | Path) -> "BenchSource":
        """Read a file. Raises BenchError for a file that is missing, not YAML, or has a key twice."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"{path}: cannot be read ({error}); give the path of a bench file") from error
        try:
            values = yaml.safe_load(text)
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise BenchError(f"{path}: is not YAML: {error}") from error
        if not isinstance(values, dict) or root is None:
            raise BenchError(f"{path}: is not a bench file: it should be a mapping with a key 'format'")
        source = cls(str(path), values, root)
        source._refuse_twice(root)
        return source

    def line(self, where: Sequence[Hashable]) -> int | None:
        """The line, from 1, of the value at `where`, or of the nearest value around it."""
        node = self.root
        line = node.start_mark.line + 1 if node is not None else None
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

    def error(self, where: Sequence[Hashable], message: str) -> BenchError:
        """An error that names file, line and key."""
        line = self.line(where)
        place = self.name if line is None else f"{self.name}, line {line}"
        key = ".".join(str(step) for step in where)
        return BenchError(f"{place}: {key}: {message}" if key else f"{place}: {message}")

    def invalid(self, error: ValidationError, prefix: Sequence[Hashable]) -> BenchError:
        """What pydantic found wrong, each with its place."""
        faults = []
        for fault in error.errors():
            where = (*prefix, *fault["loc"])
            if fault["type"] == "extra_forbidden":
                message = "unknown key; correct its spelling or remove it"
            elif fault["type"] == "missing":
                message = "missing; add it"
            else:
                message = f"{fault['msg'].removeprefix('Value error, ')} (it is {fault['input']!r})"
            faults.append(str(self.error(where, message)))
        return BenchError("\n".join(faults))

    def _refuse_twice(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    raise BenchError(
                        f"{self.name}, line {line}: key {key.value!r} is already given on line"
                        f" {seen[key.value]}; remove one of them"
                    )
                seen[key.value if isinstance(key, yaml.ScalarNode) else str(line)] = line
                self._refuse_twice(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self._refuse_twice(value)
