"""VISA failures in the words of `drivers.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyvisa.constants
import pyvisa.errors

from drivers.errors import InstrumentError, InstrumentTimeout


@contextmanager
def exchange(what: str, address: str) -> Iterator[None]:
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
