"""The errors of the application.

    HilError (Exception)
    ├── ConfigError (ValueError)            a bench or experiment file, or a setting, that cannot be used
    ├── DrivingRefused (PermissionError)    real instruments would be driven without having been asked for
    ├── NoCalibration (FileNotFoundError)   what needs the calibration of a chip that has none
    ├── ImportRefused (ValueError)          a foreign file that is not what it should be, or not safe to read
    └── RunError                            a run folder that cannot be used as asked
        ├── NotARun (ValueError)            no run in that folder
        ├── RunExists (FileExistsError)     a new run where there is something already
        ├── NewerFormat (ValueError)        written by a newer hil than this one
        ├── DamagedRun (ValueError)         something committed is missing, cut short or altered
        ├── RunBusy (BlockingIOError)       another process is writing to the run
        ├── RunConflict (ValueError)        what is asked does not fit what the run already holds
        ├── StepError (RuntimeError)        a step that cannot run now
        ├── Unwritable (OSError)            the folder for runs cannot be written to
        └── DiskFull (OSError)              no room for what was to be written; the run is whole

What travels to the shell is `exit_status`: see `hil.cli.exit_codes`. A stop that was asked for by a signal
is no error: see `hil.interrupts`.
"""


class HilError(Exception):
    """Base of every error raised by `hil`."""

    exit_status = 1


class ConfigError(HilError, ValueError):
    """A bench or experiment file, or a setting, cannot be used."""

    exit_status = 2


class NoCalibration(HilError, FileNotFoundError):
    """The chip on the bench has no calibration record, and what was asked for needs one."""

    exit_status = 2


class ImportRefused(HilError, ValueError):
    """A foreign file is not what it should be, or not safe to read; nothing was executed or written."""

    exit_status = 2


class DrivingRefused(HilError, PermissionError):
    """Real instruments would be driven by something that checks no envelope, and nobody has asked for it."""

    exit_status = 3


class RunError(HilError):
    """A run folder cannot be used as asked."""


class NotARun(RunError, ValueError):
    """There is no run in that folder."""


class RunExists(RunError, FileExistsError):
    """A new run was asked for where there is something already."""


class NewerFormat(RunError, ValueError):
    """The run was written by a newer hil than this one."""


class DamagedRun(RunError, ValueError):
    """Something that was committed is missing, cut short or altered."""


class RunBusy(RunError, BlockingIOError):
    """Another process is writing to the run."""

    exit_status = 2


class RunConflict(RunError, ValueError):
    """What is asked does not fit what the run already holds."""


class StepError(RunError, RuntimeError):
    """A step cannot run now."""

    exit_status = 2


class Unwritable(RunError, OSError):
    """The folder for runs cannot be written to."""

    exit_status = 4


class DiskFull(RunError, OSError):
    """There was no room for what was to be written; everything committed before is whole."""

    exit_status = 4
