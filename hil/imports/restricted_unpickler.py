"""Pickles of other programs, without what makes a pickle dangerous.

A pickle can name any function and have it called. Here a name is looked up in a short list of forms for
numpy's arrays, scalars and dtypes (`hil.imports.numpy_forms`), ordered dictionaries and sets, and nowhere
else. Files of torch go through `torch.load(weights_only=True)`, which treats tensors in the same manner,
with the same forms for numpy.
"""

import io
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hil.errors import ImportRefused
from hil.imports.numpy_forms import NUMPY_GLOBALS, ArrayForm, finish, latin1, no_bytes

_PLAIN_GLOBALS: Mapping[str, Any] = {
    "_codecs.encode": latin1,
    "__builtin__.bytes": no_bytes,
    "__builtin__.complex": complex,
    "__builtin__.frozenset": frozenset,
    "__builtin__.set": set,
    "builtins.complex": complex,
    "builtins.frozenset": frozenset,
    "builtins.set": set,
    "collections.OrderedDict": OrderedDict,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        for known in (NUMPY_GLOBALS, _PLAIN_GLOBALS):
            if full in known:
                return known[full]
        raise ImportRefused(_refusal(full))


def load_pickle(data: bytes, what: str) -> Any:
    """The value of a pickle of plain values and numpy arrays.

    Raises ImportRefused, saying `what` was refused and naming the global that it asks for.
    """
    try:
        return finish(_Unpickler(io.BytesIO(data), encoding="latin1").load())
    except ImportRefused as error:
        raise ImportRefused(f"{what}: {error}") from None
    except Exception as error:  # a pickle can be wrong in as many ways as there are opcodes
        raise ImportRefused(f"{what} is no pickle, or cut short: {_first_line(error)}") from None


def load_torch(path: Path) -> Any:
    """The value of a file that `torch.save` wrote: tensors (on the CPU), plain values and numpy arrays.

    Raises ImportRefused, naming the global that the file asks for, or what else is wrong with it.
    """
    import torch

    forms: list[Any] = [(form, name) for name, form in NUMPY_GLOBALS.items()]
    forms += [(ArrayForm, "hil.ArrayForm"), (no_bytes, "__builtin__.bytes")]
    try:
        with (
            torch.serialization.safe_globals(forms),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of old storage classes: the file is what it is
            value = torch.load(path, map_location="cpu", weights_only=True)
        return finish(value)
    except OSError as error:
        raise ImportRefused(f"cannot read {path}: {error.strerror or error}") from None
    except ImportRefused as error:
        raise ImportRefused(f"{path}: {error}") from None
    except Exception as error:  # as above; torch raises six kinds
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is not None:
            raise ImportRefused(f"{path}: {_refusal(named[1])}") from None
        raise ImportRefused(f"{path} is no file of torch, or cut short: {_first_line(error)}") from None


def _refusal(name: str) -> str:
    return (
        f"the file asks for {name}, which is neither a tensor, a numpy array nor a plain value: "
        "it is not read, and nothing in it was executed"
    )


def _first_line(error: Exception) -> str:
    said = str(error).rpartition("WeightsUnpickler error:")[2]  # what torch says before is advice to trust
    lines = said.strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
