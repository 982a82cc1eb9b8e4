"""Training a surrogate: AdamW on one cycle of the learning rate, stopped early, resumable at every epoch."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from calibration.errors import ModelFileError, PlanError
from calibration.surrogate.dataset import Dataset, Samples
from calibration.surrogate.network import SurrogateNetwork, log_variance

_CHUNK = 2048


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Attributes:
        epochs: length of the cycle, and the most that is trained.
        batch_size: samples a step.
        peak_rate: highest learning rate.
        warm_up: share of the cycle in which the rate rises from peak/25; then it falls to peak/10,000.
        weight_decay: decoupled, per step and unit of rate.
        patience: epochs without a better validation loss (by `improvement`, relative) before training
            stops. Where the rate is still high then, it first falls to nothing within `cooldown` epochs:
            stopping in mid-cycle would forgo the gain of the fall.
        seed: of the shuffles.
    """

    epochs: int = 40
    batch_size: int = 256
    peak_rate: float = 8e-3
    warm_up: float = 0.2
    weight_decay: float = 1e-2
    patience: int = 8
    improvement: float = 1e-3
    cooldown: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for key, least in (("epochs", 1), ("batch_size", 1), ("patience", 1), ("cooldown", 1)):
            if getattr(self, key) < least:
                raise PlanError(f"{key} {getattr(self, key)}: at least {least}")
        if not self.peak_rate > 0.0 or not self.weight_decay >= 0.0 or not self.improvement >= 0.0:
            raise PlanError("peak_rate must be positive, weight_decay and improvement not negative")
        if not 0.0 <= self.warm_up < 1.0:
            raise PlanError(f"warm_up {self.warm_up}: a share of the cycle, from 0 to below 1")

    def rate(self, progress: float) -> float:
        """The learning rate at a share `progress` of the cycle (Smith and Topin, arXiv 1708.07120)."""
        if progress < self.warm_up:
            return _cosine(self.peak_rate / 25.0, self.peak_rate, progress / self.warm_up)
        fall = (progress - self.warm_up) / (1.0 - self.warm_up)
        return _cosine(self.peak_rate, self.peak_rate / 1e4, min(1.0, fall))


