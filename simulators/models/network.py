"""A chip stored as a fully connected network: a measured device's surrogate, or a trained one.

A stored network is a folder of two files, tied by a SHA-256: `card.json` (what it is, in SI units, format
`hil-network/1`) and `weights.safetensors` (tensors `layers.K.weight`, `layers.K.bias`). Neither is executed.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Self

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from simulators.errors import ModelError
from simulators.models.model import ElectrodeModel
from simulators.models.whole_file import replace_file

FORMAT: Final = "hil-network/1"
CARD, WEIGHTS = "card.json", "weights.safetensors"
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "elu": functional.elu,
    "tanh": torch.tanh,
    "hardtanh": functional.hardtanh,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ElectrodeCard(_Part):
    """One driven electrode: its allowed voltages, and how the network's input is made from its voltage."""

    name: str
    low_V: FiniteFloat
    high_V: FiniteFloat
    input_offset_V: FiniteFloat
    input_scale_V: FiniteFloat = Field(gt=0)


class OutputCard(_Part):
    """One output: its current is `offset_A + scale_A * network output`."""

    offset_A: FiniteFloat
    scale_A: FiniteFloat


class WeightsCard(_Part):
    """The file beside the card, and the digest that ties the two."""

    file: Literal["weights.safetensors"]
    sha256: str
    dtype: Literal["float32", "float64"]


class NetworkCard(_Part):
    """Everything about a stored network but its weights."""

    format: Literal["hil-network/1"]
    origin: str
    layers: list[int] = Field(min_length=2)
    activation: Literal["relu", "elu", "tanh", "hardtanh", "sigmoid", "silu"]
    electrodes: list[ElectrodeCard]
    outputs: list[OutputCard]
    weights: WeightsCard
    facts: dict[str, Any]


