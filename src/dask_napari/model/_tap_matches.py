"""Taps that match nothing: found over all workers, and named with what their tasks are called."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from dask_napari.model._bounds import Name

TASK_NAMES_LIMIT: Final = 64
"""Names of tasks that a worker remembers: a computation has a dozen."""

TAPS_LIMIT: Final = 1024
"""Taps of one worker that are looked after."""

NAMES_SHOWN: Final = 3
"""Names of tasks that are shown to people who look for one."""


class TapMatches(msgspec.Struct, frozen=True, array_like=True):
    """Names of tasks that ran on a worker, and which of its taps have matched any.

    ``taps`` are the active ones as people know them, each with the task name that it selects,
    empty if it selects by other means; ``matched`` are those of them that have matched.
    """

    names: Annotated[list[Name], Meta(max_length=TASK_NAMES_LIMIT)] = []
    taps: Annotated[dict[Name, Name], Meta(max_length=TAPS_LIMIT)] = {}
    matched: Annotated[list[Name], Meta(max_length=TAPS_LIMIT)] = []


def unmatched(workers: Iterable[TapMatches]) -> list[str]:
    """Return a line for each tap that has matched no task on any worker, though tasks ran.

    >>> one = TapMatches(["load"], {'"segment"': "segment"})
    >>> unmatched([one, TapMatches(["segment-cell"], {'"segment"': "segment"})])
    ['tap "segment" has matched no task yet; did you mean "segment-cell"?']
    >>> unmatched([one])
    ['tap "segment" has matched no task yet; tasks are called "load"']
    >>> unmatched([one, TapMatches(matched=['"segment"'])])
    []
    """
    names: set[str] = set()
    taps: dict[str, str] = {}
    matched: set[str] = set()
    for worker in workers:
        names.update(worker.names)
        taps.update(worker.taps)
        matched.update(worker.matched)
    silent = sorted(taps.keys() - matched) if names else []
    return [
        f"tap {tap} has matched no task yet; {_hint(taps[tap], sorted(names))}" for tap in silent
    ]


def _hint(wanted: str, names: list[str]) -> str:
    if near := list(dict.fromkeys(_near(wanted, names)))[:NAMES_SHOWN]:
        return f"did you mean {' or '.join(map(_quoted, near))}?"
    more = ", ..." if len(names) > NAMES_SHOWN else ""
    return f"tasks are called {', '.join(map(_quoted, names[:NAMES_SHOWN]))}{more}"


def _near(wanted: str, names: list[str]) -> Iterator[str]:
    if wanted:
        yield from difflib.get_close_matches(wanted, names, NAMES_SHOWN)
        yield from (name for name in names if wanted in name or (name and name in wanted))


def _quoted(name: str) -> str:
    return f'"{name}"'
