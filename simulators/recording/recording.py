"""The reading side of a recording."""

import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simulators.errors import RecordingError
from simulators.recording.format import FAMILY, FORMAT, Block, Exchange, read_line, side_file


class Recording:
    """A recording in memory; blocks stay in the side file until they are asked for.

    Raises RecordingError, which names file, line and remedy, for what is no recording, is damaged or was
    written by a newer version. A last line that was cut by a kill is passed over.

    Attributes:
        header: what the first line says.
        exchanges: all others, in the order in which they ended.
        cut: whether the recording stops without the line that a process writes when it ends by itself.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        lines = self._lines()
        self.header = self._read_header(lines[0])
        self.exchanges: Sequence[Exchange] = list(self._read(lines))
        self.cut = not (self.exchanges and self.exchanges[-1].op == "end")

    @property
    def resources(self) -> list[str]:
        """The names under which resources were opened, in order."""
        return list(dict.fromkeys(exchange.resource for exchange in self.exchanges if exchange.resource))

    def data(self, exchange: Exchange) -> bytes:
        """What was written or read; raises RecordingError when the side file does not have it any more."""
        block = exchange.data
        if not isinstance(block, Block):
            return block
        path = side_file(self.path)
        try:
            with open(path, "rb") as file:
                file.seek(block.offset)
                data = file.read(block.length)
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be read: {error.strerror}; a recording is two files, copy both"
            ) from None
        if len(data) != block.length or zlib.crc32(data) != block.crc32:
            raise RecordingError(
                f"{path}: the block of line {exchange.line} of {self.path.name} ({block.length} bytes from "
                f"{block.offset}) is not what was written; restore both files from a copy"
            )
        return data

    def place(self, exchange: Exchange) -> str:
        """File and line, for messages."""
        return f"{self.path}, line {exchange.line}"

    def _lines(self) -> list[bytes]:
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise RecordingError(f"{self.path} cannot be read: {error.strerror}; check the path") from None
        lines.pop()  # nothing, or a line that was cut
        if not lines:
            raise RecordingError(
                f"{self.path} holds no whole line: it is no recording, or one that never began"
            )
        return lines

    def _read_header(self, line: bytes) -> dict[str, Any]:
        try:
            header = json.loads(line)
            written = header["format"]
        except (ValueError, TypeError, KeyError):
            written = None
        if not isinstance(written, str) or not written.startswith(FAMILY):
            raise RecordingError(f"{self.path} is no recording: its first line has no format {FORMAT!r}")
        if written != FORMAT:
            raise RecordingError(
                f"{self.path} has the format {written!r} and this hil reads {FORMAT!r}; "
                "read it with the hil that wrote it, or a newer one"
            )
        return dict(header)

    def _read(self, lines: Sequence[bytes]) -> Iterator[Exchange]:
        resources: dict[int, str] = {}
        for number, line in enumerate(lines[1:], start=2):
            try:
                yield read_line(number, line, resources)
            except ValueError as error:
                raise RecordingError(
                    f"{self.path}, line {number}: {error}; the file was altered, restore it from a copy"
                ) from None