class NetworkChip(ElectrodeModel):
    """A chip that answers as a fully connected network does.

    `current(V) = output_offset_A + output_scale_A * net((V - input_offset_V) / input_scale_V)`; the
    activation stands between layers, never after the last. Answers come in the dtype of the voltages; the
    arithmetic is done in the dtype of the weights. The weights are parameters: a chip can be trained further.

    Args:
        layers: (weight (n_out, n_in), bias (n_out,)) per layer, first to last; copied.
        activation: one of `ACTIVATIONS`.
        electrodes: names of the driven electrodes, in the order of the first layer's inputs.
        low, high: allowed voltages per electrode, V.
        input_offset_V, input_scale_V: a number or one per electrode; by default volts go in as they are.
        output_offset_A, output_scale_A: a number or one per output.
        origin: where the network comes from, in a sentence; kept in the card.
        facts: further JSON-able facts to keep in the card.

    Raises:
        ModelError: shapes that do not follow one another, an unknown activation, a value that is not finite.
    """

    input_offset_V: Tensor
    input_scale_V: Tensor
    output_offset_A: Tensor
    output_scale_A: Tensor

    def __init__(
        self,
        layers: Sequence[tuple[Tensor, Tensor]],
        activation: str,
        electrodes: Sequence[str],
        low: Sequence[float] | Tensor,
        high: Sequence[float] | Tensor,
        *,
        input_offset_V: float | Sequence[float] | Tensor = 0.0,
        input_scale_V: float | Sequence[float] | Tensor = 1.0,
        output_offset_A: float | Sequence[float] | Tensor = 0.0,
        output_scale_A: float | Sequence[float] | Tensor = 1e-9,
        origin: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ModelError(f"activation {activation!r} is unknown; there are {', '.join(ACTIVATIONS)}")
        _check_layers(layers, len(electrodes))
        n_outputs = layers[-1][1].shape[0]
        super().__init__(
            electrodes,
            _row(low, len(electrodes), "low"),
            _row(high, len(electrodes), "high"),
            n_outputs,
        )
        reverse = [name for name, a, b in zip(electrodes, self.low, self.high, strict=True) if a >= b]
        if reverse:
            raise ModelError(f"electrode {reverse[0]!r}: its low voltage is not below its high voltage")
        self.activation, self.origin = activation, origin
        self.facts = dict(facts or {})
        self.layers = nn.ModuleList(_linear(weight, bias) for weight, bias in layers)
        for name, value, n in (
            ("input_offset_V", input_offset_V, len(electrodes)),
            ("input_scale_V", input_scale_V, len(electrodes)),
            ("output_offset_A", output_offset_A, n_outputs),
            ("output_scale_A", output_scale_A, n_outputs),
        ):
            self.register_buffer(name, _row(value, n, name))
        if bool((self.input_scale_V <= 0).any()):
            raise ModelError(f"input_scale_V must be positive, not {self.input_scale_V.tolist()}")

    @property
    def sizes(self) -> list[int]:
        """Number of values before the first layer and after each."""
        return [self._linear(0).in_features, *(self._linear(k).out_features for k in range(len(self.layers)))]

    def current(self, voltages: Tensor) -> Tensor:
        """See `ElectrodeModel.current`; differentiable in voltages and weights."""
        weights = self._linear(0).weight
        values = ((voltages - self.input_offset_V) / self.input_scale_V).to(weights.dtype)
        activation = ACTIVATIONS[self.activation]
        for k in range(len(self.layers) - 1):
            values = activation(self.layers[k](values))
        values = self.layers[-1](values)
        return (self.output_offset_A + self.output_scale_A * values.to(self.low.dtype)).to(voltages.dtype)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the chip into `folder`, made if missing; what a killed write leaves, `load` refuses."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {
            name: tensor.detach().cpu().contiguous() for name, tensor in self.layers.state_dict().items()
        }
        content = safetensors.torch.save({f"layers.{name}": tensor for name, tensor in weights.items()})
        card = NetworkCard(
            format=FORMAT,
            origin=self.origin,
            layers=self.sizes,
            activation=self.activation,  # type: ignore[arg-type]
            electrodes=[
                ElectrodeCard(name=name, low_V=low, high_V=high, input_offset_V=offset, input_scale_V=scale)
                for name, low, high, offset, scale in zip(
                    self.electrodes,
                    self.low.tolist(),
                    self.high.tolist(),
                    self.input_offset_V.tolist(),
                    self.input_scale_V.tolist(),
                    strict=True,
                )
            ],
            outputs=[
                OutputCard(offset_A=offset, scale_A=scale)
                for offset, scale in zip(
                    self.output_offset_A.tolist(), self.output_scale_A.tolist(), strict=True
                )
            ],
            weights=WeightsCard(
                file="weights.safetensors",
                sha256=hashlib.sha256(content).hexdigest(),
                dtype=str(self._linear(0).weight.dtype).removeprefix("torch."),  # type: ignore[arg-type]
            ),
            facts=self.facts,
        )
        text = json.dumps(card.model_dump(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        replace_file(folder / WEIGHTS, content)
        replace_file(folder / CARD, text.encode())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read a chip from `folder`, exactly as it was saved.

        Raises:
            ModelError: a file is missing, foreign, cut short, newer than this version, or not of this card.
        """
        folder = Path(folder)
        card = _read_card(folder / CARD)
        tensors = _read_weights(folder / WEIGHTS, card)
        n_layers = len(card.layers) - 1
        names = [f"layers.{k}.{part}" for k in range(n_layers) for part in ("weight", "bias")]
        if set(names) != set(tensors):
            raise ModelError(f"{folder / WEIGHTS}: tensors {sorted(tensors)} where the card asks for {names}")
        chip = cls(
            [(tensors[f"layers.{k}.weight"], tensors[f"layers.{k}.bias"]) for k in range(n_layers)],
            card.activation,
            [one.name for one in card.electrodes],
            [one.low_V for one in card.electrodes],
            [one.high_V for one in card.electrodes],
            input_offset_V=[one.input_offset_V for one in card.electrodes],
            input_scale_V=[one.input_scale_V for one in card.electrodes],
            output_offset_A=[one.offset_A for one in card.outputs],
            output_scale_A=[one.scale_A for one in card.outputs],
            origin=card.origin,
            facts=card.facts,
        )
        if chip.sizes != card.layers:
            raise ModelError(f"{folder}: the weights make layers {chip.sizes}, the card says {card.layers}")
        return chip

    def _linear(self, k: int) -> nn.Linear:
        layer = self.layers[k]
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"layer {k} is a {type(layer).__name__}")
        return layer


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")  # draws no random numbers
    layer.weight = nn.Parameter(weight.detach().clone())
    layer.bias = nn.Parameter(bias.detach().clone())
    return layer


def _check_layers(layers: Sequence[tuple[Tensor, Tensor]], n_electrodes: int) -> None:
    if not layers:
        raise ModelError("a network needs at least one layer")
    width, before = n_electrodes, "there are electrodes"
    for k, (weight, bias) in enumerate(layers):
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ModelError(
                f"layer {k}: weight {tuple(weight.shape)} and bias {tuple(bias.shape)} are no layer; "
                "they should be (n_out, n_in) and (n_out,)"
            )
        if weight.shape[1] != width:
            raise ModelError(f"layer {k} takes {weight.shape[1]} values where {before}: {width}")
        if weight.dtype not in (torch.float32, torch.float64) or weight.dtype != layers[0][0].dtype:
            raise ModelError(f"layer {k} is {weight.dtype}; all layers should be float32 or all float64")
        if not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
            raise ModelError(f"layer {k} holds a weight that is not finite")
        width, before = weight.shape[0], "the layer before gives"


def _row(value: float | Sequence[float] | Tensor, n: int, name: str) -> Tensor:
    row = torch.as_tensor(value, dtype=torch.float64).detach().clone()
    if row.ndim == 0:
        row = row.repeat(n)
    if row.shape != (n,) or not bool(torch.isfinite(row).all()):
        raise ModelError(f"{name} should be {n} finite numbers, not {value}")
    return row


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: no stored network here ({error.strerror})") from error


def _read_card(path: Path) -> NetworkCard:
    try:
        content = json.loads(_read(path))
    except ValueError as error:
        raise ModelError(f"{path}: not JSON, or cut short: {error}") from error
    kind = content.get("format") if isinstance(content, dict) else None
    if not isinstance(kind, str) or not kind.startswith("hil-network/"):
        raise ModelError(f"{path}: a foreign file; its format is {kind!r}, not {FORMAT!r}")
    if kind != FORMAT:
        raise ModelError(
            f"{path}: format {kind!r}, this version reads {FORMAT!r}; use a version that knows it"
        )
    try:
        return NetworkCard.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ModelError(f"{path}: {where}: {first['msg']} (found {first['input']!r:.80})") from error


def _read_weights(path: Path, card: NetworkCard) -> dict[str, Tensor]:
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.weights.sha256:
        raise ModelError(
            f"{path}: cut short, or not the weights of its card: {len(content)} bytes with SHA-256 "
            f"{digest[:12]}…, the card says {card.weights.sha256[:12]}…"
        )
    try:
        return safetensors.torch.load(content)
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file: {error}") from error
