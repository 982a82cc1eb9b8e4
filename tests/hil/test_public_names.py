"""The public names are a promise: a change here is a change of the interface."""

import json
import subprocess
import sys

import hil

PUBLIC = {
    "__version__",
    "calibrate",
    "check",
    "compare",
    "demo",
    "deploy",
    "export",
    "fit",
    "import_brainspy",
    "import_brainspy_data",
    "init",
    "instruments",
    "keep",
    "record",
    "replay",
    "report",
    "runs",
    "sample",
    "search",
    "serve",
    "show",
    "station",
    "tune",
    "verify",
}


def test_the_names_are_these() -> None:
    assert set(hil.__all__) == PUBLIC
    for name in PUBLIC - {"__version__"}:
        function = getattr(hil, name)
        assert callable(function)
        assert function.__doc__


def test_every_command_is_a_function_of_the_same_name() -> None:
    from hil.cli.main import app, importer

    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {command.callback.__name__ for command in importer.registered_commands}
    assert commands == PUBLIC - {"__version__"}


def test_no_submodule_hides_a_function() -> None:
    script = (
        "import json, pkgutil, importlib, hil\n"
        "for module in pkgutil.walk_packages(hil.__path__, 'hil.'): importlib.import_module(module.name)\n"
        "names = set(hil.__all__) - {'__version__'}\n"
        "print(json.dumps([name for name in names if not callable(getattr(hil, name))]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_importing_hil_loads_nothing_heavy() -> None:
    heavy = ("torch", "qcodes", "numpy", "zarr")
    script = f"import sys, hil, hil.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
