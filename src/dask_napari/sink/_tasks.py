"""Dask's tasks as a worker sees them: which ran here, which one calls, what one is made of."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from dask._task_spec import Alias

from dask_napari.model import Provenance

if TYPE_CHECKING:
    from distributed import Worker


RAN: Final = frozenset({"executing", "long-running"})
"""States from which a task reaches memory because it ran here; others are copies of outputs."""


class OfType:
    """Stand for an output of which only the type is known.

    Parameters
    ----------
    made : type
        Its type.

    Examples
    --------
    >>> isinstance(OfType(int), int), isinstance(OfType(int), str)
    (True, False)
    """

    __slots__ = ("_made",)

    def __init__(self, made: type | None) -> None:
        self._made = made or type(None)

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # type: ignore[override]
        """What `isinstance` asks for."""
        return self._made


def ran_here(task: Any) -> bool:
    """Whether an output in memory was made here.

    Copies fetched from other workers are in memory too, and those workers show them.

    Parameters
    ----------
    task : distributed.worker_state_machine.TaskState
        The task.
    """
    return task.run_spec is not None and any(
        done.get("action") == "compute" for done in task.startstops
    )


def is_alias(task: Any) -> bool:
    """Whether a task only gives the output of another one a second name.

    Parameters
    ----------
    task : distributed.worker_state_machine.TaskState
        The task.
    """
    return isinstance(task.run_spec, Alias)


def chunk_within(spec: Any) -> Any:
    """Key of the only chunk of an array that ``compute`` has fused with what returns it, or None.

    With several chunks the task that joins them has several dependencies and fuses with none.

    Parameters
    ----------
    spec : dask._task_spec.GraphNode
        What the task runs.
    """
    if getattr(getattr(spec, "func", None), "__name__", "") != "_execute_subgraph":
        return None
    steps, last = spec.args[:2]
    if not isinstance(last, str) or not last.startswith("finalize-"):
        return None
    found = steps[last].dependencies
    return next(iter(found)) if len(found) == 1 else None


def running(worker: Worker) -> tuple[object, Provenance]:
    """Key and provenance of the task that calls; an empty key in a thread of its own.

    Parameters
    ----------
    worker : distributed.Worker
        That runs it.
    """
    key = worker.active_threads.get(threading.get_ident(), "")
    if key == "":
        with contextlib.suppress(RuntimeError):  # no event loop: a thread of its own
            current = asyncio.current_task()
            name = current.get_name() if current else ""
            key = next((k for k in list(worker.active_keys) if name == f"execute({k!r})"), "")
    task = worker.state.tasks.get(key)
    start = getattr(task, "start_time", None) or 0.0
    run_id = getattr(task, "run_id", 0)
    return key, Provenance(str(key), worker.address, run_id, start, time.time())
