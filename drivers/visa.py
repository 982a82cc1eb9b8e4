"""Exchanges with a VISA instrument: failures in the words of `drivers.errors`, and back in step after one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyvisa.constants
import pyvisa.errors

from drivers.errors import InstrumentError, InstrumentTimeout

_TRIES = 5
_DRAIN_s = 0.05


class Line:
    """The line to one instrument, given its stock QCoDeS driver.

    An exchange that was cut short (a timeout, an interrupt) may leave an answer behind, which the next
    query would take for its own: a read-back would then be another channel's. So after a failure the
    line is cleared and the instrument asked who it is until the answer is the one it gave at first.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.address = str(driver.address)
        self._in_step = True
        with translated("clearing the line", self.address):
            self._clear()  # the stock driver may have given up on an answer that is still to come
        with translated("asking who it is", self.address):
            self.identity = str(driver.ask("*IDN?")).strip()

    @contextmanager
    def exchange(self, what: str, answers: bool = True) -> Iterator[None]:
        """Do `what` on the line; raises InstrumentTimeout or InstrumentError for any failure of VISA.

        Without `answers`, nothing is read, so nothing stale can be: a command goes out even to an
        instrument that has stopped answering, as it must on the way to the safe state.
        """
        if answers and not self._in_step:
            self.resynchronise()
        try:
            with translated(what, self.address):
                yield
        except BaseException:
            self._in_step = False
            raise

    def monotonic_s(self) -> float:
        """The time in seconds by which to give up waiting.

        It is the computer's, unless the VISA library keeps it: one that records or replays a session does,
        so that a wait which was given up is given up after the same exchange again.
        """
        library = self._driver.visa_handle.visalib
        return float(getattr(library, "monotonic_s", time.monotonic)())

    def _clear(self) -> None:
        try:
            self._driver.visa_handle.clear()
        except pyvisa.errors.VisaIOError:
            self._drain()  # not every interface has a device clear

    def resynchronise(self) -> None:
        """Drop what is left on the line and in the error queue; raises InstrumentError when that fails."""
        with translated("clearing the line", self.address):
            self._clear()
            for _ in range(_TRIES):
                answer = str(self._driver.ask("*IDN?")).strip()
                if answer == self.identity:
                    self._in_step = True
                    self._driver.write("*CLS")  # the queue complains about the exchange that failed
                    return
        raise InstrumentError(f"{self.address}: answers {answer!r} where it was {self.identity!r}")

    def _drain(self) -> None:
        handle = self._driver.visa_handle
        patience, handle.timeout = handle.timeout, _DRAIN_s * 1e3
        try:
            with suppress(pyvisa.errors.VisaIOError):
                while True:
                    handle.read()
        finally:
            handle.timeout = patience


@contextmanager
def translated(what: str, address: str) -> Iterator[None]:
    """Translate the failure of an exchange with the instrument at `address`.

    A VISA timeout becomes InstrumentTimeout; any other VISA or connection error, and an answer that
    cannot be read, becomes InstrumentError. `what` says what was being done.
    """
    try:
        yield
    except pyvisa.errors.VisaIOError as error:
        if error.error_code == pyvisa.constants.StatusCode.error_timeout:
            raise InstrumentTimeout(
                f"{address}: no answer while {what}; check that it is on, connected and not in use elsewhere"
            ) from error
        raise InstrumentError(f"{address}: {error.description} while {what}") from error
    except TimeoutError as error:
        if isinstance(error, InstrumentError):
            raise
        raise InstrumentTimeout(f"{address}: no answer while {what} ({error})") from error
    except (pyvisa.errors.Error, ConnectionError, ValueError, IndexError) as error:
        raise InstrumentError(f"{address}: {error} while {what}") from error
