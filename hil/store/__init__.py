"""The run store: one folder a run, append-only, whole after a kill at any moment."""

from hil.store.run import RunStore
from hil.store.steps import Step, StepState
from hil.store.table import Batch, BatchTable, ColumnSpec

__all__ = ["Batch", "BatchTable", "ColumnSpec", "RunStore", "Step", "StepState"]
