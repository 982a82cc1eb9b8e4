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
    ci, si = in_angle.cos(), in_angle.sin()
    co, so = transmission * out_angle.cos(), transmission * out_angle.sin()
    none = torch.zeros_like(ci)
    # What the light of the upper arm brings to T11, T12, T21, T22; that of the lower arm is the same, reversed.
    upper_arm = torch.complex(
        torch.stack((co * ci, none, none, -so * si), dim=-1),
        torch.stack((none, co * si, so * ci, none), dim=-1),
    )
    internal, external = torch.complex(theta.cos(), theta.sin()), torch.complex(phi.cos(), phi.sin())
    rows = torch.addcmul(upper_arm.flip(-1), upper_arm, internal[..., None])
    whole = rows.view(*rows.shape[:-1], 2, 2)
    return whole * torch.stack((external, torch.ones_like(external)), dim=-1)[..., None, :]
