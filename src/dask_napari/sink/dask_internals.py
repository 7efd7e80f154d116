"""Dask's internals: all that this package uses of Dask beyond what Dask documents for plugins.

Each function names the attributes that it relies on, so that a change in Dask is mended here. The
order in which a worker's outputs are spilled is never changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dask._task_spec import Alias, TaskRef
from dask.utils import key_split
from distributed import Worker, get_worker
from distributed.comm import get_address_host
from distributed.core import Status
from distributed.protocol import pickle
from distributed.utils import get_ip

from dask_napari.model import Provenance, Refusal

if TYPE_CHECKING:
    from distributed import Client, Scheduler, WorkerPlugin
    from distributed.worker_state_machine import TaskState


COMPUTING: Final = frozenset({"executing", "long-running"})
"""States from which a task reaches memory because it ran here; from others it was fetched."""

SCATTERED: Final = "released"
"""State from which data reach memory that ``client.scatter`` or ``client.replicate`` sent."""

MOST_RUNNING: Final = 1000
"""Running tasks that are looked at; more than a worker has threads."""

REFERENCES: Final = (TaskRef, Alias)
"""Types of arguments that stand for outputs of other tasks, by key."""

READS: Final = 10
"""Attempts to read an output that Dask moves between memory and disk at the same time."""

PEER_TIMEOUT: Final = 2.0
"""Seconds for the answer of another worker; one that holds the GIL is not waited for."""


# -- tasks of a worker -------------------------------------------------------------------------


@dataclass(slots=True)
class ComputedTask:
    """A task that ran on this worker, as it is remembered when Dask has forgotten it.

    ``nbytes`` is Dask's, which is wrong for views; ``start`` and ``stop`` are seconds since the
    epoch, 0 if unknown.
    """

    name: str
    nbytes: int
    run_id: int
    start: float
    stop: float


def computed_task(task: TaskState) -> ComputedTask:
    """Return what is known of a task that ran here: ``run_id``, ``startstops``."""
    run: Any = next((run for run in reversed(task.startstops) if run["action"] == "compute"), {})
    return ComputedTask(
        name=task.prefix,
        nbytes=task.nbytes or 0,
        run_id=attempt_of(task),
        start=run.get("start", 0.0),
        stop=run.get("stop", 0.0),
    )


def attempted_task(task: TaskState) -> ComputedTask:
    """Return what is known of a task that runs or has failed: ``start_time`` while it runs."""
    known = computed_task(task)
    if task.state in COMPUTING:
        known.start, known.stop = began_at(task), 0.0
    return known


def attempt_of(task: TaskState) -> int:
    """Return Dask's number of the attempt to run a task, ``run_id``, from 1; 0 without any.

    Dask counts from 0, and -1 stands for none.
    """
    return int(task.run_id) + 1


def began_at(task: TaskState) -> float:
    """Return when a task that runs began, in seconds since the epoch: ``start_time``."""
    return task.start_time or 0.0


def arguments_of(task: TaskState) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return the arguments of a task, with references for outputs of others: ``run_spec``."""
    return getattr(task.run_spec, "args", ()), getattr(task.run_spec, "kwargs", {})


def task_of(worker: Worker, key: Any) -> TaskState | None:
    """Return a task that the worker knows: ``state.tasks``."""
    return worker.state.tasks.get(key)


def stored_keys(
    worker: Worker, names: Collection[str] | None = None, keys: Collection[Any] = ()
) -> list[Any]:
    """Return the keys of outputs in a worker's memory, spilled ones included.

    They are all of them, or those of tasks with some names, chunks of arrays with some names, and
    some keys. For names that nothing has in memory the keys are not gone through:
    ``state.task_counter``.
    """
    tasks = worker.state.tasks
    if names is None:
        return [key for key, task in tasks.items() if task.state == "memory"]
    counts = worker.state.task_counter.current_count()
    prefixes = {prefix for prefix in {*names, *map(key_split, names)} if counts[prefix, "memory"]}
    found = [tasks[key] for key in keys if key in tasks]
    listed = [task.key for task in found if task.prefix not in prefixes and is_stored(task)]
    if prefixes:
        listed += [k for k, task in tasks.items() if task.prefix in prefixes and is_stored(task)]
    return listed


def error_of(task: TaskState) -> tuple[str, str]:
    """Return the ``repr`` of the exception of a failed task, and its traceback, of any length."""
    return task.exception_text, task.traceback_text


def has_failed(task: TaskState) -> bool:
    """Return whether a task has failed; a worker knows that until the failure is released."""
    return bool(task.state == "error")


def failed_keys(worker: Worker) -> list[Any]:
    """Return the keys of failed tasks. Without any, nothing is gone through: ``task_counter``."""
    counts = worker.state.task_counter.current_count()
    if not any(number for (_, state), number in counts.items() if state == "error"):
        return []
    return [key for key, task in worker.state.tasks.items() if has_failed(task)]


