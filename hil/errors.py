"""The errors of the application, and what each means for the exit code of the command line.

    HilError (Exception)                 1  failure
    ├── ConfigError (ValueError)         2  a bench or experiment file that cannot be used
    ├── RunError (RuntimeError)          1  a run folder that cannot be used
    │   ├── RunExists (FileExistsError)
    │   ├── NotARun (FileNotFoundError)
    │   ├── NewerFormat (ValueError)
    │   ├── DamagedRun (ValueError)
    │   ├── RunBusy (BlockingIOError)    another process writes to it
    │   ├── StoreFull (OSError)          4  the run cannot be written on; it is whole and resumable
    │   └── StepMissing (LookupError)    2  a step was asked for whose forerunner is not done
    ├── ImportRefused (ValueError)       2  a peer's file that is malformed or not safe to read
    ├── AcceptanceMissed (ArithmeticError)  5  everything ran and the chip is not good enough
    └── Interrupted (Exception)          130 or 143  stopped by a signal, after the safe state

The drivers keep their own tree: an envelope violation ends with 3, an instrument fault with 4.
"""


class HilError(Exception):
    """Base of every error raised by `hil`."""

    exit_code = 1


class ConfigError(HilError, ValueError):
    """A bench or experiment file cannot be used."""

    exit_code = 2


class RunError(HilError, RuntimeError):
    """A run folder cannot be used."""


class RunExists(RunError, FileExistsError):
    """A new run was asked for in a folder that is not empty."""


class NotARun(RunError, FileNotFoundError):
    """The folder holds no run."""


class NewerFormat(RunError, ValueError):
    """The run was written by a later version."""


class DamagedRun(RunError, ValueError):
    """Something that the run's own records promise is missing or altered."""


class RunBusy(RunError, BlockingIOError):
    """Another process writes to the run."""


class StoreFull(RunError, OSError):
    """The run cannot be written on; what is committed is whole and the run can be resumed."""

    exit_code = 4


class StepMissing(RunError, LookupError):
    """A step was asked for whose forerunner is not done."""

    exit_code = 2


class ImportRefused(HilError, ValueError):
    """A peer's file is malformed or not safe to read."""

    exit_code = 2


class AcceptanceMissed(HilError, ArithmeticError):
    """Everything ran, and the chip does not meet the stated acceptance."""

    exit_code = 5


class Interrupted(HilError):
    """A signal stopped the session after it had reached the safe state."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
