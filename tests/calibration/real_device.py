"""The measured devices' published surrogates, where the checkout has them beside it."""

from pathlib import Path

import torch

from simulators.models.network import NetworkChip


def shared_file(name: str) -> Path | None:
    """The file `name` of the shared data, if there is a folder of them above this one."""
    for parent in Path(__file__).resolve().parents:
        path = parent / "shared" / "data" / "dnpu" / name
        if path.exists():
            return path
    return None


def device_of_2022(path: Path) -> NetworkChip:
    """The device of 2022: five layers of 90 ReLU from volts to volts behind an amplifier of 39.5 nA/V."""
    stored = torch.load(path, weights_only=True, map_location="cpu")["model_state_dict"]
    prefix = "processor.processor.model.raw_model."
    numbers = sorted(
        {int(key.removeprefix(prefix).split(".")[0]) for key in stored if key.startswith(prefix)}
    )
    layers = [(stored[f"{prefix}{k}.weight"], stored[f"{prefix}{k}.bias"]) for k in numbers]
    (ranges,) = (value for key, value in stored.items() if key.endswith("voltage_ranges"))
    (gain,) = (value for key, value in stored.items() if key.endswith("amplification"))
    names = [f"e{k}" for k in range(len(ranges))]
    low, high = ranges[:, 0].double(), ranges[:, 1].double()
    return NetworkChip(layers, "relu", names, low, high, output_scale_A=float(gain) * 1e-9)
