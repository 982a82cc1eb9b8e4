"""How recording and replay are spelled where PyVISA takes a library.

    record:SESSION.rec:LIBRARY@hil     record what goes over LIBRARY, spelled as PyVISA takes it
    replay:SESSION.rec@hil             answer from the recording, in its order
    replay-loose:SESSION.rec@hil       answer from the recording, by command

PyVISA takes what stands behind the last "@" for the backend, so LIBRARY keeps its own: `record:s.rec:@py@hil`,
`record:s.rec:bench.yaml@hil@hil`, and `record:s.rec:@hil` for the system's VISA. The recording's name ends
in .rec, which is what tells its end from the colons of a Windows path.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from simulators.errors import RecordingError
from simulators.recording.format import SUFFIX

_SPELLED = re.compile(r"(record|replay|replay-loose):(.*)", re.DOTALL)
_RECORDED = re.compile(r"(.+?" + re.escape(SUFFIX) + r"):(.*)", re.DOTALL)


@dataclass(frozen=True)
class Spelling:
    """What is asked for: `record`, `replay` or `replay-loose`, the file and, to record, the library."""

    scheme: str
    path: str
    library: str = ""

    def __str__(self) -> str:
        if self.scheme == "record":
            return f"record:{self.path}:{self.library}@hil"
        return f"{self.scheme}:{self.path}@hil"

    def below(self, folder: Path) -> "Spelling":
        """The same with a relative path starting from the folder."""
        return Spelling(self.scheme, str((folder / self.path).resolve()), self.library)


def read_spelling(text: str) -> Spelling | None:
    """Read a library's spelling without the "@hil" at its end; None where it is neither record nor replay.

    Raises RecordingError for one that is incomplete.
    """
    found = _SPELLED.fullmatch(text)
    if found is None:
        return None
    scheme, rest = found.groups()
    if scheme == "record":
        parts = _RECORDED.fullmatch(rest)
        if parts is None:
            raise RecordingError(
                f"{text!r}: write record:SESSION{SUFFIX}:LIBRARY@hil, such as record:s.rec:@py@hil"
            )
        return Spelling(scheme, parts[1], parts[2])
    return Spelling(scheme, checked_name(rest))


def checked_name(path: Path | str) -> str:
    """The path of a recording; raises RecordingError when its name does not end in .rec."""
    if not str(path).endswith(SUFFIX):
        raise RecordingError(f"{str(path)!r}: a recording's name ends in {SUFFIX}")
    return str(path)
