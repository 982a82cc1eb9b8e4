"""What the command line's exit codes mean; a contract with scripts.

0 ok            3 refused for safety        130 interrupted (Ctrl-C), after the safe state
1 failure       4 instrument or disk        143 terminated, after the safe state
2 usage/config  5 acceptance missed
"""

OK, FAILURE, USAGE, SAFETY, INSTRUMENT, ACCEPTANCE, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 5, 130, 143

# By name and not by class: the classes live in packages that cost seconds to import, and an error that
# reached the command line has its module loaded already.
_BY_NAME = {
    "EnvelopeError": SAFETY,
    "drivers.errors.ShapeError": SAFETY,
    "DriverError": INSTRUMENT,
    "VisaIOError": INSTRUMENT,
    "InvalidSession": INSTRUMENT,
    "BenchError": USAGE,
    "ModelError": USAGE,
    "PlanError": USAGE,
    "RecordingError": USAGE,
    "ModelFileError": USAGE,
    "WrongChip": USAGE,
    "PowerLimit": SAFETY,
    "BudgetTooSmall": USAGE,
    "OutsideLimits": USAGE,
    "calibration.errors.ShapeError": USAGE,
    "NotRepeatable": ACCEPTANCE,
    "ReadingFailed": INSTRUMENT,
    "NotFinite": INSTRUMENT,
}


def exit_code(error: BaseException) -> int:
    """The exit code that an error which ended a command stands for."""
    own = getattr(error, "exit_status", getattr(error, "exit_code", None))  # typer says exit_code
    if isinstance(own, int):
        return own
    for kind in type(error).__mro__:
        code = _BY_NAME.get(f"{kind.__module__}.{kind.__name__}", _BY_NAME.get(kind.__name__))
        if code is not None:
            return code
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILURE
