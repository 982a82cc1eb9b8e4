"""How numpy's values look inside pickles and YAML files of other programs, read without numpy's own code.

A stored array is a call of `_reconstruct` and a state, a dtype a call and a state, a scalar a dtype and
bytes. The forms below take these calls and keep what they say; `finish` turns the result into plain arrays of
numbers and strings. Nothing that a file can say here makes them import, call or allocate anything else.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from hil.errors import ImportRefused
from hil.store.lines import plain

MAX_VALUES = 1_000_000
MAX_DEPTH = 50
_KINDS = "biufSU"


class NdarrayName:
    """Stands where a file names the class numpy.ndarray."""


class DtypeForm:
    """A dtype: numpy.dtype(spec, align, copy) and its state."""

    def __init__(self, spec: Any = None, align: Any = False, copy: Any = True) -> None:
        if not isinstance(spec, str) or len(spec) > 8:
            raise ImportRefused(f"the file holds a numpy dtype {str(spec)!r:.40}; only plain ones are read")
        try:
            self.dtype = np.dtype(spec)
        except TypeError:
            raise ImportRefused(f"the file holds an unknown numpy dtype {spec!r}") from None
        if self.dtype.kind not in _KINDS + "O":
            raise ImportRefused(f"the file holds a numpy dtype {spec!r}; only numbers and strings are read")

    def __setstate__(self, state: Any) -> None:
        """Take the byte order from numpy's state tuple; anything structured is refused."""
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise ImportRefused("the file holds a structured numpy dtype; only plain ones are read")
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class ArrayForm:
    """An array: `_reconstruct` without its state, then the state."""

    value: Any = None

    def __setstate__(self, state: Any) -> None:
        """Take version, shape, dtype, order and bytes from numpy's state tuple."""
        try:
            _, shape, form, fortran, raw = state if len(state) == 5 else (1, *state)
        except (TypeError, ValueError):
            raise ImportRefused("the file holds a numpy array without the usual parts") from None
        self.value = make_array(raw, form, shape, "F" if fortran else "C")


def reconstruct(subtype: Any = None, shape: Any = None, typecode: Any = None) -> ArrayForm:
    """The form of an array that is filled by its state."""
    if subtype is not NdarrayName:
        raise ImportRefused(f"the file holds a numpy array of class {subtype!r:.60}; only ndarray is read")
    return ArrayForm()


def make_array(raw: Any, form: Any, shape: Any, order: Any = "C") -> Any:
    """The array of `raw` bytes; for object arrays of no or one dimension, the object or the list of them."""
    if not isinstance(form, DtypeForm) or not isinstance(shape, tuple):
        raise ImportRefused("the file holds a numpy array without the usual parts")
    if not all(type(n) is int and n >= 0 for n in shape) or order not in ("C", "F"):
        raise ImportRefused(f"the file holds a numpy array of shape {shape!r:.60}")
    count = math.prod(shape)
    if form.dtype.kind == "O":
        if not isinstance(raw, list) or len(raw) != count or len(shape) > 1:
            raise ImportRefused("the file holds a numpy array of objects in more than one dimension")
        return raw if shape else raw[0]
    if isinstance(raw, str):  # what Python 2 wrote as bytes
        raw = raw.encode("latin1")
    if not isinstance(raw, bytes | bytearray) or len(raw) != count * form.dtype.itemsize:
        raise ImportRefused(f"the file holds a numpy array of shape {shape} with another number of bytes")
    array = np.frombuffer(bytes(raw), form.dtype, count) if count else np.empty(0, form.dtype)
    return array.reshape(shape, order=order).astype(form.dtype.newbyteorder("="))


def from_buffer(raw: Any = None, form: Any = None, shape: Any = None, order: Any = "C") -> Any:
    """The array of numpy's `_frombuffer`."""
    return make_array(raw, form, shape, order)


def scalar(form: Any = None, raw: Any = None) -> Any:
    """The Python number or string of a numpy scalar."""
    value = make_array(raw, form, ())
    return value.item() if isinstance(value, np.ndarray) else value


def latin1(text: Any = None, encoding: Any = "latin1") -> bytes:
    """The bytes that old pickles keep as text."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ImportRefused("the file holds bytes in an unusual encoding")
    return text.encode("latin1")


def no_bytes() -> bytes:
    """What old pickles call for empty bytes."""
    return b""


NUMPY_GLOBALS: Mapping[str, Any] = {
    f"{module}.{name}": form
    for name, form, modules in (
        ("ndarray", NdarrayName, ("numpy",)),
        ("dtype", DtypeForm, ("numpy",)),
        ("_reconstruct", reconstruct, ("numpy.core.multiarray", "numpy._core.multiarray")),
        ("scalar", scalar, ("numpy.core.multiarray", "numpy._core.multiarray")),
        ("_frombuffer", from_buffer, ("numpy.core.numeric", "numpy._core.numeric")),
    )
    for module in modules
}
"""What a file may name of numpy, and the form that stands for it."""


def finish(value: Any) -> Any:
    """`value` with arrays for the forms in it; refuses what is nested too deeply or is far too large."""
    return _finish(value, 0, [0])


def _finish(value: Any, depth: int, count: list[int]) -> Any:
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_VALUES:
        raise ImportRefused(
            f"the file nests its values more than {MAX_DEPTH} deep or holds more than {MAX_VALUES:,}"
        )
    if isinstance(value, ArrayForm):
        return _finish(value.value, depth + 1, count)
    if isinstance(value, DtypeForm):
        return value.dtype.str
    if isinstance(value, Mapping):
        made = OrderedDict if isinstance(value, OrderedDict) else dict
        return made((key, _finish(item, depth + 1, count)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return type(value)([_finish(item, depth + 1, count) for item in value])
    if callable(value):
        raise ImportRefused(
            f"the file holds {getattr(value, '__name__', 'a name')} itself where a value belongs"
        )
    return value


def as_json(value: Any) -> Any:
    """`value` as JSON can hold it: null for what is not finite, a type's name for what is no plain value."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if value is None or isinstance(value, str | int | float | bytes | np.ndarray):
        return plain(value)
    return f"({type(value).__name__})"
