"""A photonic chip, or the twin fitted to one, in a folder: safetensors beside a card in JSON."""

import hashlib
import json
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from simulators.errors import ModelError
from simulators.models.mesh.chip import PhotonicChip
from simulators.models.mesh.heaters import HeaterBank
from simulators.models.mesh.layout import Kind, MeshLayout
from simulators.models.mesh.mesh import Mesh
from simulators.models.mesh.modulators import Modulators
from simulators.models.whole_file import replace_file

CARD, TENSORS = "chip.json", "chip.safetensors"


class ChipCard(BaseModel):
    """Everything about a stored chip but its tensors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["hil-photonic-chip/1"]
    kind: Kind
    ports: int
    laser_W: float
    bits: int | None
    converter_V: float | None = None
    sha256: str


def save_chip(chip: PhotonicChip, folder: Path) -> None:
    """Write `chip` into `folder`, made if missing; what a killed write leaves, `load_chip` refuses."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in chip.state_dict().items()}
    content = safetensors.torch.save(tensors)
    layout = chip.mesh.layout
    card = ChipCard(
        format="hil-photonic-chip/1",
        kind=layout.kind,
        ports=layout.ports,
        laser_W=chip.laser_W,
        bits=chip.heaters.bits,
        converter_V=chip.heaters.converter_V,
        sha256=hashlib.sha256(content).hexdigest(),
    )
    replace_file(folder / TENSORS, content)
    replace_file(folder / CARD, (card.model_dump_json(indent=2) + "\n").encode())


def load_chip(folder: Path) -> PhotonicChip:
    """Read what `save_chip` wrote; raises ModelError for a folder that is foreign, cut short or altered."""
    try:
        card = ChipCard.model_validate(json.loads((folder / CARD).read_text(encoding="utf-8")))
        content = (folder / TENSORS).read_bytes()
        if hashlib.sha256(content).hexdigest() != card.sha256:
            raise ModelError(f"{folder}: {TENSORS} is not what {CARD} describes; calibrate again")
        tensors = safetensors.torch.load(content)
        chip = blank(
            MeshLayout(card.kind, card.ports), card.laser_W, card.bits, tensors["heaters.neighbours"]
        )
        chip.heaters.converter_V = card.converter_V
        chip.load_state_dict(tensors)
    except (OSError, ValidationError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{folder} holds no photonic chip that can be read: {error}") from error
    return chip


def blank(layout: MeshLayout, laser_W: float, bits: int | None, neighbours: torch.Tensor) -> PhotonicChip:
    """A chip whose tensors have their shapes and are still to be filled."""
    n, h = layout.ports, len(layout.shifters)

    def empty(*shape: int) -> torch.Tensor:
        return torch.ones(shape, dtype=torch.float64)

    heaters = HeaterBank(empty(h), empty(h), empty(h), neighbours, empty(*neighbours.shape), empty(h), bits)
    modulators = Modulators(empty(n), empty(n), empty(n), empty(n), empty(n))
    return PhotonicChip(modulators, heaters, Mesh(layout), empty(n), laser_W)
