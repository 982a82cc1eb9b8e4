"""Any order of appends, kills, reopenings and readings leaves a run that holds what was committed."""

import gc
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hil.store import ColumnSpec, RunStore

ROWS = 3
COLUMNS = {"x": ColumnSpec(2, unit="V"), "n": ColumnSpec(dtype="int16")}


def arrays(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=(ROWS, 2)), "n": rng.integers(-9, 9, ROWS, dtype=np.int16)}


class StoreMachine(RuleBasedStateMachine):
    """The model is a list of seeds a table, a list of events and the last file written."""

    @initialize()
    def begin(self) -> None:
        self.home = tempfile.TemporaryDirectory()
        self.store = RunStore.create(Path(self.home.name) / "run", name="m", seed=1)
        self.seeds: dict[str, list[int]] = {}
        self.events: list[int] = []
        self.metrics: list[int] = []
        self.json: object = None

    @rule(table=st.sampled_from(["a", "b"]), seed=st.integers(0, 2**32 - 1))
    def append(self, table: str, seed: int) -> None:
        stored = self.store.table(table, COLUMNS, ROWS)
        seeds = self.seeds.setdefault(table, [])
        stored.append(len(seeds), arrays(seed), seed=seed)
        seeds.append(seed)

    @rule(value=st.integers())
    def event(self, value: int) -> None:
        self.store.event("value", value=value)
        self.events.append(value)

    @rule(value=st.integers())
    def metric(self, value: int) -> None:
        self.store.metric("step", value=value)
        self.metrics.append(value)

    @rule(value=st.dictionaries(st.text(), st.integers() | st.text()))
    def write_json(self, value: object) -> None:
        self.store.write_json("value.json", value)
        self.json = value

    @rule()
    def close_and_open(self) -> None:
        self.store.close()
        self.store = RunStore.open(self.store.folder, writable=True)

    @rule(
        torn=st.sampled_from([b"", b"{", b'{"t": 1, "kind": "val']),
        chunk=st.booleans(),
        lines=st.sampled_from(["events.jsonl", "metrics.jsonl", "data/a.batches.jsonl"]),
    )
    def kill(self, torn: bytes, chunk: bool, lines: str) -> None:
        """Drop the writer without a word, with the traces that a kill can leave behind."""
        folder = self.store.folder
        del self.store
        gc.collect()
        if (folder / lines).exists():
            with open(folder / lines, "ab") as file:
                file.write(torn)
        if chunk and (folder / "data" / "a.zarr").exists():
            (folder / "data" / "a.zarr" / "n" / f"c.{len(self.seeds['a'])}").write_bytes(bytes(2 * ROWS))
            (folder / "data" / "a.commit.json.partial").write_bytes(b"{")
        self.store = RunStore.open(folder, writable=True)

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def holds_what_was_committed(self) -> None:
        for store in (self.store, RunStore.open(self.store.folder)):
            assert set(store.tables) == set(self.seeds)
            for name, seeds in self.seeds.items():
                table = store.table(name)
                assert list(table.seeds) == seeds
                for batch, seed in zip(table.iter_batches(), seeds, strict=True):
                    for column, expected in arrays(seed).items():
                        assert np.array_equal(batch.arrays[column], expected)
            assert [event["value"] for event in store.events()] == self.events
            assert [metric["value"] for metric in store.metrics()] == self.metrics
            if self.json is not None:
                assert store.read_json("value.json") == self.json

    def teardown(self) -> None:
        self.store.close()
        self.home.cleanup()


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
