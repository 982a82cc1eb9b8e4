"""How a long step tells where it is: a seam, so that the Python functions print nothing."""

from typing import Protocol


class Progress(Protocol):
    """What a step reports to."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """A stretch of `total` units begins, `done` of them from an earlier attempt."""

    def advance(self, note: str = "", by: int = 1) -> None:
        """`by` more units are done; `note` says how it went."""

    def finish(self) -> None:
        """The stretch is over."""

    def say(self, text: str) -> None:
        """A sentence for the person who watches."""


class Silent:
    """A `Progress` that says nothing."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """See `Progress`."""

    def advance(self, note: str = "", by: int = 1) -> None:
        """See `Progress`."""

    def finish(self) -> None:
        """See `Progress`."""

    def say(self, text: str) -> None:
        """See `Progress`."""
