"""Optical networks: noisy feed-forward ones, and meshes of interferometers one after another."""

from simulators.models.optical.activation import Activation, ElectroOptic, activation
from simulators.models.optical.mesh_network import MeshNetwork, fabricate_network
from simulators.models.optical.noisy_network import NoiseLevels, NoisyNetwork

__all__ = [
    "Activation",
    "ElectroOptic",
    "MeshNetwork",
    "NoiseLevels",
    "NoisyNetwork",
    "activation",
    "fabricate_network",
]
