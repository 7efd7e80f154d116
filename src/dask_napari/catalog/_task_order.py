"""The order of the states of a task, by which older news of it are told from newer ones."""

from __future__ import annotations

from typing import Final

from dask_napari.catalog._entry import State

_RANKS: Final[dict[State, int]] = {
    "running": 1,
    "computed": 2,
    "failed": 3,
    "shown": 4,
    "hidden": 4,
    "dropped": 4,
    "withdrawn": 5,
}
"""Order of the states within one attempt to run a task."""

_ATTEMPT: Final = 8
"""Distance of two attempts; larger than any rank."""


def task_order(run_id: int, state: State) -> int:
    """Return a number that grows in the life of a task, over all attempts to run it.

    Dask's run ids grow with each attempt. A task that is expected waits for the attempt after
    ``run_id``; one that has not run yet has none, 0.

    >>> task_order(0, "expected") < task_order(3, "failed") < task_order(3, "expected")
    True
    >>> task_order(3, "expected") < task_order(4, "running") < task_order(4, "shown")
    True
    """
    if state == "expected":
        return (run_id + 1) * _ATTEMPT if run_id else 0
    return run_id * _ATTEMPT + _RANKS[state]
