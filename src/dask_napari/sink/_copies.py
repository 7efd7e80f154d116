"""Which worker shows an output that several of them hold: the one that computed it, or the first.

After a tap or a new viewer, each of them finds it in its memory, and none knows where it came from.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dask_napari.sink import dask_internals
from dask_napari.sink._portable import PortableFunction

if TYPE_CHECKING:
    from distributed import Worker

logger = logging.getLogger(__name__)


async def shown_by(worker: Worker, keys: Sequence[Any]) -> list[Any]:
    """Return those copies that a worker is to show, of outputs that it has not computed itself.

    The others that hold a copy are asked one after the other, in the order of their addresses, so
    that most copies take one question.
    """
    holders = await dask_internals.holders_of(worker, keys)
    left = {key: sorted({*found} - {worker.address}) for key, found in holders.items() if found}
    mine: list[Any] = []
    while left:
        mine += [key for key, others in left.items() if not others]
        left = {key: others for key, others in left.items() if others}
        asked: dict[str, list[Any]] = {}
        for key, others in left.items():
            asked.setdefault(others.pop(0), []).append(key)
        answers = await asyncio.gather(*(_ask(worker, *each) for each in asked.items()))
        for (address, wanted), (has_sink, computed) in zip(asked.items(), answers, strict=True):
            first = has_sink and address < worker.address
            for key in wanted if first else computed:
                left.pop(key, None)
    return mine


async def _ask(worker: Worker, address: str, keys: list[Any]) -> tuple[bool, list[Any]]:
    """Return whether a worker has a sink, and which outputs it computed; neither if silent."""
    try:
        answer = await dask_internals.run_on(
            worker, address, PortableFunction(functools.partial(_computed, keys))
        )
    except Exception as error:
        logger.debug("%s does not say which outputs it computed: %r", address, error)
        answer = None
    return answer or (False, [])


def _computed(keys: Sequence[Any], dask_worker: Worker) -> tuple[bool, list[Any]]:
    from dask_napari.sink._napari_sink import sinks_of  # sinks import this module

    tasks = [dask_internals.task_of(dask_worker, key) for key in keys]
    return bool(sinks_of(dask_worker)), [
        task.key
        for task in tasks
        if task is not None
        and dask_internals.is_stored(task)
        and dask_internals.was_computed_here(task)
    ]
