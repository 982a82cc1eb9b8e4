"""The errors of the drivers.

DriverError (Exception)
├── EnvelopeError (ValueError)          a voltage, step or slew outside the safety envelope; nothing was sent
├── ShapeError (ValueError)             an array, a name or a description that does not fit the chip
├── NotCalibrated (RuntimeError)        a current was asked for before the amplifier was measured
└── InstrumentError (OSError)           an instrument refused, failed or is not what it should be
    ├── InstrumentTimeout (TimeoutError)    no answer, within the budget for trying again
    ├── ConnectionLost (ConnectionError)    the line to an instrument went down and did not come back
    ├── GarbledAnswer                       an answer that is none, within the budget for trying again
    ├── IdentityError                       another instrument than expected answers at the address
    ├── ReadbackError (RuntimeError)        an output does not stand where it was put
    ├── TripError (RuntimeError)            an instrument's own protection switched an output off
    ├── SafeStateError (RuntimeError)       an output could not be brought to 0 V
    └── AmplifierError (RuntimeError)       the amplifier's measured gain or offset cannot be trusted
"""


class DriverError(Exception):
    """Base of every error raised by `drivers`."""


class EnvelopeError(DriverError, ValueError):
    """A voltage, step or slew lies outside the safety envelope; nothing was sent.

    `channel`, `index` (sample; None for a single point), `value` and `limit` say where, in SI units.
    """

    def __init__(
        self,
        message: str,
        *,
        channel: str = "",
        index: int | None = None,
        value: float = float("nan"),
        limit: float = float("nan"),
    ) -> None:
        super().__init__(message)
        self.channel = channel
        self.index = index
        self.value = value
        self.limit = limit


class ShapeError(DriverError, ValueError):
    """An array's shape or dtype, a name, or a description of the bench does not fit the chip."""


class NotCalibrated(DriverError, RuntimeError):
    """A current was asked for before the amplifier stage was measured."""


class InstrumentError(DriverError, OSError):
    """An instrument refused a command, failed, or lost its connection."""


class InstrumentTimeout(InstrumentError, TimeoutError):
    """An instrument did not answer within its time and the budget for trying again."""


class ConnectionLost(InstrumentError, ConnectionError):
    """The line to an instrument went down; a new connection was not to be had, or was lost again."""


class GarbledAnswer(InstrumentError):
    """What an instrument answered cannot be read: cut, spoilt on its way, or the answer to something else."""


class IdentityError(InstrumentError):
    """Another instrument than the expected one answers at the address."""


class ReadbackError(InstrumentError, RuntimeError):
    """An output does not stand where it was put."""


class TripError(InstrumentError, RuntimeError):
    """An instrument's own protection switched outputs off; `channels` are their numbers, oldest first."""

    def __init__(self, message: str, channels: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.channels = channels


class SafeStateError(InstrumentError, RuntimeError):
    """An output could not be brought to 0 V; the message names each one and where it stands."""


class AmplifierError(InstrumentError, RuntimeError):
    """The amplifier's measured gain or offset cannot be trusted."""