def running_tasks(worker: Worker) -> dict[Any, TaskState]:
    """Return tasks that run on a worker, by key: ``state.executing``, ``state.long_running``.

    Those that were cancelled stay there until their thread is done, and are left out; so are some
    of very many that have left the worker's threads.
    """
    state = worker.state
    running = itertools.islice(itertools.chain(state.executing, state.long_running), MOST_RUNNING)
    return {task.key: task for task in running if task.state in COMPUTING}


def is_stored(task: TaskState) -> bool:
    """Return whether the output of a task is in memory, or spilled from it."""
    return bool(task.state == "memory")


def was_computed_here(task: TaskState) -> bool:
    """Return whether a worker computed an output, rather than fetched it from another worker."""
    return task.run_spec is not None and any(
        run.get("action") == "compute" for run in task.startstops
    )


def reference_to(key: Any) -> object:
    """Return what stands for the output of another task among the arguments of a task."""
    return TaskRef(key)


def is_alias(task: TaskState) -> bool:
    """Return whether a task only gives a second name to the output of another one."""
    return isinstance(task.run_spec, Alias)


def dependency(task: TaskState, key: Any) -> TaskState | None:
    """Return the task of that key whose output a task uses: ``dependencies``."""
    return next((other for other in task.dependencies if other.key == key), None)


def only_chunk_in(task: TaskState) -> Any:
    """Return the key of the only chunk that ``compute`` has fused with what returns it, or None.

    Fused tasks run ``_execute_subgraph``, whose first arguments are the steps by key and the last
    key. With several chunks the task that joins them has several dependencies and is not fused.
    """
    spec: Any = task.run_spec
    if getattr(getattr(spec, "func", None), "__name__", "") != "_execute_subgraph":
        return None
    steps, last = spec.args[:2]
    if not isinstance(last, str) or not last.startswith("finalize-"):
        return None
    found = steps[last].dependencies
    return next(iter(found)) if len(found) == 1 else None


def type_of_output(task: TaskState) -> type | None:
    """Return the type of a task's output without reading it, which may unspill it."""
    return task.type  # type: ignore[no-any-return]


# -- outputs -----------------------------------------------------------------------------------


def read_output(worker: Worker, key: Any) -> object:
    """Return an output from a worker's memory or its disk; safe to call from any thread.

    ``worker.data[key]`` would move a spilled output back into memory and count as a use of it.
    Dask's own buffer is read beneath: the dict of ``fast``, then ``slow``, and then ``fast`` again,
    since Dask may spill or unspill the output in between. Dask puts an output into one of them
    before it takes it out of the other. Raises KeyError if the output has been released,
    and Refusal if it is an actor, which Dask keeps in ``state.actors``.
    """
    if key in worker.state.actors:
        raise Refusal("actor", "an actor is no output; call dask_napari.show in its methods")
    data: Any = worker.data
    fast = getattr(getattr(data, "fast", None), "d", None)
    if fast is None:  # nothing is spilled, or by a mapping that is not Dask's
        return data[key]
    for _ in range(READS):
        try:
            return fast[key]
        except KeyError:
            pass
        with contextlib.suppress(KeyError, FileNotFoundError):
            return data.slow[key]
        if key not in fast:
            break
    return fast[key]


def output_in_memory(worker: Worker, key: Any) -> object:
    """Return an output from Dask's own buffer; None if it is spilled, released, or elsewhere."""
    data: Any = worker.data
    fast = getattr(getattr(data, "fast", None), "d", data)
    return fast.get(key) if isinstance(fast, dict) else None


async def holders_of(worker: Worker, keys: Sequence[Any]) -> dict[Any, list[str]]:
    """Return the addresses of all workers that have each output: ``scheduler.who_has``."""
    return {**await worker.scheduler.who_has(keys=[*keys])}


async def run_on(worker: Worker, address: str, function: Callable[..., Any]) -> Any:
    """Return what a function returns on another worker: its ``run``, as of ``client.run``.

    Raises any error, and TimeoutError if the worker does not answer.
    """
    pickled = pickle.dumps(function)
    answer = await asyncio.wait_for(worker.rpc(address).run(function=pickled), PEER_TIMEOUT)
    return answer["result"]


async def first_here(worker: Worker, keys: list[Any]) -> list[Any]:
    """Return the keys of data that have just arrived and that no other worker has had before.

    The scheduler learns of scattered data when they have arrived, and copies them later, if at all.
    """
    holders = await holders_of(worker, keys)
    return [key for key in keys if set(holders.get(key) or ()) <= {worker.address}]


# -- a worker ----------------------------------------------------------------------------------


def current_worker() -> Worker | None:
    """Return the worker that runs the calling task; None outside of one.

    A task may use threads of its own: in a worker's process with nothing else in it (one under
    a nanny) they count as the task.
    """
    try:
        return get_worker()
    except ValueError:
        workers = [worker for worker in list(Worker._instances) if worker.nanny]
        return workers[0] if len(workers) == 1 else None


