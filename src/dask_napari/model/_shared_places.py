"""Places that several tasks fill, so that their outputs replace each other."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from dask_napari.model._reports import Reports

MOST_SHARED: Final = 10_000
"""Tasks and places that are counted of one layer; more make no difference to people."""

SHARED: Final = (
    "tasks replace each other's outputs, since several have one place: give at= what tells them"
    " apart"
)
"""Note on a layer whose tasks share places."""


class SharedPlaces:
    """Count the tasks that share places on a layer, and note it.

    >>> reports = Reports()
    >>> shared = SharedPlaces(reports)
    >>> for key in ("read-2", "read-3"):
    ...     shared.add("raw", "A01", key, "read-1")
    >>> [report.text.partition(",")[0] for report in reports.all()]
    ['3 tasks fill 1 place']
    """

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._found: dict[str, tuple[set[int], set[int]]] = {}

    def __repr__(self) -> str:
        return f"<SharedPlaces of {len(self._found)} layers>"

    def add(self, layer: str, place: Hashable, key: object, former: object) -> None:
        """Note that the output of a task replaces that of a former task at a place.

        A task that replaces its own output shares no place, and values of no task are not counted.
        """
        if key == former or not key or not former:
            return
        tasks, places = self._found.setdefault(layer, (set(), set()))
        if len(tasks) < MOST_SHARED and len(places) < MOST_SHARED:
            tasks.update((hash(key), hash(former)))
            places.add(hash(place))
        count = f"{len(places)} place" + "s" * (len(places) != 1)
        more = "more than " if max(len(tasks), len(places)) >= MOST_SHARED else ""
        latest = f"{more}{len(tasks)} tasks fill {count}, and replace each other's outputs there"
        self._reports.note(layer, SHARED, f"{latest}: give at= what tells them apart")
