"""Surrogates of measured devices become chips that answer as the original networks do."""

import itertools
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hil.errors import ConfigError, ImportRefused
from hil.imports import import_brainspy
from simulators.models.network import NetworkChip

RANGES = np.array([[-1.0, 0.8], [-0.5, 0.5], [-1.2, 0.6]])
GAIN = 39.5


def weights(sizes: tuple[int, ...] = (3, 8, 8, 1), seed: int = 0) -> OrderedDict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = OrderedDict()
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        state[f"{2 * k}.weight"] = torch.randn(n_out, n_in, generator=generator) / n_in**0.5
        state[f"{2 * k}.bias"] = torch.randn(n_out, generator=generator) * 0.1
    return state


def prefixed(prefix: str, state: OrderedDict[str, torch.Tensor]) -> OrderedDict[str, Any]:
    return OrderedDict((prefix + name, tensor) for name, tensor in state.items())


def direct(
    state: dict[str, torch.Tensor], voltages: torch.Tensor, activation: Any = torch.relu
) -> torch.Tensor:
    """The network's output straight from its tensors, in float64."""
    indices = sorted({int(name.split(".")[0]) for name in state})
    values = voltages
    for index in indices:
        values = values @ state[f"{index}.weight"].double().T + state[f"{index}.bias"].double()
        if index != indices[-1]:
            values = activation(values)
    return values


def smg_info() -> dict[str, Any]:
    """As brainspy-smg 1.0 writes it: numpy in the ranges."""
    return {
        "model_structure": {"activation": "tanh", "D_in": 3, "D_out": 1, "hidden_sizes": [8, 8]},
        "electrode_info": {
            "electrode_no": 4,
            "activation_electrodes": {"electrode_no": 3, "voltage_ranges": RANGES.astype("f4")},
            "output_electrodes": {"electrode_no": 1, "amplification": [GAIN], "clipping_value": [-4, 4]},
        },
        "training_configs": {"seed": np.int64(3)},
    }


def old_info() -> dict[str, Any]:
    """As files of 2019 and 2020 have it: amplitude and offset."""
    wave = {
        "amplitude": ((RANGES[:, 1] - RANGES[:, 0]) / 2).tolist(),
        "offset": RANGES.mean(axis=1).tolist(),
    }
    model = {"activation": "relu", "hidden_sizes": [8, 8]}
    return {
        "data_info": {
            "input_data": wave,
            "processor": {"amplification": 100},
            "clipping_value": [-np.inf, np.inf],
        },
        "smg_configs": {"processor": {"torch_model_dict": model}},
    }


def check_equal(
    folder: Path, state: dict[str, torch.Tensor], gain: float, activation: Any = torch.relu
) -> None:
    chip = NetworkChip.load(folder)
    rng = np.random.default_rng(1)
    voltages = torch.from_numpy(rng.uniform(chip.low, chip.high, (5000, len(chip.low))))
    with torch.no_grad():
        found_nA = chip.current(voltages)[:, 0] * 1e9
    expected_nA = direct(state, voltages, activation)[:, 0] * gain
    assert expected_nA.std() > 0
    assert (found_nA - expected_nA).abs().max() < 1e-5 * expected_nA.abs().max()


def test_a_file_of_brainspy_smg(tmp_path: Path) -> None:
    state = weights()
    stored = {
        "epoch": 80,
        "model_state_dict": prefixed("raw_model.", state),
        "info": smg_info(),
        "optimizer_state_dict": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]},
        "min_val_loss": 0.72,
    }
    torch.save(stored, tmp_path / "training_data.pt")
    summary = import_brainspy(tmp_path / "training_data.pt", tmp_path / "chip")
    assert summary.ranges_from == "info.electrode_info.activation_electrodes.voltage_ranges"
    assert summary.low_V == pytest.approx(RANGES[:, 0], abs=1e-6)
    assert summary.high_V == pytest.approx(RANGES[:, 1], abs=1e-6)
    assert summary.amplification_nA_per_V == (GAIN,)
    assert (summary.activation, summary.layers, summary.parameters) == ("tanh", (3, 8, 8, 1), 113)
    assert summary.warnings == ()
    assert summary.facts["epoch"] == 80
    assert summary.facts["min_val_loss"] == 0.72
    check_equal(tmp_path / "chip", state, GAIN, torch.tanh)


@pytest.mark.parametrize("prefix", ["model.", ""])
@pytest.mark.parametrize("zipped", [True, False])
def test_older_files(prefix: str, zipped: bool, tmp_path: Path) -> None:
    state = weights()
    stored = prefixed(prefix, state)
    stored["info"] = old_info()
    torch.save(stored, tmp_path / "old.pt", _use_new_zipfile_serialization=zipped)
    summary = import_brainspy(tmp_path / "old.pt", tmp_path / "chip")
    assert summary.ranges_from == "info.data_info.input_data: offset ± amplitude"
    assert summary.low_V == pytest.approx(RANGES[:, 0])
    assert summary.amplification_nA_per_V == (100.0,)
    check_equal(tmp_path / "chip", state, 100.0)


def solution(controls: list[float]) -> dict[str, Any]:
    """A saved solution of a task: the surrogate deep inside, control voltages beside it."""
    state = prefixed("processor.processor.model.raw_model.", weights())
    state["processor.processor.voltage_ranges"] = torch.from_numpy(RANGES).float()
    state["processor.processor.amplification"] = torch.tensor([GAIN])
    state["control_voltages"] = torch.tensor([controls])
    state["control_indices"] = torch.tensor([[1, 2]])
    return {"model_state_dict": state, "epochs": 3}


