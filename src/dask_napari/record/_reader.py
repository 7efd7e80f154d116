"""A record that is read, item by item, or sent to a viewer."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr

from dask_napari.model import Item, LayerSpec, Policy, Refusal
from dask_napari.record._files import check_entries, check_inside, read_arrays, read_attributes
from dask_napari.record._journal import JournalLine, JournalReader
from dask_napari.record._record_group import check_record, layers_of
from dask_napari.stream.send import Publisher

# Items that wait to be read; they are read when their turn comes, so that memory is bounded.
QUEUE_LENGTH: Final = 256
POLL_INTERVAL: Final = 0.02  # seconds between looks at how many there are
VIEWER_TIMEOUT: Final = 30.0  # seconds without a viewer; one that is started again takes a few
# What reading a record may raise that somebody else has written.
UNREADABLE: Final = (OSError, ValueError, TypeError, LookupError, RecursionError)


class Record:
    """Record on disk, of a recorder that was closed or killed.

    Parameters
    ----------
    path : str or Path
        The record.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it is something else.

    Attributes
    ----------
    lines : iterable of JournalLine
        A description of each item, in the order in which they were recorded.
    layers : list of LayerSpec
        What the taps said of their layers.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path)
        attributes = check_record(self.path)
        self.closed: bool = bool(attributes.get("closed"))
        self.sessions: list[dict[str, Any]] = attributes.get("sessions", [])
        self.lines: JournalReader = JournalReader(self.path)
        self.layers: list[LayerSpec] = layers_of(attributes)
        self._open_image = cache(self._open)

    def __repr__(self) -> str:
        lost = f", {self.unreadable} lines unreadable" if self.unreadable else ""
        return (
            f"<Record {self.path}: {len(self)} items{lost}{'' if self.closed else ', not closed'}>"
        )

    @property
    def runs(self) -> tuple[int, ...]:
        """Numbers of the runs, the oldest first."""
        return self.lines.runs

    @property
    def unreadable(self) -> int:
        """Number of damaged lines of the journal, such as one that a kill cut off."""
        return self.lines.unreadable

    def _open(self, name: str) -> zarr.Array[Any]:
        folder = check_inside(self.path, name)
        check_entries(folder)
        return zarr.open_array(str(folder), mode="r")

    def item(self, line: JournalLine) -> Item:
        """Read the item of a line, and nothing beside the record. Raises OSError, ValueError."""
        found = read_arrays(check_inside(self.path, line.file)) if line.file else []
        arrays = dict(zip(line.arrays, found, strict=True))
        if not line.image:
            return line.item(arrays.pop("data"), arrays)
        index: list[int | slice] = list(line.start)
        for length, dim in zip(line.shape, line.order, strict=True):
            index[dim] = slice(line.start[dim], line.start[dim] + length)
        array = self._open_image(line.image)
        # Axes are in the order of the array; each goes to its rank there.
        data = np.asarray(array[tuple(index)]).transpose(np.argsort(np.argsort(line.order)))
        return line.item(np.ascontiguousarray(data), arrays)

    def items(self) -> Iterator[Item]:
        """Read all items, one after the other."""
        return map(self.item, self.lines)

    def images(self) -> list[str]:
        """Return the paths of the images, which readers of OME-Zarr open one by one."""
        found = read_attributes(self.path / "OME")
        return list(found.get("ome", {}).get("series", []))

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(slots=True)
class RecordedOutput:
    """An entry of the outbox that is read from the record when its turn comes."""

    record: Record
    line: JournalLine
    layer: str
    nbytes: int = 0
    owner: int = 0
    policy: Policy = "keep"
    foreign: bool = True

    def place(self) -> Hashable:
        """Return the identity of the place that it will fill."""
        return self.line.place

    def items(self) -> Sequence[Item | Refusal]:
        """Read the item."""
        try:
            return (self.record.item(self.line),)
        except UNREADABLE as error:
            raise Refusal(f"unreadable: {type(error).__name__}") from error

    def forget(self) -> bool:
        """Return true: nothing is held."""
        return True


def replay(
    record: Record,
    addresses: Sequence[str],
    *,
    name: str = "",
    going_on: Callable[[], bool] = lambda: True,
    progress: Callable[[int], Any] = lambda sent: None,
    timeout: float = VIEWER_TIMEOUT,
    **options: Any,
) -> int:
    """Send all items of a record to a viewer: run after run, in the order of their recording.

    Parameters
    ----------
    record : Record
        What to send.
    addresses : sequence of str
        Of one viewer, the best first.
    name : str
        Of the sender, as the viewer shows it.
    going_on : callable
        Asked now and then; what it has not sent when this is false is left.
    progress : callable
        Called now and then with the number of items that have been sent.
    timeout : float
        Seconds without a connection to the viewer after which the replay ends. A connected viewer
        may take its time.
    **options
        More for :class:`~dask_napari.stream.Publisher`: ``security``, for instance.

    Returns
    -------
    int
        Number of items that the viewer has got.

    Raises
    ------
    TimeoutError
        If no viewer answers within ``timeout``, at the beginning or later.
    """
    name = name or f"replay of {record.path.name}"
    replay_id = uuid.uuid4().hex
    pause = threading.Event()
    sent_before = 0

    def wait(publisher: Publisher, most: int) -> None:
        answered = time.monotonic()
        while len(publisher.outbox) > most and going_on():
            progress(sent_before + _sent(publisher))
            pause.wait(POLL_INTERVAL)
            if publisher.state == "connected":
                answered = time.monotonic()
            elif time.monotonic() - answered > timeout:
                raise TimeoutError(
                    f"no viewer has answered at {', '.join(addresses)} for {timeout:g} s; "
                    f"{sent_before + _sent(publisher)} of {len(record)} items were sent"
                )

    for run in record.runs:
        # A viewer counts what each group of publishers sends to a run of its own.
        named = name if run == record.runs[0] else f"{name}, run {run}"
        with Publisher(addresses, name=named, group=f"{replay_id} {run}", **options) as publisher:
            publisher.declare(record.layers)
            for line in record.lines:
                if line.run != run:
                    continue
                wait(publisher, QUEUE_LENGTH)
                if not going_on():
                    break
                publisher.put(RecordedOutput(record, line, line.meta.layer))
            wait(publisher, 0)
            publisher.close(timeout=60.0 if going_on() else 0.5)
        sent_before += _sent(publisher)
        if not going_on():
            break
    return sent_before


def _sent(publisher: Publisher) -> int:
    """Return how many items a publisher has handed over."""
    return sum(tally.sent for tally in publisher.counts().values())
