"""Exchanges with a VISA instrument: failures in the words of `drivers.errors`, and back in step after one."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyvisa.errors
from pyvisa.constants import StatusCode

from drivers.errors import ConnectionLost, GarbledAnswer, IdentityError, InstrumentError, InstrumentTimeout

_TRIES, _UNANSWERED = 5, 2
"""Questions until an instrument counts as another one, and until it counts as silent."""
_DRAIN_s = 0.05
_SPOILT = ("read string doesn't end with termination", "The beginning of the block has been found")
"""What PyVISA only warns of."""
_GONE = {StatusCode.error_connection_lost, StatusCode.error_resource_not_found, StatusCode.error_io}
_SETTINGS = ("timeout", "read_termination", "baud_rate", "data_bits", "parity", "stop_bits", "flow_control")
"""Of a PyVISA resource: what a new session does not know."""


class Line:
    """The line to one instrument, given its stock QCoDeS driver.

    An exchange that was cut short (a timeout, an interrupt) may leave an answer behind, which the next
    query would take for its own: a read-back would then be another channel's. So after a failure the
    line is cleared and the instrument asked who it is until the answer is the one it gave at first.
    A connection that was lost is opened anew first.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.address = str(driver.address)
        self._in_step = True
        self._lost = False
        self._settings: dict[str, Any] = {}
        with translated("clearing the line", self.address):
            self._clear()  # the stock driver may have given up on an answer that is still to come
        with translated("asking who it is", self.address):
            self.identity = str(driver.ask("*IDN?")).strip()

    @contextmanager
    def exchange(self, what: str, answers: bool = True) -> Iterator[None]:
        """Do `what` on the line; raises an InstrumentError, of a kind of its own where there is one.

        Without `answers`, nothing is read, so nothing stale can be: a command goes out even to an
        instrument that has stopped answering, as it must on the way to the safe state.
        """
        if answers and not self._in_step:
            self.resynchronise()
        try:
            with translated(what, self.address), warnings.catch_warnings():
                for message in _SPOILT:
                    warnings.filterwarnings("error", message, UserWarning)
                yield
        except BaseException as failure:
            self._in_step = False
            self._lost |= isinstance(failure, ConnectionLost)
            raise

    def distrust(self) -> None:
        """Clear the line before the next question: an answer may have been left behind."""
        self._in_step = False

    def monotonic_s(self) -> float:
        """The time in seconds by which to give up waiting.

        It is the computer's, unless the VISA library keeps it: one that records or replays a session does,
        so that a wait which was given up is given up after the same exchange again.
        """
        library = self._driver.visa_handle.visalib
        return float(getattr(library, "monotonic_s", time.monotonic)())

    def reconnect(self) -> None:
        """Open a connection that was lost anew, once; raises ConnectionLost where there is none to be had."""
        if not self._lost:
            return
        handle = self._driver.visa_handle
        with translated("opening the connection anew", self.address):
            if not self._settings:  # else this is not the first try, and the old session is closed
                self._settings = {name: getattr(handle, name) for name in _SETTINGS if hasattr(handle, name)}
                with suppress(pyvisa.errors.Error):  # a session that is dead may not even close
                    handle.close()
            handle.open()
            for name, value in self._settings.items():
                setattr(handle, name, value)
        self._settings, self._lost = {}, False

    def resynchronise(self) -> None:
        """Drop what is left on the line and in the error queue; raises InstrumentError when that fails.

        Of the questions asked some may drown in the rest of a message that was cut short.
        """
        self.reconnect()
        unanswered: list[InstrumentError] = []
        answer = ""
        for _ in range(_TRIES):
            try:
                with translated("clearing the line", self.address):
                    self._clear()
                    answer = str(self._driver.ask("*IDN?")).strip()
                    if answer == self.identity:
                        self._in_step = True
                        self._driver.write("*CLS")  # the queue complains about the exchange that failed
                        return
            except ConnectionLost:
                self._lost = True
                raise
            except (InstrumentTimeout, GarbledAnswer) as failure:
                unanswered.append(failure)
                if len(unanswered) == _UNANSWERED:
                    raise
        raise IdentityError(
            f"{self.address}: answers {answer!r} where it was {self.identity!r}; "
            "find out what stands at this address now"
        )

    def _clear(self) -> None:
        try:
            self._driver.visa_handle.clear()
        except pyvisa.errors.VisaIOError as error:
            if error.error_code in _GONE:
                raise
            self._drain()  # not every interface has a device clear

    def _drain(self) -> None:
        handle = self._driver.visa_handle
        patience, handle.timeout = handle.timeout, _DRAIN_s * 1e3
        try:
            with suppress(pyvisa.errors.VisaIOError):
                while True:
                    handle.read_raw()
        finally:
            handle.timeout = patience


@contextmanager
def translated(what: str, address: str) -> Iterator[None]:
    """Translate the failure of an exchange with the instrument at `address`.

    A VISA timeout becomes InstrumentTimeout, a line that is down ConnectionLost, an answer that cannot be
    read GarbledAnswer; any other VISA error becomes InstrumentError. `what` says what was being done.
    """
    try:
        yield
    except pyvisa.errors.VisaIOError as error:
        if error.error_code == StatusCode.error_timeout:
            raise InstrumentTimeout(
                f"{address}: no answer while {what}; check that it is on, connected and not in use elsewhere"
            ) from error
        if error.error_code in _GONE:
            raise _lost(address, what, error.description) from error
        raise InstrumentError(f"{address}: {error.description} while {what}") from error
    except TimeoutError as error:
        if isinstance(error, InstrumentError):
            raise
        raise InstrumentTimeout(f"{address}: no answer while {what} ({error})") from error
    except (pyvisa.errors.InvalidSession, ConnectionError) as error:
        if isinstance(error, InstrumentError):
            raise
        raise _lost(address, what, str(error)) from error
    except (ValueError, LookupError, UserWarning) as error:
        raise GarbledAnswer(
            f"{address}: an answer that cannot be read while {what} ({error}); check the line and who else uses it"
        ) from error
    except pyvisa.errors.Error as error:
        raise InstrumentError(f"{address}: {error} while {what}") from error


def _lost(address: str, what: str, why: str) -> ConnectionLost:
    return ConnectionLost(
        f"{address}: the connection is lost ({why}) while {what}; check that the instrument is on and its cable"
    )


def split_errors(answer: str) -> list[str]:
    """Split `-222,"Data out of range",-113,"Undefined header"` into its errors; "0,..." is none."""
    found: list[str] = []
    rest = answer.strip()
    while rest:
        code, _, rest = rest.partition(",")
        rest = rest.strip()
        text = ""
        if rest.startswith('"'):
            text, _, rest = rest[1:].partition('"')
            rest = rest.lstrip(", ")
        if code.strip().lstrip("+") != "0":
            found.append(f'{code.strip()}, "{text}"')
    return found
