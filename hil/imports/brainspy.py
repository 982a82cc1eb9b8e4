"""A measured device's surrogate, as brains-py and brainspy-smg store it, made into a chip for the emulator.

The files hold the weights of a fully connected network under one of three prefixes (`raw_model.N`, `model.N`,
bare `N`; in saved solutions further names stand before it), its voltage ranges and its amplification. The
network takes volts; its output in volts times the amplification in nA/V is the current.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hil.errors import ConfigError, ImportRefused
from hil.imports.numpy_forms import as_json
from hil.imports.restricted_unpickler import load_torch

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]
PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)
_SAMPLES = 100_000
_KEY = re.compile(r"(?P<prefix>(?:.*\.)?(?:raw_model|model)\.|)(?P<index>\d+)\.(?P<part>weight|bias)")
_ACTIVATIONS = {"hard-tanh": "hardtanh", "relu": "relu", "elu": "elu", "tanh": "tanh", "sigmoid": "sigmoid"}


@dataclass(frozen=True)
class ChipImport:
    """What was found in a file and written as a chip.

    `percentiles_nA` and `std_nA` are of the output for voltages drawn uniformly from the ranges; `layers`
    are the sizes from input to output; `warnings` say what in the file does not agree with itself.
    """

    source: str
    folder: str
    electrodes: tuple[str, ...]
    low_V: tuple[float, ...]
    high_V: tuple[float, ...]
    ranges_from: str
    amplification_nA_per_V: tuple[float, ...]
    activation: str
    layers: tuple[int, ...]
    parameters: int
    percentiles_nA: Mapping[str, float]
    std_nA: float
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def import_brainspy(
    file: Path | str,
    out: Path | str,
    *,
    ranges: Sequence[tuple[float, float]] | None = None,
    amplification: float | Sequence[float] | None = None,
) -> ChipImport:
    """Read the surrogate in `file` and write it as a stored network into the folder `out`.

    Args:
        file: a training_data.pt or .pickle of brains-py, brainspy-smg or older.
        out: the chip's folder; absent or empty.
        ranges: (low, high) of each electrode in V, where the file does not say.
        amplification: nA per volt of each output, where the file does not say.

    Raises ImportRefused, with nothing executed and nothing written, for a file that is malformed, foreign,
    cut short or asks for more than tensors and plain values; ConfigError if `out` is not empty.
    """
    file, out = Path(file), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already: choose another folder for the chip")
    stored = load_torch(file)
    if not isinstance(stored, Mapping):
        raise ImportRefused(f"{file} holds a {type(stored).__name__}, not the surrogate of brains-py")
    tensors = dict(_named_tensors(stored))
    info: Mapping[Any, Any] = stored["info"] if isinstance(stored.get("info"), Mapping) else {}
    layers = _layers(file, tensors)
    n_in, n_out = layers[0][0].shape[1], layers[-1][1].shape[0]
    warnings: list[str] = []
    limits, ranges_from = _ranges(file, tensors, info, ranges, n_in)
    gain = _amplification(file, tensors, info, amplification, n_out)
    activation = _activation(info, warnings)
    warnings += _controls_outside(tensors, limits)
    facts = _facts(file, stored, info)
    return _write(file, out, layers, activation, limits, ranges_from, gain, warnings, facts)


def _write(
    file: Path,
    out: Path,
    layers: list[tuple["Tensor", "Tensor"]],
    activation: str,
    limits: Floats,
    ranges_from: str,
    gain: Floats,
    warnings: list[str],
    facts: dict[str, Any],
) -> ChipImport:
    import torch

    from simulators.errors import ModelError
    from simulators.models.network import NetworkChip

    electrodes = tuple(f"e{k + 1}" for k in range(len(limits)))
    try:
        chip = NetworkChip(
            layers,
            activation,
            electrodes,
            limits[:, 0].tolist(),
            limits[:, 1].tolist(),
            output_scale_A=(gain * 1e-9).tolist(),
            origin=f"surrogate of a measured device, imported from {file.name}",
            facts={**facts, "warnings": warnings},
        )
        drawn = np.random.default_rng(0).uniform(limits[:, 0], limits[:, 1], (_SAMPLES, len(limits)))
        with torch.no_grad():
            output_nA = chip.current(torch.from_numpy(drawn)).numpy()[:, 0] * 1e9
        chip.save(out)
    except ModelError as error:
        raise ImportRefused(f"{file}: {error}") from None
    return ChipImport(
        source=str(file),
        folder=str(out),
        electrodes=electrodes,
        low_V=tuple(limits[:, 0].tolist()),
        high_V=tuple(limits[:, 1].tolist()),
        ranges_from=ranges_from,
        amplification_nA_per_V=tuple(gain.tolist()),
        activation=activation,
        layers=tuple(chip.sizes),
        parameters=sum(weight.numel() + bias.numel() for weight, bias in layers),
        percentiles_nA={
            str(p): float(value)
            for p, value in zip(PERCENTILES, np.percentile(output_nA, PERCENTILES), strict=True)
        },
        std_nA=float(output_nA.std()),
        warnings=tuple(warnings),
        facts=facts,
    )


def _named_tensors(stored: Mapping[Any, Any]) -> Iterator[tuple[str, "Tensor"]]:
    """The tensors of the state dictionary, which is the file itself or one of its entries."""
    import torch

    for key in ("model_state_dict", "state_dict"):
        if isinstance(stored.get(key), Mapping):
            stored = stored[key]
            break
    for name, value in stored.items():
        if isinstance(name, str) and isinstance(value, torch.Tensor):
            yield name, value


def _layers(file: Path, tensors: Mapping[str, "Tensor"]) -> list[tuple["Tensor", "Tensor"]]:
    """Weight and bias of each layer, first to last; refuses anything but one such network."""
    found: dict[str, dict[int, dict[str, Tensor]]] = {}
    for name, tensor in tensors.items():
        if match := _KEY.fullmatch(name):
            layer = found.setdefault(match["prefix"], {}).setdefault(int(match["index"]), {})
            layer[match["part"]] = tensor
    if not found:
        some = ", ".join(list(tensors)[:3]) or "no tensors"
        raise ImportRefused(
            f"{file} holds no network of brains-py: no tensors named raw_model.N.weight, model.N.weight or "
            f"N.weight (it holds {some})"
        )
    if len(found) > 1:
        raise ImportRefused(
            f"{file} holds {len(found)} networks ({', '.join(found)}); one chip is one network"
        )
    ((prefix, layers),) = found.items()
    indices = sorted(layers)
    if indices != list(range(0, 2 * len(indices), 2)):
        raise ImportRefused(
            f"{file}: layers {prefix}{indices} are not linear layers with an activation between each two"
        )
    result = []
    for index in indices:
        if layers[index].keys() != {"weight", "bias"}:
            raise ImportRefused(f"{file}: layer {prefix}{index} lacks its weight or its bias")
        weight, bias = layers[index]["weight"], layers[index]["bias"]
        if weight.ndim != 2 or bias.ndim != 1 or not weight.is_floating_point():
            raise ImportRefused(
                f"{file}: layer {prefix}{index} is not linear: weight {tuple(weight.shape)}, {weight.dtype}"
            )
        result.append((weight, bias))
    return result


def _ranges(
    file: Path,
    tensors: Mapping[str, "Tensor"],
    info: Mapping[Any, Any],
    given: Sequence[tuple[float, float]] | None,
    n_in: int,
) -> tuple[Floats, str]:
    """(low, high) of each electrode in V, shape (n_in, 2), and where in the file they stand."""
    sources: list[tuple[str, Any]] = [
        (name, tensor.double().numpy()) for name, tensor in tensors.items() if name.endswith("voltage_ranges")
    ]
    for path in (
        "electrode_info.activation_electrodes.voltage_ranges",
        "sampling_configs.driver.instruments_setup.activation_voltage_ranges",
    ):
        sources.append((f"info.{path}", _at(info, path)))
    for path in ("data_info.input_data", "sampling_configs.input_data"):
        amplitude, offset = _at(info, f"{path}.amplitude"), _at(info, f"{path}.offset")
        if amplitude is not None and offset is not None:
            middle, half = _floats(offset), _floats(amplitude)
            spread = None if middle is None or half is None else np.stack((middle - half, middle + half), -1)
            sources.append((f"info.{path}: offset ± amplitude", spread))
    sources.append(("the caller", given))
    for name, value in sources:
        limits = _floats(value)
        if limits is None:
            continue
        if limits.shape != (n_in, 2) or not np.isfinite(limits).all() or (limits[:, 0] >= limits[:, 1]).any():
            raise ImportRefused(
                f"{file}: the voltage ranges of {name} are not {n_in} times low < high in V: "
                f"{limits.tolist()}"
            )
        return limits, name
    raise ImportRefused(f"{file} does not say its voltage ranges: give (low, high) of its {n_in} electrodes")


def _amplification(
    file: Path,
    tensors: Mapping[str, "Tensor"],
    info: Mapping[Any, Any],
    given: float | Sequence[float] | None,
    n_out: int,
) -> Floats:
    """nA per volt of each output."""
    sources: list[Any] = [
        tensor.double().numpy() for name, tensor in tensors.items() if name.endswith("amplification")
    ]
    sources += [
        _at(info, "electrode_info.output_electrodes.amplification"),
        _at(info, "data_info.processor.amplification"),
        _at(info, "sampling_configs.driver.amplification"),
        given,
    ]
    for value in sources:
        gain = _floats(value)
        if gain is None:
            continue
        if gain.size not in (1, n_out) or not np.isfinite(gain).all() or (gain == 0).any():
            raise ImportRefused(f"{file}: the amplification {gain.tolist()} is not {n_out} numbers of nA/V")
        return np.broadcast_to(gain.reshape(-1), n_out).astype(np.float64)
    raise ImportRefused(f"{file} does not say its amplification: give it in nA per volt")


def _activation(info: Mapping[Any, Any], warnings: list[str]) -> str:
    for path in ("model_structure.activation", "smg_configs.processor.torch_model_dict.activation"):
        name = _at(info, path)
        if name is not None:
            if name in _ACTIVATIONS:
                return _ACTIVATIONS[name]
            warnings.append(f"activation {name!r} is unknown to brains-py, which takes relu in its place")
            return "relu"
    warnings.append("the file does not say its activation; relu is what brains-py takes then")
    return "relu"


def _controls_outside(tensors: Mapping[str, "Tensor"], limits: Floats) -> list[str]:
    """A warning for each stored control voltage that lies outside the range of its electrode."""
    if "control_voltages" not in tensors:
        return []
    voltages = tensors["control_voltages"].double().reshape(-1).numpy()
    if "control_indices" in tensors:
        indices = tensors["control_indices"].reshape(-1).tolist()
    else:
        indices = list(range(len(limits) - len(voltages), len(limits)))
    if len(indices) != len(voltages) or not set(indices) <= set(range(len(limits))):
        return ["the stored control voltages do not say on which electrodes they stand"]
    return [
        f"stored control voltage {voltage:.3f} V of electrode e{k + 1} lies outside its range "
        f"{limits[k, 0]:.3f} to {limits[k, 1]:.3f} V: there the surrogate was never trained"
        for k, voltage in zip(indices, voltages.tolist(), strict=True)
        if not limits[k, 0] <= voltage <= limits[k, 1]
    ]


def _facts(file: Path, stored: Mapping[Any, Any], info: Mapping[Any, Any]) -> dict[str, Any]:
    """What else the file says that is worth keeping, as JSON."""
    facts: dict[str, Any] = {
        "source": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    for name in ("epoch", "epochs", "min_val_loss", "test_loss", "val_loss", "train_loss"):
        if isinstance(stored.get(name), int | float):
            facts[name] = as_json(stored[name])
    for name in ("model_structure", "electrode_info", "data_info", "sampling_configs", "smg_configs"):
        if isinstance(info.get(name), Mapping):
            facts[name] = as_json(info[name])
    return facts


def _at(info: Any, path: str) -> Any:
    """The value at a dotted path in nested dictionaries; None where there is none."""
    for key in path.split("."):
        if not isinstance(info, Mapping) or key not in info:
            return None
        info = info[key]
    return info


def _floats(value: Any) -> Floats | None:
    """An array of float64, or None for what is not one."""
    if value is None:
        return None
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
