"""Networks fitted to a chip's samples: data, network, training, evaluation."""

from calibration.surrogate.dataset import Dataset, Samples, Scaling, Split, build_dataset, split_batches
from calibration.surrogate.evaluation import Evaluation, evaluate, predict
from calibration.surrogate.network import SurrogateNetwork
from calibration.surrogate.training import Epoch, Trainer, TrainingPlan, TrainingState

__all__ = [
    "Dataset",
    "Epoch",
    "Evaluation",
    "Samples",
    "Scaling",
    "Split",
    "SurrogateNetwork",
    "Trainer",
    "TrainingPlan",
    "TrainingState",
    "build_dataset",
    "evaluate",
    "predict",
    "split_batches",
]
