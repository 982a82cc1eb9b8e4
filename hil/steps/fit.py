"""Fit the surrogate network to what was sampled."""

from pathlib import Path

import safetensors.torch
import torch

from calibration.surrogate.dataset import Dataset, build_dataset
from calibration.surrogate.evaluation import evaluate
from calibration.surrogate.network import SurrogateNetwork
from calibration.surrogate.training import Trainer, TrainingPlan, TrainingState
from hil.config import ExperimentFile
from hil.steps.sample import plan_of
from hil.steps.session import SAMPLING, DnpuSession
from simulators.models.network import NetworkChip

SURROGATE = "models/surrogate"
CHECKPOINT = "models/training"


def surrogate_of(folder: Path) -> SurrogateNetwork:
    """The surrogate that was fitted in a run's `folder`, of all the chip's electrodes.

    For tuning, `calibration.tuning.model_of` parts it as the device is. Raises ModelError where none is stored.
    """
    return SurrogateNetwork.from_network(NetworkChip.load(folder / SURROGATE))


def fit(session: DnpuSession) -> None:
    """Train from the last checkpoint, or from the start, and judge the result on unseen batches."""
    session.require("sample", "fit")
    with session.store.step("fit"):
        torch.set_num_threads(1)
        dataset = dataset_of(session)
        settings = session.experiment.surrogate
        network = SurrogateNetwork(
            dataset.electrodes,
            dataset.scaling.low_V,
            dataset.scaling.high_V,
            offset_A=dataset.scaling.offset_A,
            scale_A=dataset.scaling.scale_A,
            hidden=settings.hidden,
            activation=settings.activation,
            likelihood=settings.likelihood,
            seed=session.experiment.seed,
        )
        trainer = Trainer(network, dataset, training_plan(session.experiment), state=_checkpoint(session))
        _train(session, trainer)
        best = trainer.best()
        floor = session.metrics().get("repeatability", {}).get("repeatability_A")
        evaluation = evaluate(best, dataset.test, dataset.scaling, repeatability_A=floor)
        best.to_network().save(session.folder / SURROGATE)
        session.note(
            "surrogate",
            {
                **evaluation.as_dict(),
                "worst_region_text": str(evaluation.worst_region) if evaluation.worst_region else None,
                "epochs": len(trainer.history),
                "best_epoch": trainer.best_epoch.epoch if trainer.best_epoch else None,
                "parameters": sum(weight.numel() for weight in network.parameters()),
                "training_curve": [
                    {
                        "epoch": e.epoch,
                        "train_loss": e.train_loss,
                        "validation_rmse_A": e.validation_rmse_A,
                        "seconds": e.seconds,
                    }
                    for e in trainer.history
                ],
                "split": dataset.as_dict(),
            },
        )


def dataset_of(session: DnpuSession) -> Dataset:
    """The run's samples, split by batch and scaled."""
    table = session.store.table(SAMPLING)
    data = table.read()
    plan = plan_of(session)
    electrodes = plan.channels
    shape = (table.committed, table.rows_per_batch)
    return build_dataset(
        data["inputs"].reshape(*shape, -1),
        data["outputs"].reshape(*shape, -1),
        data["flags"].reshape(shape),
        electrodes=electrodes.names,
        low_V=electrodes.low,
        high_V=electrodes.high,
        seed=session.experiment.seed,
        reference=[k for k in range(table.committed) if plan.is_reference(k)],
    )


def training_plan(experiment: ExperimentFile) -> TrainingPlan:
    """How the surrogate is trained."""
    settings = experiment.surrogate
    return TrainingPlan(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        peak_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        patience=settings.patience,
        seed=experiment.seed,
    )


def _train(session: DnpuSession, trainer: Trainer) -> None:
    session.progress.start("fitting", trainer.plan.epochs, len(trainer.history))
    for epoch in trainer:
        state = trainer.state()
        # the record names the tensors' file, so that a kill between the two leaves the older pair
        tensors = f"{CHECKPOINT}-{epoch.epoch % 2}.safetensors"
        session.store.write_bytes(tensors, safetensors.torch.save(dict(state.tensors)))
        session.store.write_json(f"{CHECKPOINT}.json", {**state.record, "tensors": tensors})
        session.store.metric("fit", epoch=epoch.epoch, validation_rmse_A=epoch.validation_rmse_A)
        session.progress.advance(f"validation {epoch.validation_rmse_A * 1e9:.3g} nA")
        session.checkpoint()
    session.progress.finish()


def _checkpoint(session: DnpuSession) -> TrainingState | None:
    path = session.folder / f"{CHECKPOINT}.json"
    if not path.exists():
        return None
    record = session.store.read_json(f"{CHECKPOINT}.json")
    tensors = safetensors.torch.load_file(session.folder / Path(record.pop("tensors")))
    return TrainingState(tensors, record)
