"""YAML with Python object tags, as brains-py writes its configurations, without executing the tags.

Only tuples and numpy's arrays, dtypes and scalars are read, through the same forms as in pickles. Every other
tag is refused by its name.
"""

from typing import Any

import yaml

from hil.errors import ImportRefused
from hil.imports.numpy_forms import NUMPY_GLOBALS, finish

_PYTHON = "tag:yaml.org,2002:python/"


class _Loader(yaml.SafeLoader):
    """SafeLoader, and numpy's values."""


def load_yaml(text: str | bytes, what: str) -> Any:
    """The value of a YAML text; raises ImportRefused, saying `what` was refused, and the tag or the line."""
    try:
        return finish(yaml.load(text, _Loader))
    except ImportRefused as error:
        raise ImportRefused(f"{what}: {error}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ImportRefused(f"{what} is no YAML that can be read: {reason}") from None


def _tuple(loader: _Loader, node: yaml.Node) -> tuple[Any, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise _refused("tuple", node)
    return tuple(loader.construct_sequence(node, deep=True))


def _name(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if suffix not in NUMPY_GLOBALS:
        raise _refused(f"name:{suffix}", node)
    return NUMPY_GLOBALS[suffix]


def _apply(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if suffix not in NUMPY_GLOBALS:
        raise _refused(f"object/apply:{suffix}", node)
    state: Any = None
    if isinstance(node, yaml.SequenceNode):
        arguments = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        parts = loader.construct_mapping(node, deep=True)
        arguments, state = list(parts.pop("args", ())), parts.pop("state", None)
        if parts:
            raise _refused(f"object/apply:{suffix} with {sorted(map(str, parts))}", node)
    else:
        raise _refused(f"object/apply:{suffix}", node)
    made = NUMPY_GLOBALS[suffix](*arguments)
    if state is not None:
        if not hasattr(made, "__setstate__"):
            raise _refused(f"object/apply:{suffix} with a state", node)
        made.__setstate__(state)
    return made


def _other(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    raise _refused(suffix, node)


def _refused(tag: str, node: yaml.Node) -> ImportRefused:
    line = node.start_mark.line + 1 if node.start_mark is not None else "?"
    return ImportRefused(
        f"line {line} asks for the Python object {tag}; only tuples and numpy arrays are read, "
        "and nothing was executed"
    )


_Loader.add_constructor(_PYTHON + "tuple", _tuple)
_Loader.add_multi_constructor(_PYTHON + "object/apply:", _apply)
_Loader.add_multi_constructor(_PYTHON + "name:", _name)
_Loader.add_multi_constructor(_PYTHON, _other)