@dataclass(frozen=True)
class Epoch:
    """One epoch's record.

    `train_loss` is that of the steps, `validation_loss` of the epoch's end (mean square in units of the
    spread, or with likelihood the negative log-likelihood); `best` says whether it is the best so far.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_rmse_A: float
    rate: float
    best: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class TrainingState:
    """All that a resumed training needs: flat `tensors` (for safetensors) and a `record` (for JSON)."""

    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


class Trainer:
    """Trains `network` in place on `dataset`; iterate for epochs, call `best` for the result.

    A trainer that is given the `state` of another continues as that one would have, bit for bit on the
    same machine with the same number of threads. Raises ModelFileError for a state of another plan or
    another network.
    """

    def __init__(
        self,
        network: SurrogateNetwork,
        dataset: Dataset,
        plan: TrainingPlan | None = None,
        *,
        state: TrainingState | None = None,
    ) -> None:
        self.network, self.dataset, self.plan = network, dataset, plan or TrainingPlan()
        self.history: list[Epoch] = []
        self._loss = _likelihood_loss if network.likelihood else _square_loss
        self._weights = dict(network.body.named_parameters())
        self._moments = {
            "exp_avg": [torch.zeros_like(weight) for weight in self._weights.values()],
            "exp_avg_sq": [torch.zeros_like(weight) for weight in self._weights.values()],
            "step": [torch.zeros(()) for _ in self._weights],
        }
        self._best = {name: value.detach().clone() for name, value in self._weights.items()}
        self._cooling: tuple[int, float] | None = None
        self._done = False
        if state is not None:
            self._restore(state)

    def __iter__(self) -> Iterator[Epoch]:
        """Train until the cycle ends or early stopping stops; one record after each epoch."""
        while not self.finished:
            record = self._train_epoch(len(self.history))
            self.history.append(record)
            self._consider_stopping()
            yield record

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self._done or len(self.history) >= self.plan.epochs

    @property
    def best_epoch(self) -> Epoch | None:
        """The record of the epoch whose weights are kept."""
        return next((epoch for epoch in reversed(self.history) if epoch.best), None)

    @torch.no_grad()
    def best(self) -> SurrogateNetwork:
        """Put the best weights seen into the network and hand it back; training cannot go on in this one."""
        for name, value in self._weights.items():
            value.copy_(self._best[name])
        self._done = True
        return self.network

    def state(self) -> TrainingState:
        """A copy of everything that the next epoch depends on."""
        tensors = {f"network.{name}": value.detach().clone() for name, value in self._weights.items()}
        tensors |= {f"best.{name}": value.clone() for name, value in self._best.items()}
        for key, moments in self._moments.items():
            for name, moment in zip(self._weights, moments, strict=True):
                tensors[f"optimizer.{key}.{name}"] = moment.clone()
        return TrainingState(
            tensors,
            {
                "format": "hil-training/1",
                "samples": len(self.dataset.train),
                "plan": asdict(self.plan),
                "history": [asdict(epoch) for epoch in self.history],
                "cooling": list(self._cooling) if self._cooling else None,
                "done": self._done,
            },
        )

    def _train_epoch(self, epoch: int) -> Epoch:
        start = time.perf_counter()
        # The shuffle is a function of seed and epoch, so that a resumed training needs no generator's state.
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + epoch)
        train = self.dataset.train
        order = torch.randperm(len(train), generator=generator)
        batches = zip(
            torch.split(train.inputs[order], self.plan.batch_size),
            torch.split(train.targets[order], self.plan.batch_size),
            strict=True,
        )
        steps = math.ceil(len(train) / self.plan.batch_size)
        total, rate = torch.zeros(()), 0.0
        self.network.train()
        for step, (inputs, targets) in enumerate(batches):
            rate = self._rate(epoch, (step + 1) / steps)
            loss = self._loss(self.network.body(inputs), targets)
            self._update(torch.autograd.grad(loss, list(self._weights.values())), rate)
            total += loss.detach()
        validation, rmse = self._validate()
        best = validation < min((earlier.validation_loss for earlier in self.history), default=math.inf)
        if best:
            self._best = {name: value.detach().clone() for name, value in self._weights.items()}
        return Epoch(
            epoch=epoch,
            train_loss=float(total) / steps,
            validation_loss=validation,
            validation_rmse_A=rmse,
            rate=rate,
            best=best,
            seconds=time.perf_counter() - start,
        )

    @torch.no_grad()
    def _update(self, gradients: Sequence[Tensor], rate: float) -> None:
        # The function behind torch.optim.AdamW: the class's own bookkeeping costs a tenth of a step here.
        adamw(
            list(self._weights.values()),
            list(gradients),
            self._moments["exp_avg"],
            self._moments["exp_avg_sq"],
            [],
            self._moments["step"],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=self.plan.weight_decay,
            eps=1e-8,
            maximize=False,
        )

    def _rate(self, epoch: int, share: float) -> float:
        if self._cooling is None:
            return self.plan.rate((epoch + share) / self.plan.epochs)
        start, rate = self._cooling
        return rate * max(0.0, 1.0 - (epoch + share - start) / self.plan.cooldown) + self.plan.peak_rate / 1e4

    @torch.no_grad()
    def _validate(self) -> tuple[float, float]:
        self.network.eval()
        answer, targets = (
            _forward(self.network.body, self.dataset.validation),
            self.dataset.validation.targets,
        )
        square = float(torch.mean(torch.square((answer[:, :1] - targets).double())))
        loss = float(_negative_log_likelihood(answer, targets)) if self.network.likelihood else square
        return loss, math.sqrt(square) * self.dataset.scaling.scale_A

    def _consider_stopping(self) -> None:
        epoch = len(self.history)
        if self._cooling is not None:
            self._done = epoch >= self._cooling[0] + self.plan.cooldown
            return
        if self._stale() < self.plan.patience:
            return
        rate = self.history[-1].rate
        if rate < self.plan.peak_rate / 20.0:
            self._done = True
        elif epoch + self.plan.cooldown < self.plan.epochs:
            self._cooling = (epoch, rate)

    def _stale(self) -> int:
        """Epochs since the validation loss last fell by more than the stated improvement."""
        level, since = math.inf, 0
        for record in self.history:
            since += 1
            needed = self.plan.improvement * abs(level) if math.isfinite(level) else 0.0
            if record.validation_loss < level - needed:
                level, since = record.validation_loss, 0
        return since

    @torch.no_grad()
    def _restore(self, state: TrainingState) -> None:
        if state.record.get("format") != "hil-training/1":
            raise ModelFileError(
                f"training state of format {state.record.get('format')!r}, not hil-training/1"
            )
        if state.record["samples"] != len(self.dataset.train):
            raise ModelFileError(
                f"the stored training had {state.record['samples']} samples, this one has "
                f"{len(self.dataset.train)}; start a new one"
            )
        if state.record["plan"] != asdict(self.plan):
            raise ModelFileError("the stored training followed another plan; start a new one")
        try:
            for name, weight in self._weights.items():
                weight.copy_(state.tensors[f"network.{name}"])
                self._best[name] = state.tensors[f"best.{name}"].clone()
            for key, moments in self._moments.items():
                for name, moment in zip(self._weights, moments, strict=True):
                    moment.copy_(state.tensors[f"optimizer.{key}.{name}"])
        except (KeyError, RuntimeError) as error:
            raise ModelFileError(f"the stored training is of another network: {error}") from error
        self.history = [Epoch(**record) for record in state.record["history"]]
        cooling: Sequence[Any] | None = state.record["cooling"]
        self._cooling = (int(cooling[0]), float(cooling[1])) if cooling else None
        self._done = bool(state.record["done"])


def _cosine(start: float, end: float, share: float) -> float:
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * share))


def _square_loss(answer: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.mse_loss(answer, targets)


def _likelihood_loss(answer: Tensor, targets: Tensor) -> Tensor:
    # Seitzer et al. 2022, arXiv 2203.09168 (beta = 1/2): each sample weighted by its predicted standard
    # deviation, lest the network explain what it fits badly as noise and then never fit it.
    log_var = log_variance(answer)
    losses = 0.5 * (log_var + torch.square(targets - answer[..., :1]) * torch.exp(-log_var))
    return torch.mean(losses * torch.exp(0.5 * log_var.detach()))


def _negative_log_likelihood(answer: Tensor, targets: Tensor) -> Tensor:
    log_var = log_variance(answer).double()
    error = (targets - answer[..., :1]).double()
    return torch.mean(0.5 * (log_var + torch.square(error) * torch.exp(-log_var) + math.log(2.0 * math.pi)))


def _forward(body: nn.Module, samples: Samples) -> Tensor:
    return torch.cat([body(chunk) for chunk in torch.split(samples.inputs, _CHUNK)])
