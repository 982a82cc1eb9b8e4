"""The decorators by which an instrument class declares its commands."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from simulators.scpi.headers import HeaderTree
from simulators.scpi.parameters import Number, Parameter

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__scpi_declarations__"


@dataclass(frozen=True)
class Declaration:
    """One header of one handler."""

    header: str
    query: bool
    parameters: tuple[Parameter, ...]
    handler: str = ""


def command(header: str, *parameters: Parameter) -> Callable[[F], F]:
    """Declare the method as the command `header`, such as "[SOURce#]:VOLTage[:LEVel]".

    The method receives one int for each #, then one argument for each parameter.
    """
    return _declare(header, False, parameters)


def query(header: str, *parameters: Parameter) -> Callable[[F], F]:
    """Declare the method as the query of `header` (written without its question mark).

    The method returns float, int, bool, str, bytes (sent as a block), a sequence of these, or Later.
    """
    return _declare(header, True, parameters)


def _declare(header: str, is_query: bool, parameters: tuple[Parameter, ...]) -> Callable[[F], F]:
    for parameter in parameters[:-1]:
        if parameter.takes_rest:
            raise TypeError(f"{header}: only the last parameter can take all the rest")

    def mark(function: F) -> F:
        declared: list[Declaration] = getattr(function, _MARK, [])
        declaration = Declaration(header.removesuffix("?"), is_query, parameters, function.__name__)
        setattr(function, _MARK, [*declared, declaration])
        return function

    return mark


def collect(cls: type) -> HeaderTree[Declaration]:
    """All declarations of a class and its bases, as a tree; a subclass replaces what it declares again."""
    tree: HeaderTree[Declaration] = HeaderTree()
    for base in reversed(cls.__mro__):
        own: HeaderTree[Declaration] = HeaderTree()
        for member in vars(base).values():
            for declaration in getattr(member, _MARK, ()):
                own.add(declaration.header, declaration, query=declaration.query)  # refuses duplicates
                tree.add(declaration.header, declaration, query=declaration.query, replace=True)
    return tree


def declarations(cls: type) -> Iterator[Declaration]:
    """Every declaration of a class and its bases, those that a subclass replaces included."""
    for base in cls.__mro__:
        for member in vars(base).values():
            yield from getattr(member, _MARK, ())


def limits_of(declaration: Declaration) -> Number | None:
    """The parameter that answers MIN, MAX and DEF queries of a command, if its first one is a number."""
    first = declaration.parameters[0] if declaration.parameters else None
    return first if isinstance(first, Number) else None