def test_a_saved_solution_and_its_controls(tmp_path: Path) -> None:
    torch.save(solution([0.7, -1.0]), tmp_path / "best.pickle")
    summary = import_brainspy(tmp_path / "best.pickle", tmp_path / "chip")
    assert summary.ranges_from == "processor.processor.voltage_ranges"
    assert len(summary.warnings) == 2
    assert "does not say its activation; relu" in summary.warnings[0]
    assert "0.700 V of electrode e2 lies outside its range -0.500 to 0.500 V" in summary.warnings[1]
    check_equal(tmp_path / "chip", weights(), GAIN)
    card = json.loads((tmp_path / "chip" / "card.json").read_text())
    assert card["facts"]["warnings"] == list(summary.warnings)


def test_controls_inside_their_ranges_are_no_warning(tmp_path: Path) -> None:
    torch.save(solution([0.4, -1.0]), tmp_path / "best.pickle")
    assert len(import_brainspy(tmp_path / "best.pickle", tmp_path / "chip").warnings) == 1


def test_what_the_file_does_not_say_can_be_given(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "bare.pt")
    with pytest.raises(ImportRefused, match="does not say its voltage ranges: give"):
        import_brainspy(tmp_path / "bare.pt", tmp_path / "chip")
    ranges = [tuple(pair) for pair in RANGES.tolist()]
    with pytest.raises(ImportRefused, match="does not say its amplification"):
        import_brainspy(tmp_path / "bare.pt", tmp_path / "chip", ranges=ranges)
    assert not (tmp_path / "chip").exists()
    import_brainspy(tmp_path / "bare.pt", tmp_path / "chip", ranges=ranges, amplification=GAIN)
    check_equal(tmp_path / "chip", weights(), GAIN)


def _altered(change: dict[str, Any], drop: tuple[str, ...] = ()) -> dict[str, Any]:
    stored = {**prefixed("raw_model.", weights()), "info": smg_info(), **change}
    return {name: value for name, value in stored.items() if name not in drop}


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([1, 2], "holds a list, not the surrogate"),
        (
            {"features.0.weight": torch.zeros(2, 2)},
            r"no tensors named raw_model.N.weight.*features\.0\.weight",
        ),
        ({"epoch": 1}, "it holds no tensors"),
        (_altered({}, drop=("raw_model.2.bias",)), r"layer raw_model\.2 lacks its weight or its bias"),
        (
            _altered({}, drop=("raw_model.2.bias", "raw_model.2.weight")),
            "not linear layers with an activation",
        ),
        (_altered({"raw_model.2.weight": torch.zeros(8, 7)}), "layer 1 takes 7 values"),
        (_altered({"raw_model.2.weight": torch.zeros(8, 8, 3, 3)}), r"layer raw_model\.2 is not linear"),
        (_altered({"raw_model.2.weight": torch.zeros(8, 8, dtype=torch.int64)}), "is not linear.*int64"),
        (_altered({"raw_model.2.weight": torch.full((8, 8), torch.nan)}), "weight that is not finite"),
        (_altered({"second.model.0.weight": torch.zeros(1, 1)}), "holds 2 networks"),
        (_altered({"voltage_ranges": torch.zeros(3, 2)}), "not 3 times low < high"),
        (_altered({"voltage_ranges": torch.zeros(7, 2)}), "not 3 times low < high"),
        (_altered({"amplification": torch.zeros(1)}), "is not 1 numbers of nA/V"),
    ],
)
def test_foreign_and_malformed_files_are_refused(stored: Any, message: str, tmp_path: Path) -> None:
    torch.save(stored, tmp_path / "x.pt")
    with pytest.raises(ImportRefused, match=message):
        import_brainspy(tmp_path / "x.pt", tmp_path / "chip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.pt"]


def test_a_chip_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "chip").mkdir()
    (tmp_path / "chip" / "card.json").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        import_brainspy(tmp_path / "absent.pt", tmp_path / "chip")


# Percentiles in nA and standard deviation of the measured devices' surrogates, from an evaluation of the
# published files that used other code and other random voltages.
PUBLISHED = {
    "brainspy_surrogate_2020_02.pt": ([-152, -24, -0.4, 3.2, 24], 60.6),
    "brainspy_surrogate_2022.pickle": ([-24, -0.3, 1.3, 8.3, 37], 21.7),
}


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_the_measured_devices(name: str, dnpu: Path, tmp_path: Path) -> None:
    summary = import_brainspy(dnpu / name, tmp_path / "chip")
    percentiles, std = PUBLISHED[name]
    found = [summary.percentiles_nA[p] for p in ("5", "25", "50", "75", "95")]
    assert found == pytest.approx(percentiles, rel=0.03, abs=0.1)
    assert summary.std_nA == pytest.approx(std, rel=0.01)
    assert summary.layers == (7, 90, 90, 90, 90, 90, 1)
    stored = torch.load(dnpu / name, map_location="cpu", weights_only=True)
    stored = stored.get("model_state_dict", stored)
    marker = "model."
    state = {
        key[key.rindex(marker) + len(marker) :]: tensor
        for key, tensor in stored.items()
        if key.endswith(("weight", "bias"))
    }
    check_equal(tmp_path / "chip", state, summary.amplification_nA_per_V[0])


def test_the_published_controls_outside_their_ranges(dnpu: Path, tmp_path: Path) -> None:
    summary = import_brainspy(dnpu / "brainspy_surrogate_2022.pickle", tmp_path / "chip")
    outside = [warning for warning in summary.warnings if "outside its range" in warning]
    assert [warning.split("electrode ")[1][:2] for warning in outside] == ["e2", "e4", "e5", "e6"]
    assert "1.935 V" in outside[1]
