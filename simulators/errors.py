"""The errors of the emulator.

    SimulatorError (Exception)
    ├── SourceError (ValueError)       a settings file that cannot be read
    ├── BenchError (ValueError)        a bench description that cannot be emulated
    ├── ModelError (ValueError)        a chip model or its file that cannot be used
    ├── RecordingError (ValueError)    a recorded session that cannot be read, written or begun
    └── ConvergenceError (ArithmeticError)   a solver that did not reach its tolerance

What an instrument says through its error queue is not an exception here: see `simulators.scpi`.
"""


class SimulatorError(Exception):
    """Base of every error raised by `simulators`."""


class SourceError(SimulatorError, ValueError):
    """A settings file cannot be read."""


class BenchError(SimulatorError, ValueError):
    """A bench description cannot be emulated."""


class ModelError(SimulatorError, ValueError):
    """A chip model, or the file it is stored in, cannot be used."""


class RecordingError(SimulatorError, ValueError):
    """A recorded session cannot be read, written or begun."""


class ConvergenceError(SimulatorError, ArithmeticError):
    """A solver did not reach its tolerance."""
