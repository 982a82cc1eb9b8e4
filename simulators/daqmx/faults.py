"""What NI-DAQmx says when something goes wrong, as the package's own errors."""

from typing import NoReturn

from nidaqmx.error_codes import DAQmxErrors
from nidaqmx.errors import DaqError, DaqReadError

Code = DAQmxErrors


def fault(code: DAQmxErrors, text: str, task: str = "") -> DaqError:
    """An error of the driver, with the task it belongs to."""
    return DaqError(text, code, task)


def read_fault(code: DAQmxErrors, text: str, read: int, task: str) -> DaqReadError:
    """An error of a read that got `read` readings per channel."""
    return DaqReadError(text, code, read, task)


def not_covered(what: str) -> NoReturn:
    """Raise what the driver says of a function that a device does not have."""
    raise fault(Code.FUNCTION_NOT_SUPPORTED_FOR_DEVICE, f"{what} is not emulated for this device.")


def refused_value(name: str, value: object, allowed: str, task: str = "") -> DaqError:
    """A property's value that the device cannot take."""
    return fault(
        Code.INVALID_ATTRIBUTE_VALUE,
        "Requested value is not a supported value for this property.\n\n"
        f"Property: {name}\nRequested Value: {value}\nPossible Values: {allowed}",
        task,
    )
