"""Handlers that several headers share, each told which of them was sent."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from simulators.scpi import Parameter, ScpiError

COLON_BEFORE_COMMON = re.compile(rb"(^|;)\s*:\*")
"""A colon that instruments forgive: `:*RST`."""

F = TypeVar("F", bound=Callable[..., Any])


class Given(Parameter):
    """No parameter on the wire: `value` is what the header itself says, handed to its handler."""

    on_wire = False
    required = False

    def __init__(self, value: str) -> None:
        self.default = value

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Nothing may stand here."""
        raise ScpiError(-108)


def same(parameter: Parameter) -> Callable[[str], Parameter]:
    """A parameter for `for_each` that is the same under every node."""
    return lambda name: parameter


class Each(Protocol):
    """What `for_each` gives."""

    def __call__(  # noqa: D102
        self,
        declare: Callable[..., Callable[[F], F]],
        tail: str,
        *parameters: Callable[[str], Parameter],
        of: Sequence[str] | None = None,
    ) -> Callable[[F], F]: ...


def for_each(nodes: Mapping[str, str]) -> Each:
    """A decorator that declares a handler under every node, such as {"VOLT": "[SOURce]:VOLTage"}.

    `each(command, "RANGe", span)` declares "[SOURce]:VOLTage:RANGe" and so on; the handler is told which
    node it was, last. A parameter is given as a callable of the node's name, as its bounds may differ. `of`
    names those nodes that have the header, if not all do.
    """

    def each(
        declare: Callable[..., Callable[[F], F]],
        tail: str,
        *parameters: Callable[[str], Parameter],
        of: Sequence[str] | None = None,
    ) -> Callable[[F], F]:
        def mark(function: F) -> F:
            for name in nodes if of is None else of:
                own = [parameter(name) for parameter in parameters]
                colon = "" if not tail or tail.startswith("[:") else ":"
                function = declare(f"{nodes[name]}{colon}{tail}", *own, Given(name))(function)
            return function

        return mark

    return each
