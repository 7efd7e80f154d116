"""The recorder: a viewer without a window, which shows what arrives by writing it down."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from dask_napari.model import Ledger, Refusal, Reports, contained
from dask_napari.record._record_group import RecordSession, runs_of
from dask_napari.record._store import Store
from dask_napari.stream.receive import Board, Receiver

logger = logging.getLogger(__name__)

# Written together, with one or two writes to the journal; what was taken is still in memory.
ROUND_ITEMS: Final = 256
ROUND_BYTES: Final = 64 << 20

POLL_INTERVAL: Final = 0.1  # seconds between looks for the end, and for requests
SAVE_INTERVAL: Final = 5.0  # seconds between ledgers: the last one of a record that is killed


class Recorder:
    """Receive items and write them into a record until it is closed.

    Items that the disk does not take wait on the board, and when that is full, with the senders.

    Parameters
    ----------
    path : str or Path
        The record, a directory that does not exist yet.
    addresses : str or sequence of str
        Where to listen; see :class:`~dask_napari.stream.Receiver`.
    append, overwrite : bool
        Go on with a record that is there, or remove it.
    board : Board, optional
        Where items wait.
    **options
        More for :class:`~dask_napari.stream.Receiver`: ``security``, for instance.

    Raises
    ------
    OSError, ValueError
        If the record or the addresses cannot be had.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from dask_napari.record import Record
    >>> from dask_napari.stream import Item, Publisher
    >>> folder = tempfile.mkdtemp()
    >>> with Recorder(f"{folder}/run.zarr", "tcp://127.0.0.1:*") as recorder:
    ...     with Publisher(recorder.receiver.addresses, name="me") as publisher:
    ...         publisher.put(Item("cells", "labels", np.ones((2, 2), "uint8"), {"t": 0}))
    ...     recorder.run(until_done=True)
    >>> [item.position for item in Record(f"{folder}/run.zarr").items()]
    [{'t': 0}]
    """

    def __init__(
        self,
        path: str | Path,
        addresses: str | Sequence[str],
        *,
        append: bool = False,
        overwrite: bool = False,
        board: Board | None = None,
        **options: Any,
    ) -> None:
        self.path: Path = Path(path)
        self.board: Board = Board() if board is None else board
        runs = runs_of(self.path) if append else {}
        # First, so that nothing on the disk is touched where it cannot listen.
        self.receiver: Receiver = Receiver(addresses, self.board, **options)
        self.receiver.resume_runs(runs)
        self.receiver.start()
        try:
            self.store: Store = Store(self.path, append=append, overwrite=overwrite)
            self._session = RecordSession(self.path)
        except BaseException:
            self.receiver.close()
            raise
        self.ended: threading.Event = threading.Event()
        """Set it to end :meth:`run`; from a signal handler, too."""
        self._reports = Reports(logger, str(path))
        self._save_at = 0.0
        self._newest_run = 0
        self._closed = False
        self.save()

    def __repr__(self) -> str:
        return f"<Recorder {self.path}: {len(self.store)} items, {len(self.board)} waiting>"

    def run(self, *, until_done: bool = False, patience: float = 0.0) -> None:
        """Record until :attr:`ended` is set.

        Parameters
        ----------
        until_done : bool
            End, too, when publishers have come and all of them are gone.
        patience : float
            For so many seconds: workers that are restarted come back.
        """
        busy = time.monotonic()
        while not self.ended.is_set():
            if self.board.wait(POLL_INTERVAL):
                self.step()
            peers = self.receiver.peers()
            if not peers or any(peer.alive for peer in peers) or len(self.board):
                busy = time.monotonic()
            elif until_done and time.monotonic() - busy >= patience:
                return
            self._answer_clients()
            if time.monotonic() >= self._save_at:
                self.save()

    def step(self) -> None:
        """Write some of what waits."""
        items = self.board.take(ROUND_ITEMS, ROUND_BYTES)
        if (newest := max((item.run for item in items), default=0)) > self._newest_run:
            self._newest_run = newest
            self.save()  # whose run that is, before any of its items is there
        self.store.specs = self.receiver.layers()
        # An error of ours costs these items, counted, and not the rest of the stream.
        refusals: list[Refusal | None] = [Refusal("error")] * len(items)
        with contained(partial(self._reports.error, "items are not recorded", traceback=True)):
            refusals = self.store.put(items)
        self.board.shown([item for item, why in zip(items, refusals, strict=True) if not why])
        for item, refusal in zip(items, refusals, strict=True):
            if refusal:
                self.board.drop(item, refusal.reason)

    def _answer_clients(self) -> None:
        """Answer requests; the ledger comes from the receiver."""
        while not self.receiver.requests.empty():
            request = self.receiver.requests.get()
            if request.name == "quit":
                request.reply()
                self.ended.set()
            elif request.name == "recorded":
                request.reply({"path": str(self.path.absolute()), "items": len(self.store)})
            else:
                request.fail(f"a recorder cannot do {request.name!r}: it has no window")

    def save(self, *, closed: bool = False) -> None:
        """Write coordinates, ledger and layers; a disk that is full only delays them."""
        self._save_at = time.monotonic() + SAVE_INTERVAL
        images, layers = self.store.contents.images, list(self.receiver.layers().values())
        try:
            for image in images.values():
                image.describe()
            ledger = self.receiver.ledger()
            if closed:
                for tally in ledger.tallies.values():
                    tally.drop_pending("viewer-gone")
                ledger = Ledger(ledger.tallies)
            runs = self.receiver.run_numbers()
            self._session.save(ledger, layers, images, closed=closed, runs=runs)
        except OSError as error:
            self._reports.error("the metadata cannot be written", error)

    def close(self) -> None:
        """Write what has arrived, sort the images and save the ledger; may be called again."""
        if self._closed:
            return
        self._closed = True
        self.receiver.close()
        try:
            while len(self.board):
                self.step()
            failed = partial(self._reports.error, "left unsorted", traceback=True)
            with contained(failed), suppress(OSError):  # of the metadata, as saving it tells
                self.store.finish()
            self.save(closed=True)
        finally:
            self.store.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
