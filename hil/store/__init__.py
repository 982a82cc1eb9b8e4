"""The run store: one folder a run, append-only, whole after a kill at any moment."""

from hil.store.blocks import BlockFolder, StoredBlock
from hil.store.run import RunStore
from hil.store.steps import Step, StepState
from hil.store.table import Batch, BatchTable, ColumnSpec

__all__ = ["Batch", "BatchTable", "BlockFolder", "ColumnSpec", "RunStore", "Step", "StepState", "StoredBlock"]
