"""The viewer in Fiji or ImageJ: items off the board, commands to the plugin, and the ledger."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from dask_napari.fiji._commands import command
from dask_napari.fiji._imagej_process import ImageJProcess
from dask_napari.fiji._imagej_programs import ImageJPrograms
from dask_napari.fiji._plane_file import PlaneFile
from dask_napari.fiji._stacks import CLOSED, Stacks, StackWindow
from dask_napari.model import Item, Refusal, Reports, contained
from dask_napari.stream.receive import Board, Receiver

logger = logging.getLogger(__name__)

POLL_INTERVAL: Final = 0.05
"""Seconds between looks for replies and requests while nothing arrives."""

UNANSWERED_ITEMS: Final = 64
UNANSWERED_BYTES: Final = 64 << 20
"""Items that ImageJ has not shown yet; the rest waits on the board, and is coalesced there."""


class Unanswered(NamedTuple):
    """An item that ImageJ was told of, and what is free once it has shown it."""

    item: Item
    window: StackWindow | None
    old: list[tuple[int, int]]


class FijiViewer:
    """Receive items and show them in ImageJ until it is closed.

    Parameters
    ----------
    addresses : str or sequence of str
        Where to listen; see :class:`~dask_napari.stream.Receiver`.
    programs : ImageJPrograms, optional
        ImageJ; looked for on the ``PATH`` if not given.
    board : Board, optional
        Where items wait.
    **options
        More for :class:`~dask_napari.stream.Receiver`: ``security``, for instance.

    Raises
    ------
    OSError, ValueError
        If the addresses cannot be had, or ImageJ does not start.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        programs: ImageJPrograms | None = None,
        *,
        board: Board | None = None,
        **options: Any,
    ) -> None:
        self.board: Board = Board() if board is None else board
        programs = programs or ImageJPrograms.find()
        self.receiver: Receiver = Receiver(addresses, self.board, **options)
        self.file: PlaneFile = PlaneFile()
        self.receiver.start()
        try:
            self.imagej: ImageJProcess = ImageJProcess(programs, self.file)
        except BaseException:
            self.receiver.close()
            self.file.close()
            raise
        self.stacks: Stacks = Stacks(self.file)
        self.ended: threading.Event = threading.Event()
        """Set it to end :meth:`run`; from a signal handler, too."""
        self._unanswered: dict[int, Unanswered] = {}
        self._unanswered_bytes = 0
        self._numbers = itertools.count(1)
        self._reports = Reports(logger, "Fiji")
        self._closed = False

    def __repr__(self) -> str:
        waiting = f"{len(self._unanswered)} items told, {len(self.board)} waiting"
        return f"<FijiViewer {self.stacks}: {waiting}>"

    def run(self) -> None:
        """Show items until :attr:`ended` is set or ImageJ is closed."""
        while not self.ended.is_set() and not self.imagej.ended:
            if self._is_free and self.board.wait(POLL_INTERVAL):
                self.step()
            else:
                self._hear(POLL_INTERVAL)
            self._answer_clients()

    @property
    def _is_free(self) -> bool:
        few = len(self._unanswered) < UNANSWERED_ITEMS
        return few and self._unanswered_bytes < UNANSWERED_BYTES

    def step(self) -> None:
        """Tell ImageJ of some of what waits, and hear what it has shown."""
        room = UNANSWERED_ITEMS - len(self._unanswered)
        specs = self.receiver.layers()
        items = self.board.take(room, UNANSWERED_BYTES - self._unanswered_bytes)
        for item in items:
            refusal: Refusal | None = Refusal("error")
            failed = partial(self._reports.error, "items are not shown", traceback=True)
            with contained(failed):
                refusal = self._put(item, specs)
            if refusal is not None:
                self._reports.error(refusal.reason, refusal, layer=item.layer)
                self.board.drop(item, refusal.reason)
        self._hear(0.0)

    def _put(self, item: Item, specs: Any) -> Refusal | None:
        try:
            told, window = self.stacks.put(item, specs.get(item.layer))
        except Refusal as refusal:
            return refusal
        number = next(self._numbers)
        old, self.stacks.old = self.stacks.old, []
        self._unanswered[number] = Unanswered(item, window, old)
        self._unanswered_bytes += item.nbytes
        self.imagej.tell([*told, command("done", number)])
        for layer, note in self.stacks.notes:
            self._reports.note(layer, note)
        self.stacks.notes.clear()
        return None

    def _hear(self, timeout: float) -> None:
        """Count what ImageJ has shown, and what went with a window that the user closed."""
        for reply in self.imagej.replies(timeout):
            match reply:
                case ["shown", number]:
                    item, window = self._answered(int(number))
                    if window is not None and window.closed:
                        self.board.drop(item, CLOSED)
                        continue
                    self.board.shown([item])
                    if window is not None:
                        window.shown[item.publisher, item.layer] += 1
                case ["failed", number, text]:
                    item, _ = self._answered(int(number))
                    self._reports.error("ImageJ failed", text, layer=item.layer)
                    self.board.drop(item, "ImageJ failed")
                case ["closed", number]:
                    for (publisher, layer), count in self.stacks.close_window(int(number)).items():
                        self.board.recount(publisher, layer, "", CLOSED, count)

    def _answered(self, number: int) -> tuple[Item, StackWindow | None]:
        item, window, old = self._unanswered.pop(number)
        self._unanswered_bytes -= item.nbytes
        for offset, nbytes in old:
            self.file.free(offset, nbytes)
        return item, window

    def _answer_clients(self) -> None:
        """Answer requests; the ledger comes from the receiver."""
        while not self.receiver.requests.empty():
            request = self.receiver.requests.get()
            if request.name == "quit":
                request.reply()
                self.ended.set()
            else:
                request.fail(f"Fiji cannot do {request.name!r}, which only napari can")

    def close(self) -> None:
        """End the stream and ImageJ, and count what it has not shown; may be called again."""
        if self._closed:
            return
        self._closed = True
        self.receiver.close()
        self.imagej.close()
        for number in [*self._unanswered]:
            self.board.drop(self._answered(number)[0], "viewer-gone")
        for item in self.board.take():
            self.board.drop(item, "viewer-gone")
        self.file.close()

    def __enter__(self) -> FijiViewer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
