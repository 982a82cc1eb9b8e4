"""One hop of light, mask and free space together, with its own gradient: what a diffractive network spends its time on.

Everything but the FFTs is a multiplication in place, and the batch goes through in pieces that stay in the
processor's cache. The adjoint of a hop is the hop with conjugate factors, so its gradient costs the same FFTs again.
"""

from typing import Any

import torch
from torch import Tensor

_PIECE_BYTES = 2**21


def hop(fields: Tensor, mask: Tensor, transfer: Tensor) -> Tensor:
    """Complex fields F⁻¹ { transfer · F { mask · fields } } of the shape of `fields` and `mask` together.

    Args:
        fields: (..., rows, columns), real or complex.
        mask: complex, of a shape that broadcasts against `fields`.
        transfer: complex (window rows, window columns), at least as large: around the fields it is dark.

    Differentiable once in all three.
    """
    shape = torch.broadcast_shapes(fields.shape, mask.shape)  # type: ignore[no-untyped-call]
    lead, plane = shape[:-2], shape[-2:]
    if mask.dim() > 2 and mask.shape[:-2].numel() > 1:
        mask = mask.expand(shape).reshape(-1, *plane)
        fields = fields.expand(shape)
    else:
        mask = mask.expand(*mask.shape[:-2], *plane).reshape(1, *plane)
    flat = fields.expand(*fields.shape[:-2], *plane).reshape(-1, *plane)
    whole: Tensor = _Hop.apply(flat, mask, transfer)  # type: ignore[no-untyped-call]
    return whole.reshape(*lead, *plane)


class _Hop(torch.autograd.Function):
    """Fields (batch, rows, columns), mask (batch or 1, rows, columns)."""

    @staticmethod
    def forward(ctx: Any, fields: Tensor, mask: Tensor, transfer: Tensor) -> Tensor:
        ctx.save_for_backward(fields, mask, transfer)
        arrived = torch.empty(fields.shape, dtype=transfer.dtype, device=fields.device)
        for piece in _pieces(fields, transfer):
            spectrum = _spectrum(fields[piece] * _part(mask, piece), transfer)
            arrived[piece] = _field(spectrum.mul_(transfer), fields)
        return arrived

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        fields, mask, transfer = ctx.saved_tensors
        wants_mask, wants_transfer = ctx.needs_input_grad[1:]
        to_fields = torch.empty_like(fields)
        to_mask = torch.zeros_like(mask) if wants_mask else None
        to_transfer = torch.zeros_like(transfer) if wants_transfer else None
        back = transfer.conj().resolve_conj()
        for piece in _pieces(fields, transfer):
            through = _part(mask, piece)
            spectrum = _spectrum(gradient[piece], transfer)
            if to_transfer is not None:
                sent = _spectrum(fields[piece] * through, transfer)
                to_transfer += (sent.conj() * spectrum).sum(0) / transfer.numel()
            returned = _field(spectrum.mul_(back), fields)
            if to_mask is not None:
                product = returned * fields[piece].conj()
                if len(mask) > 1:
                    to_mask[piece] = product
                else:
                    to_mask += product.sum(0)
            returned = returned * through.conj()
            to_fields[piece] = returned if fields.is_complex() else returned.real
        return to_fields, to_mask, to_transfer


def _pieces(fields: Tensor, transfer: Tensor) -> list[slice]:
    each = transfer.numel() * transfer.element_size()
    count = len(fields) if fields.is_cuda else max(1, _PIECE_BYTES // each)
    return [slice(first, first + count) for first in range(0, len(fields), max(count, 1))]


def _part(mask: Tensor, piece: slice) -> Tensor:
    return mask[piece] if len(mask) > 1 else mask


def _spectrum(fields: Tensor, transfer: Tensor) -> Tensor:
    return torch.fft.fft2(fields, s=transfer.shape)


def _field(spectrum: Tensor, like: Tensor) -> Tensor:
    return torch.fft.ifft2(spectrum)[..., : like.shape[-2], : like.shape[-1]]
