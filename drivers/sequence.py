"""How a batch of waveforms becomes pieces that the hardware plays one after another.

Every piece is one list per channel. It holds elements of the batch, or part of one that is too long,
each preceded by a join: a ramp from where the outputs stand to the element's first sample, held there
until that sample has settled. The readings of joins are dropped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.envelope import SafetyEnvelope
from drivers.errors import ShapeError
from drivers.response import Array


@dataclass(frozen=True)
class Part:
    """Samples `first` to `stop` of batch element `element`."""

    element: int
    first: int
    stop: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A waveform (time, n) in V with its joins, and which of its samples are wanted, (time,)."""

    waveform: Array
    wanted: npt.NDArray[np.bool_]


def split(batch: int, samples: int, longest: int, overhead: int) -> Iterator[list[Part]]:
    """Share `batch` elements of `samples` each among pieces of at most `longest` samples in all.

    `overhead` samples are kept free for the join before each element. Elements stay whole unless one
    alone is too long. Raises ShapeError where not even a join fits.
    """
    room = longest - overhead
    if room < 1:
        raise ShapeError(f"a join of {overhead} samples does not fit into {longest}; lower the sample rate")
    per_piece = longest // (samples + overhead)
    if per_piece:
        for first in range(0, batch, per_piece):
            yield [Part(k, 0, samples) for k in range(first, min(first + per_piece, batch))]
        return
    for element in range(batch):
        for first in range(0, samples, room):
            yield [Part(element, first, min(first + room, samples))]


def join(envelope: SafetyEnvelope, start: Array, parts: Sequence[Array], dt_s: float, hold: int) -> Piece:
    """Join waveforms, each (time, n) in V, from `start` (n,) on, with a ramp and `hold` samples before each.

    The first part is always held; a later one that begins where the last one ended needs no join. Raises
    EnvelopeError if a ramp would leave the envelope.
    """
    waveforms: list[Array] = []
    wanted: list[npt.NDArray[np.bool_]] = []
    for k, part in enumerate(parts):
        ramp = envelope.ramp(start, part[0], dt_s)
        if len(ramp) or k == 0:
            ramp = np.concatenate([ramp, np.repeat(part[:1], hold, axis=0)])
        waveforms += [ramp, part]
        wanted += [np.zeros(len(ramp), dtype=bool), np.ones(len(part), dtype=bool)]
        start = part[-1]
    return Piece(np.concatenate(waveforms), np.concatenate(wanted))
