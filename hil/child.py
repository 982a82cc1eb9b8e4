"""A command in a child process: signals reach it, and its exit code comes back."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from hil.errors import ConfigError

_TYPED = {getattr(signal, name) for name in ("SIGINT", "SIGBREAK") if hasattr(signal, name)}
_STOPS = _TYPED | {getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)}


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command with more in its environment; 128 + N where signal N ended it.

    `hil` is this hil and no other on the path. Raises ConfigError for a command that cannot be started.
    """
    if not command:
        raise ConfigError("there is no command; write it after --, such as: -- hil calibrate experiment.yaml")
    words = list(command)
    if words[0] == "hil":
        words[:1] = [sys.executable, "-m", "hil.cli"]
    program = shutil.which(words[0])
    if program is None:
        raise ConfigError(f"there is no command {words[0]!r}; check its spelling, or give its whole path")
    with _forwarded() as started:
        try:
            process = subprocess.Popen([program, *words[1:]], env={**os.environ, **environment})
        except OSError as error:
            raise ConfigError(f"{words[0]} cannot be started: {error.strerror}") from None
        started(process)
        code = process.wait()
    return code if code >= 0 else 128 - code


class _Forwarder:
    """Passes signals on to a process; one that comes before it is there is passed on when it is."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def __call__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def on_signal(self, number: int, _: object) -> None:
        if number in _TYPED and _typed():
            return  # the terminal has told the child already; a second SIGINT would mean "now"
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


@contextmanager
def _forwarded() -> Iterator[_Forwarder]:
    forwarder = _Forwarder()
    if threading.current_thread() is not threading.main_thread():
        yield forwarder  # only the main thread may say what signals mean
        return
    before = {number: signal.signal(number, forwarder.on_signal) for number in _STOPS}
    try:
        yield forwarder
    finally:
        for number, meaning in before.items():
            signal.signal(number, meaning)


def _typed() -> bool:
    """Whether it comes from the keyboard of a terminal in whose foreground we and the child are."""
    try:
        return os.name != "posix" or os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (OSError, AttributeError, ValueError):
        return False
