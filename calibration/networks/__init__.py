"""Networks of meshes: training in silico, calibration from powers, deployment.

controls = train_classifier(scores, start, images, labels)      in silico, on perfect meshes
wanted = [mesh.matrix(phases) for …]                             its matrices
twin = calibrate_network(device, design).twin                    from powers alone
device.set_controls(deploy(wanted, twin).phases.numpy())         matrices to phases, errors corrected
right = accuracy(torch.as_tensor(device.run(images).outputs[0]), labels)
"""

from calibration.networks.aware import (
    Quantiser,
    noisy_controls,
    noisy_layers,
    noisy_outputs,
    quantised_controls,
)
from calibration.networks.deployment import Deployment, deploy
from calibration.networks.network_calibration import NetworkCalibration, NetworkPlan, calibrate_network
from calibration.networks.screens import ScreenPlan, ScreenReadings, fit_screens, read_screens
from calibration.networks.training import ClassifierPlan, accuracy, power_scores, train_classifier

__all__ = [
    "ClassifierPlan",
    "Deployment",
    "NetworkCalibration",
    "NetworkPlan",
    "Quantiser",
    "ScreenPlan",
    "ScreenReadings",
    "accuracy",
    "calibrate_network",
    "deploy",
    "fit_screens",
    "noisy_controls",
    "noisy_layers",
    "noisy_outputs",
    "power_scores",
    "quantised_controls",
    "read_screens",
    "train_classifier",
]
