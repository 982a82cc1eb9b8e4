"""What every chip in a bench file has in common."""

from collections.abc import Iterator

from pydantic import Field

from hil.config.fields import Section


class ChipBase(Section):
    """A chip as the lab knows it: its name, and what its instruments must say of themselves.

    Attributes:
        expect: by instrument, what must occur in its identity.
    """

    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    expect: dict[str, str] = {}

    def instruments(self) -> Iterator[tuple[str, str]]:
        """The instruments that the chip is wired to: the key that names one, and its name in the station."""
        raise NotImplementedError
