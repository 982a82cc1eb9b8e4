"""The mean-field master equation of holes that hop between acceptors and contacts.

Site i holds a hole with probability n_i. A hop from i to j changes the energy by x kT, and goes at the rate
of Miller and Abrahams (Phys. Rev. 120, 745 (1960)) in its usual low-temperature form,

    nu g_ij exp(-max(x, 0)),    x = (E_j - E_i) / kT,

with g_ij the tunnelling factor exp(-2 r_ij / a), raised by the field (see `tunnelling`). The energy of a
hole on site i is the electrodes' potential there, the repulsion from the donors, and the Hartree term sum_j
U_ij (n_j - 1) of the other acceptors, which are negative while they hold no hole. A contact is a site of
fixed energy with as many holes and vacancies as it takes. In the steady state every site gains what it
loses.

The mean field multiplies probabilities, n_i (1 - n_j), where the exact master equation has joint ones, and
lets a hole feel the mean charge of its target's surroundings. It keeps detailed balance: at equal voltages
no bond carries current and the occupations are Fermi-Dirac's in self-consistent energies. It is exact for
one site, and for any number of sites at equal energies without interaction (the symmetric exclusion
process); elsewhere it is an approximation, whose error
`tests/simulators/models/test_exact_master_equation.py` measures against all 2^N occupations.

Arrays have the batch as their last axis, so that a bond is a row; energies are in kT, rates in attempt
frequencies.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from simulators.models.hopping_layout import (
    COULOMB_eV_m,
    DopantLayout,
    HoppingParameters,
    contact_decay,
    lever_arms,
    pair_distances,
)


class Bias(NamedTuple):
    """What the voltages alone decide, per operating point."""

    energy: Tensor  # (n_sites, batch): a hole's energy on a site when every acceptor is neutral
    fermi: Tensor  # (8, batch): a hole's energy in a contact
    coupling: Tensor  # (n_bonds, batch): g

    def pick(self, columns: Tensor | slice) -> "Bias":
        """The operating points `columns` only."""
        return Bias(self.energy[:, columns], self.fermi[:, columns], self.coupling[:, columns])


class HoppingEquations(nn.Module):
    """The rates, their balance at every site and its derivatives, for one layout.

    A bond leads from `tail` to `head`. Sites are numbered first, then the 8 contacts; a contact is only ever
    a tail.
    """

    tail: Tensor
    head: Tensor
    decay: Tensor
    arms: Tensor
    coulomb: Tensor
    level: Tensor
    _thermal: Tensor
    _incidence: Tensor
    _touching: Tensor
    _entering: Tensor
    _leaving: Tensor
    _upper: Tensor
    _lower: Tensor

    def __init__(self, parameters: HoppingParameters, layout: DopantLayout) -> None:
        super().__init__()
        thermal = parameters.thermal_energy_eV
        coulomb_m = COULOMB_eV_m / parameters.relative_permittivity / thermal
        distance = pair_distances(layout.acceptors_m, layout.acceptors_m)
        np.fill_diagonal(distance, np.inf)
        donors = coulomb_m / pair_distances(layout.acceptors_m, layout.donors_m)
        level = (parameters.level_eV + layout.disorder_eV) / thermal + donors.sum(axis=1)
        self.n_sites = parameters.n_acceptors
        self.barrier = parameters.tunnel_barrier_eV / thermal

        i, j = np.triu_indices(self.n_sites, 1)
        hop = 2 * distance[i, j] / parameters.localisation_radius_m
        near = hop < parameters.farthest_hop
        contact = contact_decay(parameters, layout)
        site, electrode = np.nonzero(contact < parameters.farthest_hop)
        self.n_hops = int(near.sum())
        self.register_buffer("tail", torch.tensor(np.concatenate([i[near], self.n_sites + electrode])))
        self.register_buffer("head", torch.tensor(np.concatenate([j[near], site])))
        self.register_buffer(
            "decay", torch.tensor(np.concatenate([hop[near], contact[site, electrode]]))[:, None]
        )
        self.register_buffer("arms", torch.tensor(lever_arms(parameters, layout) / thermal))
        self.register_buffer("coulomb", torch.tensor(coulomb_m / distance))
        self.register_buffer("level", torch.tensor(level)[:, None])
        self.register_buffer("_thermal", torch.tensor(thermal, dtype=torch.float64))
        # Incidence: +1 where a bond ends, -1 where it begins; rows are sites, then contacts.
        bonds = torch.arange(len(self.tail))
        incidence = torch.zeros(self.n_sites + 8, len(bonds), dtype=torch.float64)
        incidence[self.tail, bonds] = -1
        incidence[self.head, bonds] = 1
        hops = slice(0, self.n_hops)
        self.register_buffer("_incidence", incidence)
        self.register_buffer("_touching", incidence[: self.n_sites].abs())
        self.register_buffer("_entering", incidence[: self.n_sites].clamp(min=0))
        self.register_buffer("_leaving", incidence[: self.n_sites, hops].clamp(max=0))
        self.register_buffer("_upper", self.tail[hops] * self.n_sites + self.head[hops])
        self.register_buffer("_lower", self.head[hops] * self.n_sites + self.tail[hops])

    def bias(self, voltages: Tensor) -> Bias:
        """What `voltages` (8, batch) decide."""
        energy = self.arms @ voltages
        fermi = voltages / self._thermal
        drop = torch.cat((energy, fermi))
        drop = drop[self.head] - drop[self.tail]
        return Bias(energy + self.level, fermi, torch.exp(-self.decay * tunnelling(drop, self.barrier)))

    def energies(self, bias: Bias, occupation: Tensor) -> Tensor:
        """Self-consistent energies (n_sites + 8, batch)."""
        return torch.cat((bias.energy + self.coulomb @ (occupation - 1), bias.fermi))

    def flows(self, bias: Bias, occupation: Tensor) -> Tensor:
        """Net hops per attempt from tail to head of each bond, (n_bonds, batch); plain and differentiable."""
        energy = self.energies(bias, occupation)
        step = energy.index_select(0, self.head) - energy.index_select(0, self.tail)
        forth, back = self._occupied(occupation)
        return bias.coupling * (forth * torch.exp(-torch.relu(step)) - back * torch.exp(-torch.relu(-step)))

    def balance(self, bias: Bias, occupation: Tensor) -> Tensor:
        """What each site gains in net, (n_sites, batch); zero in the steady state."""
        return self._incidence[: self.n_sites] @ self.flows(bias, occupation)

    def electrode_flows(self, bias: Bias, occupation: Tensor) -> Tensor:
        """Holes that leave the device through each contact in net, (8, batch)."""
        return self._incidence[self.n_sites :, self.n_hops :] @ self.flows(bias, occupation)[self.n_hops :]

    def linearised(self, bias: Bias, occupation: Tensor) -> tuple[Tensor, Tensor]:
        """The balance (n_sites, batch) and its derivative (batch, n_sites, n_sites) by the occupations."""
        energy = self.energies(bias, occupation)
        step = energy.index_select(0, self.head) - energy.index_select(0, self.tail)
        decay = torch.exp(-step.abs()) * bias.coupling  # the slower of the two rates
        up = (step > 0).to(step.dtype)
        down = 1 - up
        rate_forth = up * decay + down * bias.coupling
        rate_back = up * bias.coupling + down * decay
        forth, back = self._occupied(occupation)
        flow = forth * rate_forth - back * rate_back
        by_step = -decay * (up * forth + down * back)  # the derivative of flow by step

        n, hops = self.n_sites, slice(0, self.n_hops)
        batch = occupation.shape[1]
        # Through the energies: d balance_i / d energy_j, a weighted Laplacian, times the Coulomb matrix.
        stiffness = occupation.new_zeros(n * n, batch)
        stiffness.index_copy_(0, self._upper, -by_step[hops])
        stiffness.index_copy_(0, self._lower, -by_step[hops])
        stiffness[:: n + 1] = self._touching @ by_step
        matrix = torch.matmul(self.coulomb, stiffness.view(n, n, batch)).view(n * n, batch)
        # Directly: the occupations of a bond's two ends.
        excess = rate_back - rate_forth
        by_tail = rate_forth[hops] + occupation[self.head[hops]] * excess[hops]
        by_head = occupation[self.tail[hops]] * excess[hops] - rate_back[hops]
        by_site = -rate_forth[self.n_hops :] - rate_back[self.n_hops :]  # the head of a bond from a contact
        matrix.index_add_(0, self._upper, -by_head)
        matrix.index_add_(0, self._lower, by_tail)
        matrix[:: n + 1] += self._entering @ torch.cat((by_head, by_site)) + self._leaving @ by_tail
        return self._incidence[:n] @ flow, matrix.view(n, n, batch).permute(2, 0, 1)

    def _occupied(self, occupation: Tensor) -> tuple[Tensor, Tensor]:
        """Per bond: the chance that a hop is possible from tail to head, and back."""
        tail = occupation.index_select(0, self.tail[: self.n_hops])
        head = occupation.index_select(0, self.head)
        between, contact = head[: self.n_hops], head[self.n_hops :]
        both = tail * between
        return torch.cat((tail - both, 1 - contact)), torch.cat((between - both, contact))


def tunnelling(drop: Tensor, barrier: float) -> Tensor:
    """Factor on 2 r / a for a hop along which a hole's energy falls or rises by `drop`, both in kT.

    WKB through a barrier of height `barrier` above the higher end that slopes down to the lower one, over
    the same without slope: (2/3) (1 - (1 - u)^(3/2)) / u with u = |drop| / barrier, and Fowler and
    Nordheim's 2 / (3 u) above 1. One kT is added in squares to `drop`, which rounds the cusp at zero.
    """
    u = torch.sqrt(drop**2 + 1) / barrier
    return (2 / 3) * (1 - torch.relu(1 - u) ** 1.5) / u
