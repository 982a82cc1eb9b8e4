"""Devices that need no instruments: the bare emulator and a run that was recorded."""

from hil.devices.emulated import EmulatedDevice
from hil.devices.emulated_bidirectional_network import EmulatedBidirectionalNetwork
from hil.devices.emulated_diffractive import EmulatedDiffractive
from hil.devices.emulated_dopant_network import EmulatedDopantNetwork
from hil.devices.emulated_mesh import EmulatedMesh
from hil.devices.emulated_mesh_network import EmulatedMeshNetwork
from hil.devices.emulated_noisy_network import EmulatedNoisyNetwork
from hil.devices.replayed import ReplayedDevice

__all__ = [
    "EmulatedBidirectionalNetwork",
    "EmulatedDevice",
    "EmulatedDiffractive",
    "EmulatedDopantNetwork",
    "EmulatedMesh",
    "EmulatedMeshNetwork",
    "EmulatedNoisyNetwork",
    "ReplayedDevice",
]
