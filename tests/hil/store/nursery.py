"""A process that has everything imported and forks writers to be killed: run by the kill tests.

Reads one JSON object a line from stdin, forks a writer for it, prints the writer's process id, waits for its
end and prints how it ended. The writer appends batches in a tight loop; after each it notes the number in
the file `acknowledged`, as a session would tell its user. With `die_at` it kills itself just before its
n-th operation on a file, or half way through it if that is a write.
"""

import json
import os
import resource
import signal
import sys

import zarr  # noqa: F401  (imported before the fork; its event loop starts only when it is used)

from hil.errors import DiskFull
from hil.store import RunStore
from tests.hil.store.batches import COLUMNS, ROWS, batch_seed, make_batch


def write(order: dict) -> int:
    folder, run_seed = order["folder"], order["seed"]
    if limit := order.get("file_limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    names = order.get("columns", list(COLUMNS))
    columns = {name: COLUMNS[name] for name in names}
    said = os.open(order["acknowledged"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    tell = os.write
    if order.get("die_at") is not None:
        arm(order["die_at"])
    if os.path.exists(os.path.join(folder, "manifest.json")):
        store = RunStore.open(folder, writable=True)
    else:
        store = RunStore.create(folder, name="to be killed", seed=run_seed, files={"bench.yaml": "a: 1\n"})
    try:
        with store, store.step("sample"):
            table = store.table("sampling", columns, ROWS)
            for k in range(table.committed, order["batches"]):
                seed = batch_seed(run_seed, k)
                arrays = make_batch(seed)
                table.append(k, {name: arrays[name] for name in names}, seed=seed)
                tell(said, f"{k}\n".encode())
                store.event("batch", k=k)
    except DiskFull as error:
        sys.stderr.write(f"{error}\n")
        return 4
    return 0


def arm(die_at: int) -> None:
    count = 0

    def deadly(operation):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == die_at:
                if operation.__name__ == "write":
                    operation(args[0], args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*args, **kwargs)

        return call

    for name in ("write", "replace", "rename", "fsync", "ftruncate", "unlink", "mkdir"):
        setattr(os, name, deadly(getattr(os, name)))


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = write(json.loads(line))
            finally:
                os._exit(status)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
