"""The transfer matrix of one imperfect Mach-Zehnder interferometer."""

import torch
from torch import Tensor


def mzi_elements(
    theta: Tensor, phi: Tensor, splitter_in: Tensor, splitter_out: Tensor, transmission: Tensor
) -> Tensor:
    """Transfer matrices (..., M, 2, 2), complex, of MZIs whose phases are (..., M) in rad.

    T = t S(β) diag(e^{jθ}, 1) S(α) diag(e^{jφ}, 1) with S(η) = [[cos η', j sin η'], [j sin η', cos η']] and
    η' = π/4 + η: the external phase φ is on the upper input, the internal phase θ on the upper arm. Without
    errors T = j e^{jθ/2} [[e^{jφ} sin(θ/2), cos(θ/2)], [e^{jφ} cos(θ/2), -sin(θ/2)]]: θ = 0 crosses, θ = π is bar.

    Args:
        splitter_in, splitter_out: errors α, β of the splitters' angles in rad, (M,) or (..., M).
        transmission: amplitude t that the loss leaves.
    """
    in_angle, out_angle = splitter_in + torch.pi / 4, splitter_out + torch.pi / 4
    ci, si, co, so = in_angle.cos(), in_angle.sin(), out_angle.cos(), out_angle.sin()
    ct, st = theta.cos(), theta.sin()
    # e^{jθ} on the upper arm, written out in real and imaginary parts: cheaper than products of complex numbers
    upper = torch.complex(ct * (co * ci) - so * si, st * (co * ci))
    lower = torch.complex(co * ci - ct * (so * si), -st * (so * si))
    cross_up = torch.complex(-st * (co * si), co.mul(si).mul(ct) + so * ci)
    cross_down = torch.complex(-st * (so * ci), ct * (so * ci) + co * si)
    turn = torch.polar(torch.ones_like(phi), phi)
    rows = torch.stack((upper * turn, cross_up, cross_down * turn, lower), dim=-1)
    whole: Tensor = (transmission[..., None] * rows).unflatten(-1, (2, 2))  # type: ignore[no-untyped-call]
    return whole