def calling_task(worker: Worker) -> tuple[Any, Provenance]:
    """Return key and provenance of the task that calls; an empty key in a thread of its own.

    A thread of the worker's pool is in ``active_threads``; an asynchronous task runs in an asyncio
    task called ``execute(<key>)``.
    """
    key: Any = worker.active_threads.get(threading.get_ident(), "")
    if key == "":
        with contextlib.suppress(RuntimeError):  # no event loop: a thread of its own
            current = asyncio.current_task()
            name = current.get_name() if current else ""
            key = next((k for k in list(worker.active_keys) if name == f"execute({k!r})"), "")
    task = task_of(worker, key)
    start = getattr(task, "start_time", None) or 0.0
    run_id = attempt_of(task) if task is not None else 0
    return key, Provenance(str(key), worker.address, run_id, start, time.time())


def plugins_of(worker: Worker) -> list[WorkerPlugin]:
    """Return the plugins of a worker, as a copy: the event loop may be adding one."""
    return list(worker.plugins.values())


def set_metric(worker: Worker, name: str, metric: Callable[[Worker], Any] | None) -> None:
    """Add a function whose result goes to the scheduler with each heartbeat; None removes it."""
    if metric is None:
        worker.metrics.pop(name, None)
    else:
        worker.metrics[name] = metric


def requires_encryption(node: Worker | Client) -> bool:
    """Return whether Dask requires encryption of a worker's or client's connections."""
    return node.security is not None and bool(node.security.require_encryption)


def is_paused(worker: Worker) -> bool:
    """Return whether Dask starts no tasks on a worker because its memory is short."""
    return bool(worker.status == Status.paused)


def process_memory(worker: Worker) -> int:
    """Return the bytes of a worker's process, as its monitor sees them."""
    return int(worker.monitor.get_process_memory())


def memory_limit(worker: Worker) -> int:
    """Return a worker's memory limit in bytes; without one, the largest number."""
    return int(worker.memory_manager.memory_limit or sys.maxsize)


def unhindered_memory(worker: Worker) -> float:
    """Return the bytes of a worker's process up to which Dask neither spills nor pauses."""
    manager = worker.memory_manager
    if not manager.memory_limit:
        return float("inf")
    fractions = (
        manager.memory_target_fraction,
        manager.memory_spill_fraction,
        manager.memory_pause_fraction,
    )
    return float(manager.memory_limit * min((f for f in fractions if f), default=1.0))


# -- the scheduler and the client --------------------------------------------------------------


def has_client(scheduler: Scheduler, client: str) -> bool:
    """Return whether the client of that id is connected to the scheduler."""
    return client in scheduler.clients


async def remove_worker_plugin(scheduler: Scheduler, name: str) -> None:
    """Remove a plugin from all workers, present and future, if it is there."""
    if name in scheduler.worker_plugins:
        await scheduler.unregister_worker_plugin(None, name=name)


def remove_scheduler_plugin(scheduler: Scheduler, name: str) -> None:
    """Remove a plugin from the scheduler if it is there."""
    if name in scheduler.plugins:
        scheduler.remove_plugin(name)


async def ask_scheduler(client: Client, request: str, **arguments: Any) -> Any:
    """Return the scheduler's answer to a request of a plugin's: its ``handlers``.

    Unlike ``client.run_on_scheduler`` it leaves no line in the scheduler's log. The answer is None
    if the scheduler does not know the request.
    """
    return await getattr(client.scheduler, request)(**arguments)


async def retry(client: Client, keys: Sequence[Any]) -> None:
    """Run tasks that failed once more, those of other clients too: ``scheduler.retry``."""
    assert client.scheduler is not None
    for key in await client.scheduler.retry(keys=[*keys], client=client.id):
        if (future := client.futures.get(key)) is not None:
            future.retry()


def dashboard_link(client: Client) -> str:
    """Return the address of the scheduler's dashboard, empty if it has none."""
    try:
        return str(client.dashboard_link or "")
    except Exception:  # KeyError, for one, of a scheduler without a dashboard
        return ""


def scheduler_connection(client: Client) -> object:
    """Return the client's connection to the scheduler: another one after each reconnection."""
    return client.scheduler_comm


def scheduler_address(client: Client) -> str:
    """Return the address at which a client reaches its scheduler."""
    assert client.scheduler is not None
    return str(client.scheduler.address)


def scheduler_host(client: Client) -> str:
    """Return the host on which a client reaches its scheduler; empty within one process."""
    address = scheduler_address(client)
    return "" if address.startswith("inproc://") else get_address_host(address)


def own_host(peer: str) -> str:
    """Return the address of this host on the interface through which a peer is reached."""
    return str(get_ip(peer))
