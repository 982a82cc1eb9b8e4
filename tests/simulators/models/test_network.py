import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from simulators.errors import ModelError
from simulators.models.network import ACTIVATIONS, NetworkChip

NAMES = ["e1", "e2", "e3"]


def chip(dtype: torch.dtype = torch.float32, activation: str = "tanh", **options: object) -> NetworkChip:
    generator = torch.Generator().manual_seed(3)
    sizes = [3, 5, 4, 1]
    layers = [
        (
            torch.randn(n, m, generator=generator, dtype=dtype),
            torch.randn(n, generator=generator, dtype=dtype),
        )
        for m, n in itertools.pairwise(sizes)
    ]
    scaling = {
        "input_offset_V": [-0.3, 0.0, 0.1],
        "input_scale_V": [0.9, 0.5, 1 / 3],
        "output_offset_A": 2e-9,
        "output_scale_A": 39.5e-9,
        "origin": "made for a test; ε",
    }
    return NetworkChip(layers, activation, NAMES, [-1.2, -1.0, -0.7], [0.6, 0.5, 0.3], **(scaling | options))


def test_answers_as_the_layers_written_out_in_numpy() -> None:
    model = chip(torch.float64)
    voltages = np.random.default_rng(1).uniform(-1, 1, (6, 3))
    values = (voltages - [-0.3, 0.0, 0.1]) / [0.9, 0.5, 1 / 3]
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    for k in range(3):
        values = values @ state[f"layers.{k}.weight"].T + state[f"layers.{k}.bias"]
        values = np.tanh(values) if k < 2 else values
    expected = 2e-9 + 39.5e-9 * values
    np.testing.assert_allclose(model.current(torch.tensor(voltages)).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_stored_chip_answers_to_the_last_bit(tmp_path: Path, activation: str, dtype: torch.dtype) -> None:
    model = chip(dtype, activation, facts={"readout": "e8"})
    model.save(tmp_path / "chip")
    again = NetworkChip.load(tmp_path / "chip")
    voltages = torch.rand(7, 2, 3, dtype=torch.float64)
    assert torch.equal(model.current(voltages), again.current(voltages))
    assert again.current(voltages).dtype == torch.float64
    assert again.electrodes == tuple(NAMES)
    assert torch.equal(again.low, model.low)
    assert (again.origin, again.facts) == ("made for a test; ε", {"readout": "e8"})


def test_any_electrode_can_be_an_input() -> None:
    view = chip().with_inputs(["e3"])
    voltages = torch.rand(4, 3)
    direct = chip().current(voltages)
    assert torch.equal(view(voltages[:, 2:], voltages[:, :2]), direct)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    chip().save(tmp_path)
    return tmp_path


def _edit(folder: Path, **changes: object) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | changes))


def test_a_folder_without_a_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"card\.json: no stored network here"):
        NetworkChip.load(tmp_path)


def test_a_card_cut_short_is_refused(stored: Path) -> None:
    content = (stored / "card.json").read_bytes()
    for end in range(0, len(content) - 2, 61):
        (stored / "card.json").write_bytes(content[:end])
        with pytest.raises(ModelError, match="cut short"):
            NetworkChip.load(stored)


def test_weights_cut_short_are_refused(stored: Path) -> None:
    content = (stored / "weights.safetensors").read_bytes()
    (stored / "weights.safetensors").write_bytes(content[:-1])
    with pytest.raises(ModelError, match=rf"cut short.*{len(content) - 1} bytes"):
        NetworkChip.load(stored)


def test_foreign_weights_with_the_right_digest_are_refused(stored: Path) -> None:
    content = b"\x80\x04not tensors at all"
    (stored / "weights.safetensors").write_bytes(content)
    card = json.loads((stored / "card.json").read_text())
    _edit(stored, weights=card["weights"] | {"sha256": hashlib.sha256(content).hexdigest()})
    with pytest.raises(ModelError, match="not a safetensors file"):
        NetworkChip.load(stored)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "hil-network/2"}, "use a version that knows it"),
        ({"format": "hil-bench/1"}, "foreign file"),
        ({"activation": "swish"}, "activation: .*'swish'"),
        ({"layers": [3, 5, 4, 2]}, r"the weights make layers \[3, 5, 4, 1\]"),
        ({"layers": [3, 1]}, "where the card asks for"),
        ({"colour": "blue"}, "colour: Extra inputs"),
    ],
)
def test_a_wrong_card_is_named(stored: Path, changes: dict[str, object], message: str) -> None:
    _edit(stored, **changes)
    with pytest.raises(ModelError, match=message):
        NetworkChip.load(stored)


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([(torch.zeros(2, 4), torch.zeros(2))], {}, "takes 4 values where there are electrodes: 3"),
        ([(torch.zeros(2, 3), torch.zeros(3))], {}, "are no layer"),
        ([(torch.full((1, 3), torch.nan), torch.zeros(1))], {}, "not finite"),
        ([(torch.zeros(1, 3), torch.zeros(1))], {"input_scale_V": 0.0}, "must be positive"),
        ([(torch.zeros(1, 3), torch.zeros(1))], {"output_scale_A": [1.0, 2.0]}, "should be 1 finite"),
        ([], {}, "at least one layer"),
    ],
)
def test_a_wrong_network_is_refused(layers: list, options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ModelError, match=message):
        NetworkChip(layers, "relu", NAMES, [-1.0] * 3, [1.0] * 3, **options)
