"""Which VISA library the instruments of a bench are reached through.

A bench file names it. `hil record` and `hil replay` leave word in the environment of the command that they
run, and then every library of a bench is recorded, or none is opened and the recording answers.
"""

import os
from pathlib import Path

from hil.errors import ConfigError

RECORD_VARIABLE = "HIL_RECORD"
"""The recording to write."""

REPLAY_VARIABLE = "HIL_REPLAY"
"""The spelling of the replay, without the "@hil" at its end."""


def library(named: str, bench_path: Path) -> str:
    """The library as PyVISA takes it, for one that is `named` in the bench file at `bench_path`.

    "@hil" is the emulator that the file itself describes; relative recordings start from the file's folder.
    """
    if replayed := os.environ.get(REPLAY_VARIABLE):
        return f"{replayed}@hil"
    spelled = f"{bench_path.resolve()}@hil" if named == "@hil" else named
    if spelled.endswith("@hil"):
        spelled = absolute(spelled, bench_path.parent)
    if recorded := os.environ.get(RECORD_VARIABLE):
        return f"record:{recorded}:{spelled}@hil"
    return spelled


def absolute(named: str, folder: Path) -> str:
    """The library with the recording it names, if any, as an absolute path; raises ConfigError."""
    from simulators.errors import RecordingError
    from simulators.recording.spelling import read_spelling

    path, _, backend = named.rpartition("@")
    if backend != "hil":
        return named
    try:
        found = read_spelling(path)
    except RecordingError as error:
        raise ConfigError(f"visa: {error}") from None
    return named if found is None else str(found.below(folder))


def replaying() -> bool:
    """Whether this process was told to answer from a recording."""
    return REPLAY_VARIABLE in os.environ
