"""hil: calibration sessions on unconventional computing chips, on a real bench or an emulated one.

    import hil

    hil.init("dnpu", "mylab")
    run = hil.calibrate("mylab/experiment.yaml")
    print(run.metrics["surrogate"]["rmse_A"])

Whatever the command line does, a function of the same name here does. Each is loaded when first used, so
that `import hil` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hil.api.calibrate import calibrate as calibrate
    from hil.api.check import check as check
    from hil.api.export import export as export
    from hil.api.instruments import instruments as instruments
    from hil.api.keep import keep as keep
    from hil.api.lab import demo as demo
    from hil.api.lab import init as init
    from hil.api.lab import station as station
    from hil.api.mesh import deploy as deploy
    from hil.api.recordings import compare as compare
    from hil.api.recordings import record as record
    from hil.api.recordings import replay as replay
    from hil.api.recordings import show as show
    from hil.api.runs import runs as runs
    from hil.api.serve import serve as serve
    from hil.api.steps import fit as fit
    from hil.api.steps import report as report
    from hil.api.steps import sample as sample
    from hil.api.steps import search as search
    from hil.api.steps import verify as verify
    from hil.api.tune import tune as tune
    from hil.imports.brainspy import import_brainspy as import_brainspy
    from hil.imports.brainspy_data import import_brainspy_data as import_brainspy_data

_HOME = {
    "calibrate": "hil.api.calibrate",
    "check": "hil.api.check",
    "compare": "hil.api.recordings",
    "demo": "hil.api.lab",
    "deploy": "hil.api.mesh",
    "export": "hil.api.export",
    "fit": "hil.api.steps",
    "import_brainspy": "hil.imports.brainspy",
    "import_brainspy_data": "hil.imports.brainspy_data",
    "init": "hil.api.lab",
    "instruments": "hil.api.instruments",
    "keep": "hil.api.keep",
    "record": "hil.api.recordings",
    "replay": "hil.api.recordings",
    "report": "hil.api.steps",
    "runs": "hil.api.runs",
    "sample": "hil.api.steps",
    "search": "hil.api.steps",
    "serve": "hil.api.serve",
    "show": "hil.api.recordings",
    "station": "hil.api.lab",
    "tune": "hil.api.tune",
    "verify": "hil.api.steps",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'hil' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
