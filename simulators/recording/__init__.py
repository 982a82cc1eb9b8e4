"""Sessions over any VISA library, recorded, replayed and compared."""

from simulators.recording.format import FORMAT, REPORTS_VARIABLE, SUFFIX, Block, Exchange
from simulators.recording.recorder import finish
from simulators.recording.recording import Recording
from simulators.recording.spelling import Spelling, checked_name, read_spelling

__all__ = [
    "FORMAT",
    "REPORTS_VARIABLE",
    "SUFFIX",
    "Block",
    "Exchange",
    "Recording",
    "Spelling",
    "checked_name",
    "finish",
    "read_spelling",
]
