"""Foreign pickles and YAML: numbers come through, anything that could act is refused by its name."""

import contextlib
import io
import os
import pickle
import pickletools
import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hil.errors import ImportRefused
from hil.imports.restricted_unpickler import load_pickle, load_torch
from hil.imports.yaml_numpy import load_yaml

ARRAYS = hnp.arrays(
    st.sampled_from(["f4", "f8", "i2", "i8", "u1", "?", ">f8", "U3", "S2"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class Malicious:
    """Pickles to a call of `function` with `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def same(one: Any, other: Any) -> bool:
    if isinstance(other, np.ndarray):
        return isinstance(one, np.ndarray) and one.shape == other.shape and one.tobytes() == other.tobytes()
    return one == other


@given(array=ARRAYS, protocol=st.integers(0, 5), fortran=st.booleans())
def test_arrays_come_through_a_pickle(array: np.ndarray, protocol: int, fortran: bool) -> None:
    array = np.asfortranarray(array) if fortran else array
    read = load_pickle(pickle.dumps({"a": array}, protocol=protocol), "x")["a"]
    native = array.astype(array.dtype.newbyteorder("="))
    assert read.dtype == native.dtype
    assert same(read, native)


@given(value=PLAIN, protocol=st.integers(0, 5))
def test_plain_values_come_through_a_pickle(value: Any, protocol: int) -> None:
    assert load_pickle(pickle.dumps(value, protocol=protocol), "x") == value


def test_scalars_dictionaries_and_sets_come_through() -> None:
    value = OrderedDict(a=np.float64(1.5), b=np.int32(7), c={1, 2}, d=np.bool_(True), e=np.str_("x"), f=1j)
    assert load_pickle(pickle.dumps(value), "x") == value
    assert load_pickle(pickle.dumps(np.array({"x": 1}, dtype=object)), "x") == {"x": 1}
    assert load_pickle(pickle.dumps(np.array([1, "a"], dtype=object)), "x") == [1, "a"]


REFUSED = [
    (Malicious(os.system, "touch {}"), "posix.system"),
    (Malicious(subprocess.Popen, ["touch", "{}"]), "subprocess.Popen"),
    (Malicious(eval, "open('{}', 'w')"), "builtins.eval"),
    (Malicious(getattr, os, "system"), "builtins.getattr"),
    (Malicious(np.load, "{}"), "numpy.load"),
    (Malicious(torch.load, "{}"), "torch.serialization.load"),
    (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "dtype"),
    (np.datetime64("2020-01-01"), "dtype 'M8'"),
    (np.matrix([[1.0]]), "numpy.matrix"),
    (Path("x"), "pathlib"),
]


def _aimed(value: Any, mark: Path) -> Any:
    if isinstance(value, Malicious):
        function, arguments = value.call
        filled = [
            a.format(mark)
            if isinstance(a, str)
            else [x.format(mark) for x in a]
            if isinstance(a, list)
            else a
            for a in arguments
        ]
        return Malicious(function, *filled)
    return value


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize(("value", "named"), REFUSED[:3] + REFUSED[4:])
def test_a_pickle_that_acts_is_refused_by_name(value: Any, named: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    data = pickle.dumps({"ok": 1, "bad": _aimed(value, mark)}, protocol=4)
    with pytest.raises(ImportRefused, match="what it is.*" + named):
        load_pickle(data, "what it is")
    assert not mark.exists()


@pytest.mark.parametrize(("value", "named"), [REFUSED[0], (REFUSED[2][0], "eval"), REFUSED[9]])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_torch_that_acts_is_refused_by_name(
    value: Any, named: str, zipped: bool, tmp_path: Path
) -> None:
    path, mark = tmp_path / "bad.pt", tmp_path / "mark"
    torch.save(
        {"model.0.weight": torch.zeros(2, 2), "info": _aimed(value, mark)},
        path,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(ImportRefused, match=f"asks for {named}") as caught:
        load_torch(path)
    assert "trust" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_and_numpy_come_through_a_file_of_torch(zipped: bool, tmp_path: Path) -> None:
    value = {
        "w": torch.arange(6.0).reshape(2, 3),
        "info": {"ranges": np.array([[-1.0, 1.0]], dtype="f4"), "n": np.float64(2.5), "list": [1, "a", None]},
    }
    torch.save(value, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    read = load_torch(tmp_path / "x.pt")
    assert torch.equal(read["w"], value["w"])
    assert same(read["info"]["ranges"], value["info"]["ranges"])
    assert read["info"]["n"] == 2.5
    assert read["info"]["list"] == [1, "a", None]
    assert "hil.ArrayForm" not in str(torch.serialization.get_safe_globals()), "the list is as it was"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_torch_cut_anywhere_is_refused(zipped: bool, tmp_path: Path) -> None:
    whole = tmp_path / "x.pt"
    torch.save({"w": torch.arange(600.0)}, whole, _use_new_zipfile_serialization=zipped)
    data = whole.read_bytes()
    for size in range(0, len(data) - 1, 97):
        (tmp_path / "cut.pt").write_bytes(data[:size])
        with pytest.raises(ImportRefused):
            load_torch(tmp_path / "cut.pt")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"cannot read .*No such file"):
        load_torch(tmp_path / "absent.pt")


def test_what_asks_for_too_much_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ImportRefused, match="nests its values more than 50 deep"):
        load_pickle(pickle.dumps(deep), "x")
    wide: list[Any] = [0] * 10
    for _ in range(8):
        wide = [wide] * 10  # a "billion laughs": a few hundred bytes that say 10^9 values
    with pytest.raises(ImportRefused, match="holds more than 1,000,000"):
        load_pickle(pickle.dumps(wide), "x")
    huge = pickle.dumps(np.zeros(4)).replace(b"\x04\x85", b"\x7f\x85")
    with pytest.raises(ImportRefused):
        load_pickle(huge, "x")


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    with contextlib.suppress(ImportRefused):
        load_pickle(data, "x")


@given(seed=st.integers(0, 2**32 - 1))
def test_any_altered_pickle_is_a_value_or_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(pickle.dumps({"a": np.arange(5.0), "b": [1, "x"], "c": OrderedDict(d=2)}, protocol=2))
    for at in rng.integers(0, len(data), 3):
        data[at] = rng.integers(256)
    with contextlib.suppress(ImportRefused):
        load_pickle(bytes(data), "x")


def test_the_list_of_allowed_names_is_short() -> None:
    """Every global in what numpy itself writes is one that the reader knows: no wider list is needed."""
    data = pickle.dumps([np.arange(3.0), np.float32(1), np.zeros((2, 2), order="F")], protocol=2)
    named = {
        argument.replace(" ", ".") for code, argument, _ in pickletools.genops(data) if code.name == "GLOBAL"
    }
    assert {"numpy.ndarray", "numpy.dtype"} <= named
    load_pickle(data, "x")


@given(array=ARRAYS.filter(lambda a: a.dtype.kind in "fiub"), number=st.floats(allow_nan=False))
def test_arrays_come_through_yaml_as_brainspy_writes_it(array: np.ndarray, number: float) -> None:
    text = yaml.dump({"amplitude": array, "one": np.float64(number), "two": (1, 2), "same": [array, array]})
    read = load_yaml(text, "x")
    assert same(read["amplitude"], array.astype(array.dtype.newbyteorder("=")))
    assert read["one"] == number
    assert read["two"] == (1, 2)
    assert same(read["same"][1], read["same"][0])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: !!python/object/apply:os.system ['touch {}']", "line 1 .*object/apply:os.system"),
        ("a: 1\nb: !!python/object/new:os.system ['touch {}']", "line 2 .*object/new:os.system"),
        ("a: !!python/name:os.system ''", "name:os.system"),
        ("a: !!python/module:os ''", "module:os"),
        ("a: !!python/name:numpy.dtype ''", "DtypeForm itself"),
        ("a: !!python/object:os.PathLike {{}}", "object:os.PathLike"),
        ("a: !!python/object/apply:numpy.load ['{}']", "object/apply:numpy.load"),
        ("a: !!python/object/apply:numpy.dtype {{args: [f8], listitems: [1]}}", "with .*listitems"),
        ("a: !!python/object/apply:numpy.dtype {{args: ['O8', 1, 2, 3, 4]}}", "no YAML that can be read"),
        ("a: !!python/tuple {{b: 1}}", "tuple"),
        ("a: !secret 1", "!secret"),
        ("a: [1", "no YAML that can be read"),
        ("a: &a [*a]", "nests its values"),
    ],
)
def test_yaml_that_acts_is_refused_by_name(text: str, named: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(ImportRefused, match=named):
        load_yaml(text.format(mark), "config")
    assert not mark.exists()


def test_the_traps_of_these_tests_do_spring(tmp_path: Path) -> None:
    """The crafted pickle does act where nothing restricts it."""
    mark = tmp_path / "mark"
    data = pickle.dumps(_aimed(REFUSED[0][0], mark))
    pickle.Unpickler(io.BytesIO(data)).load()
    assert mark.exists()
