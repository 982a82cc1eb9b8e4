"""Training in silico before the chip is asked: on its design, with the noise that is assumed of it."""

from typing import cast

import torch
from torch import Tensor

from calibration.device import Array, Channels
from calibration.networks import ClassifierPlan, train_classifier
from calibration.tuning import CrossEntropy, Problem
from hil.config.tune_experiment import TrainSection
from hil.errors import ConfigError
from hil.tuning.lab import plain_start
from hil.tuning.session import TuneSession, folder_of
from simulators.models.model import Model
from simulators.models.optical import NoisyNetwork


def start_of(session: TuneSession, design: Model, problem: Problem, controls: Channels) -> Array:
    """Controls to start from: of a file, the middle or anything; trained on from there where that is asked for.

    Raises ConfigError where what is deployed was never trained, OutsideLimits for a file that limits exclude.
    """
    begin = session.experiment.start
    if begin.at == "deployed" and begin.train is None and begin.file is None:
        raise ConfigError(
            "start.at: deployed needs start.train here: what is deployed is what was trained in silico"
        )
    start = plain_start(begin, controls, folder_of(session), problem.seed)
    if begin.train is None:
        return start
    session.progress.say("training in silico, on the design")
    return trained(design, problem, start, begin.train)


def trained(design: Model, problem: Problem, start: Array, section: TrainSection) -> Array:
    """Controls (n,), inside the limits, that tell the training examples apart on `design`.

    A noisy network starts from weights that are drawn, since from `start` alike ones would stay alike.
    """
    generator = torch.Generator().manual_seed(problem.seed)
    plan = ClassifierPlan(section.steps, section.batch_size, section.rate, problem.seed)
    logits = cast(CrossEntropy, problem.task.loss).logits
    noisy = isinstance(design, NoisyNetwork)
    begin = cast(NoisyNetwork, design).initial(generator) if noisy else torch.as_tensor(start)

    def scores(inputs: Tensor, controls: Tensor) -> Tensor:
        if noisy and section.noise:
            network = cast(NoisyNetwork, design)
            return logits(network(inputs, controls, network.draw(inputs.shape[:1], generator)))
        return logits(design(inputs, controls))

    training, limits = problem.task.training, problem.limits
    found = train_classifier(scores, begin, torch.as_tensor(training.inputs), training.targets, plan)
    # angles come in again by whole turns, the rest is cut off
    return limits.controls((found.numpy() - limits.origin) / limits.scale)
