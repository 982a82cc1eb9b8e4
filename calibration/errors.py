"""The errors of the algorithms.

CalibrationError (Exception)
├── PlanError (ValueError)          a sampling plan, task or setting that cannot be carried out
├── ShapeError (ValueError)         an array whose shape or names do not fit the device
├── NotEnoughData (ValueError)      too few usable samples for what was asked
│   └── NotRun (RuntimeError)       a stage was asked for its result before it ran to its end
├── OutsideData (ValueError)        a recorded device was asked for a point it never saw
├── OutsideLimits (ValueError)      parameters that limits exclude
├── BudgetTooSmall (ValueError)     too few readings for one step and what shows that it helped
├── NotFinite (ArithmeticError)     a loss that is not finite
├── ReadingFailed (RuntimeError)    a reading of which nothing is usable
├── NotRepeatable (RuntimeError)    a device too restless for the effect that is sought
├── PowerLimit (ValueError)        a setting for which the heaters would draw too much together
├── WrongChip (ValueError)          a calibration of another chip
└── ModelFileError (ValueError)     a stored model that is foreign, cut short or of a newer format
"""


class CalibrationError(Exception):
    """Base of every error raised by `calibration`."""


class PlanError(CalibrationError, ValueError):
    """A sampling plan, task or setting cannot be carried out."""


class ShapeError(CalibrationError, ValueError):
    """An array's shape or names do not fit the device."""


class NotEnoughData(CalibrationError, ValueError):
    """Too few usable samples for what was asked."""


class NotRun(NotEnoughData, RuntimeError):
    """A stage was asked for its result before it ran to its end."""


class OutsideData(CalibrationError, ValueError):
    """A recorded device was asked for a point that it never saw."""


class OutsideLimits(CalibrationError, ValueError):
    """Limits exclude the parameters asked for."""


class BudgetTooSmall(CalibrationError, ValueError):
    """Too few readings are allowed for one step and what shows that it helped."""


class NotFinite(CalibrationError, ArithmeticError):
    """A loss is not finite."""


class ReadingFailed(CalibrationError, RuntimeError):
    """Nothing of a reading is usable."""


class NotRepeatable(CalibrationError, RuntimeError):
    """The device answers the same setting too differently for the effect that is sought."""


class PowerLimit(CalibrationError, ValueError):
    """The heaters of a chip would draw more power together than is allowed."""


class WrongChip(CalibrationError, ValueError):
    """A calibration is of another chip than the one on the bench."""


class ModelFileError(CalibrationError, ValueError):
    """A stored model is foreign, cut short or of a newer format."""
