"""A parameter for handlers that several headers share."""

from collections.abc import Sequence
from typing import Any

from simulators.scpi import Parameter, ScpiError


class Given(Parameter):
    """No parameter on the wire: `value` is what the header itself says, handed to its handler."""

    required = False

    def __init__(self, value: str) -> None:
        self.default = value

    def convert(self, token: str | bytes, instrument: Any, suffixes: Sequence[int]) -> Any:
        """Nothing may stand here."""
        raise ScpiError(-108)
