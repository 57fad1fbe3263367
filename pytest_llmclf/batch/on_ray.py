"""A task through Ray Data: rows in, batches of what became of them out.

    reader (one task)      manifest -> batches of rows, no faster than they are used up
    workers (actors)       rows -> images, questions, answers
    keeper (one actor)     the only one that opens the answer store, on this machine

An answer reaches the keeper within a second, so whatever dies costs at most that. What Ray does
again (it repeats the batches of a lost worker) finds the answers that are there already.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.batch.kept import Keeper, KeptStore
from pytest_llmclf.batch.rows import Row, read_rows
from pytest_llmclf.batch.tally import Batch
from pytest_llmclf.batch.window import answer_rows, asking
from pytest_llmclf.errors import RemoteRefused, RuntimeBroken, SettingsError
from pytest_llmclf.models.http.address import Address

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator
    from pathlib import Path

    from pytest_llmclf.batch.batch_task import BatchTask

BATCH: Final = 64
"""Rows that a worker takes at once, and that are done again if it is lost."""
_BLOCK_BYTES: Final = 4096
# Less than a batch of rows, so that none waits for another to fill a block.
_OBJECT_STORE_BYTES: Final = 100_000_000
# Of a cluster of our own. Rows are small, and images do not go through it.
_COLUMN: Final = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where Ray runs.

    Attributes:
        workers: Processes that ask.
        address: An existing cluster, as ``ray.init`` takes it; empty: one on this machine,
            started for the task and ended with it.
    """

    workers: int
    address: str = ""


def run_on_ray(batch_task: BatchTask, store_path: Path, cluster: Cluster) -> Generator[Batch]:
    """Ask about every row of a task and say what became of it, batch by batch.

    Args:
        batch_task: What is asked. On a cluster of several machines its paths must lead to the same
            files on each.
        store_path: The answer store, on this machine.
        cluster: Where Ray runs.

    Raises:
        SettingsError: Ray is not installed, or the cluster cannot be used.
        RemoteRefused: A machine of the cluster is not allowed to see images.
        RuntimeBroken: Ray lost more than it could repeat.
    """
    with _connected(cluster, batch_task.connect.allow_remote) as ray:
        from ray.data import ActorPoolStrategy, DataContext, from_items
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        keeper = (
            ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=here).remote(str(store_path))
        )
        context = DataContext.get_current()
        context.target_max_block_size = _BLOCK_BYTES
        context.enable_progress_bars = False
        # Another share of a CPU than the workers' keeps Ray from making one step of both.
        rows = from_items([{"task": 0}]).map_batches(
            _Reader, fn_constructor_args=(batch_task,), concurrency=1, num_cpus=0.5, batch_size=None
        )
        batches = rows.map_batches(
            _Worker,
            fn_constructor_args=(batch_task, keeper),
            batch_size=1,
            num_cpus=1,
            # Two batches at once: the end of one leaves no gap before the next.
            compute=ActorPoolStrategy(
                size=cluster.workers,
                max_concurrent_calls_per_actor=2,
                max_tasks_in_flight_per_actor=4,
                enable_true_multi_threading=True,
            ),
        )
        try:
            for row in batches.iter_rows():
                yield Batch.from_text(row[_COLUMN])
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise RuntimeBroken(
                f"Ray gave up: {reason}", remedy="what was answered is kept"
            ) from error


class _Reader:
    """Reads the manifest, as fast as Ray lets it."""

    def __init__(self, batch_task: BatchTask) -> None:
        self._task = batch_task

    def __call__(self, _: dict[str, Any]) -> Iterator[dict[str, list[str]]]:
        # JSON in one cell: names may hold what is no text to Arrow.
        rows = read_rows(self._task)
        while batch := list(islice(rows, BATCH)):
            yield {_COLUMN: [json.dumps([asdict(row) for row in batch])]}


class _Worker:
    """Asks about batches of rows; called from two threads."""

    def __init__(self, batch_task: BatchTask, keeper: Any) -> None:
        self._task = batch_task
        self._store = KeptStore(keeper)
        # Open until Ray ends the process; the servers that it started end themselves then.
        self._asking = asking(batch_task, self._store)
        self._engine = self._asking.__enter__()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        rows = [Row(**row) for cell in batch[_COLUMN] for row in json.loads(cell)]
        results = list(answer_rows(self._engine, self._task, rows))
        self._store.flush()
        done = Batch(
            asked=sum(result.asked for result in results),
            known=sum(result.known for result in results),
            failures=tuple(failure for result in results for failure in result.failures),
            notice=self._store.notice,
            told=self._engine.notices(),
        )
        return {_COLUMN: [done.to_text()]}


@contextmanager
def _connected(cluster: Cluster, allow_remote: Collection[str]) -> Iterator[Any]:
    # Nothing about this run leaves the machine; must be said before Ray is imported.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise SettingsError(
            f"--engine ray needs Ray, which is not installed ({error}): "
            "pip install 'pytest-llmclf[ray]', or say --engine local"
        ) from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if cluster.address.startswith("ray://"):
        raise SettingsError(
            f"--ray-address {cluster.address}: the answer store lies on this machine, which must "
            "belong to the cluster: `ray start --address=...` here, then --ray-address auto"
        )
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if cluster.address:
            ray.init(address=cluster.address, **quiet)
        else:
            ray.init(
                address="local",
                num_cpus=cluster.workers + 1,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"Ray cannot be reached or started: {error}") from error
    try:
        _require_allowed(ray, allow_remote)
        yield ray
    finally:
        ray.shutdown()


def _require_allowed(ray: Any, allow_remote: Collection[str]) -> None:
    """Refuse a cluster with a machine that was not allowed to see images."""
    here = ray.get_runtime_context().get_node_id()
    for node in ray.nodes():
        if not node["Alive"] or node["NodeID"] == here:
            continue
        host = str(node["NodeManagerAddress"])
        try:
            Address(host=host, port=int(node["NodeManagerPort"])).require_allowed(allow_remote)
        except RemoteRefused as error:
            raise RemoteRefused(
                f"{host} belongs to the Ray cluster and is not this machine, and images would "
                "be read there",
                remedy=f"if that is wanted, say --allow-remote {host}",
            ) from error
