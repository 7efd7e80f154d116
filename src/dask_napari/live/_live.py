"""``Live``: the handle of one ``watch``, on its viewer and its sinks."""

from __future__ import annotations

import atexit
import contextlib
import functools
import html
import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack

from dask_napari.live._client_ledger import ClientLedger
from dask_napari.live._cluster_feed import ClusterFeed
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.live._progress import ProgressLine, WatchProgress
from dask_napari.live._viewer_data import ViewerData, source_names
from dask_napari.live._viewer_process import ViewerProcess
from dask_napari.model import Ledger, poll
from dask_napari.placement import is_dataset, variables
from dask_napari.sink import tapped, variable_options
from dask_napari.stream import Control, ViewerGone
from dask_napari.stream.shm import janitor
from dask_napari.tap import Tap, TapOptions

if TYPE_CHECKING:
    import pandas
    import xarray
    from distributed import Client


logger = logging.getLogger(__name__)

POLL_INTERVAL: Final = 1.0
"""Seconds between counts of known tasks and copies of the ledger; a person reads them."""

LEDGER_SHARE: Final = 20
"""Times as long as the last copy of the ledger took until the next one."""

VIEWER_TIMEOUT: Final = 10.0
"""Seconds for the viewer's answer to a small question; it may be drawing for one or two."""

LAST_COUNTS_TIMEOUT: Final = 1.0
"""Seconds for the sinks to say what they have counted when the handle closes."""

LEAST_TIMEOUT: Final = 0.2
"""Seconds that a question has though the caller's time is up."""

SCREENSHOT_TIMEOUT: Final = 60.0
"""Seconds; drawing many layers with software GL takes several."""

CLOSE_TIMEOUT: Final = 6.0
"""Seconds for the end: the tails of the sinks take up to three, and a window one or two."""

T = TypeVar("T")


class Live:
    """A viewer that shows a cluster at work; made by :func:`watch`.

    Printed, or at the end of a notebook's cell, it tells how far each layer is. Any number may
    watch one cluster; each has sinks of its own on the workers.

    Attributes
    ----------
    addresses : tuple of str
        Where workers find the viewer.
    """

    def __init__(
        self,
        client: Client,
        viewer: ViewerProcess,
        control: Control,
        sinks: ClusterSinks,
        addresses: tuple[str, ...],
    ) -> None:
        self.client = client
        self.addresses: tuple[str, ...] = addresses
        self._viewer = viewer
        self._control = control
        self._sinks = sinks
        self._feed = ClusterFeed(sinks, control, addresses)
        self._ledger = ClientLedger()
        self._closed = threading.Event()
        self._entered = 0
        self._pid = os.getpid()
        self._lock = threading.Lock()
        # A script that ends without `close` must not leave a window behind. Weak, so that the
        # registration does not keep a forgotten handle alive; one of its own, since taking a
        # function back takes back all that were registered of it.
        self._at_exit = functools.partial(_close, weakref.ref(self))
        atexit.register(self._at_exit)
        self._thread = threading.Thread(target=self._poll, name="dask-napari-live", daemon=True)
        self._thread.start()
        self._feed.start()

    # -- taps ------------------------------------------------------------------------------

    def tap(self, select: Any, **options: Unpack[TapOptions]) -> Tap | tuple[Tap, ...]:
        """Stream the outputs that ``select`` chooses, from now on and those in memory already.

        A tap replaces an earlier one on that selection and layer; one that equals it changes
        nothing. So a cell of a notebook may be run again.

        Parameters
        ----------
        select : str, key, keys, futures, array, type or callable
            Which tasks; see :class:`~dask_napari.Tap`. Of an ``xarray.Dataset`` each variable
            that is in chunks and has two axes or more, a layer each.
        **options
            The other parameters of :class:`~dask_napari.Tap`: ``kind``, ``layer``, ``at``,
            ``axes``, ``scale``, ``units``, ``policy``, ``options`` ...

        Returns
        -------
        Tap or tuple of Tap
            The tap, for :meth:`untap`; several of a ``Dataset``.

        Raises
        ------
        ValueError, TypeError
            If an argument cannot be used; nothing has been sent then.
        """
        if is_dataset(select):
            taps = tuple(
                Tap(array, **variable_options(name, options))
                for name, array in variables(select).items()
            )
            self._sinks.change(lambda others: others.added(taps))
            return tuple(self._sinks.taps.active(tap) for tap in taps)
        tap = select if isinstance(select, Tap) and not options else Tap(select, **options)
        self._sinks.change(lambda others: others.added([tap]))
        return self._sinks.taps.active(tap)

    def watch(self, array: T, **options: Unpack[TapOptions]) -> T:
        """Return an array equal to the given one, whose chunks appear as they are computed.

        Its graph has one more task a chunk, which shows the chunk and passes it on. So the
        chunks are seen wherever they go: fused into other tasks, into ``to_zarr`` or
        ``da.store``, into a reduction. Where they end in memory (``persist``, ``compute``),
        ``live.tap(array)`` does the same without a change of the graph.

        Parameters
        ----------
        array : dask.array.Array, xarray.DataArray or xarray.Dataset
            Array to watch; of a ``Dataset`` each variable that is in chunks and has two axes or
            more, a layer each.
        **options
            Parameters of :class:`~dask_napari.Tap`: ``layer``, ``kind``, ``dims``, ``at`` ...

        Returns
        -------
        same type
            Array to go on with. Nothing has been computed.

        Raises
        ------
        ValueError, TypeError
            If it cannot be shown; nothing has been sent then.

        Examples
        --------
        >>> smooth = live.watch(image.map_overlap(gaussian, depth=8))  # doctest: +SKIP
        >>> smooth.to_zarr("smooth.zarr")  # doctest: +SKIP
        """
        streaming, taps = tapped(array, **options)
        self._sinks.change(lambda others: others.added(taps))
        return streaming  # type: ignore[no-any-return]

    def untap(self, tap: Tap | Iterable[Tap]) -> None:
        """Stop streaming what a tap selects; what is shown stays.

        Parameters
        ----------
        tap : Tap or iterable of Tap
            Taps that :meth:`tap` returned, some of :attr:`taps`, or equal ones.

        Raises
        ------
        ValueError
            If the tap is not active.
        """
        removed = [tap] if isinstance(tap, Tap) else list(tap)
        self._sinks.change(lambda taps: taps.without(removed))

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The active taps."""
        return tuple(self._sinks.taps)

    # -- state -----------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """True while the window is open."""
        return self._is_own() and not self._closed.is_set() and self._viewer.running

    def ledger(self) -> Ledger:
        """Return what became of every selected output.

        It joins the counts of the sinks with those of the viewer: what a sink that cannot reach
        the viewer has selected is pending. When the viewer is gone, its counts are those of its
        last second, and all that it had not shown counts as dropped ("viewer-gone"). When the
        viewer does not answer within 10 s, its last counts are used, and a note says so.
        """
        with contextlib.suppress(ViewerGone):
            self._ask_viewer(VIEWER_TIMEOUT)
        self._ask_sinks()
        return self._ledger.joined()

    def _ask_viewer(self, timeout: float) -> None:
        """Hear what the viewer counts, as long as it is there."""
        if self.open:
            asked = time.monotonic()
            try:
                self._ledger.hear_viewer(self._control.counts(timeout=timeout), asked)
            except ViewerGone:
                if self.open:
                    self._ledger.viewer_silent = True
                    raise
        self._ledger.viewer_gone = not self.open

    def _ask_sinks(self, timeout: float | None = None) -> None:
        """Hear what the sinks count, as long as they are there."""
        if not self._closed.is_set():
            self._ledger.viewer_gone = not self.open
            asked = time.monotonic()
            counts = self._sinks.counts(timeout)
            self._ledger.hear_sinks(counts, asked, self._sinks.requests.silent)

    def wait(self, timeout: float | None = None) -> Ledger:
        """Wait until everything selected so far is shown or accounted for.

        Call it when the computation is done, for instance after ``distributed.wait(futures)``.
        If the viewer was closed, nothing will be shown any more and the call returns. Workers that
        do not answer within some seconds (stopped, or in code that holds the GIL) are named in the
        log and not waited for. The log says every few seconds which items are waited for: as a
        warning while nothing moves.

        Parameters
        ----------
        timeout : float, optional
            Seconds; without end if not given.

        Returns
        -------
        Ledger
            The ledger at the end.

        Raises
        ------
        TimeoutError
            If items are still pending; the text holds the ledger.
        """
        with ProgressLine() as line:
            return self._wait(timeout, line)

    def _wait(self, timeout: float | None, line: ProgressLine) -> Ledger:
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        self._ask_sinks(timeout)
        checked = time.monotonic()
        selected = self._ledger.selected()
        for _ in poll(timeout, logger, self._waits_for):
            line.show(self._progress_line)
            left = max(0.0, deadline - time.monotonic())
            if not self.open or self._settled(selected, left):
                ledger = self.ledger()
                for note in ledger.notes:
                    logger.warning("%s", note)
                return ledger
            if time.monotonic() - checked > POLL_INTERVAL:
                # A worker that was killed meanwhile had no time to tell the viewer of it all.
                self._ask_sinks(left)
                alive = self._ledger.selected().keys()
                selected = {name: n for name, n in selected.items() if name in alive}
                checked = time.monotonic()
        waits_for = self._waits_for()
        raise TimeoutError(f"after {timeout} s {waits_for}; the ledger is\n{self._ledger.joined()}")

    def _waits_for(self) -> str:
        """Say what is waited for, of what is known or told at once."""
        with contextlib.suppress(ViewerGone):
            self._ask_viewer(LEAST_TIMEOUT)
        silent = self._sinks.requests.silent
        names = f"; these workers do not answer: {', '.join(silent)}" if silent else ""
        return f"{self._ledger.waits_for()}{names}"

    def _settled(self, selected: Mapping[str, int], timeout: float) -> bool:
        try:
            return self._control.settled(
                selected, timeout=min(max(timeout, LEAST_TIMEOUT), VIEWER_TIMEOUT)
            )
        except ViewerGone:
            if self.open and timeout >= VIEWER_TIMEOUT:
                raise
            return False

    def new_run(self) -> int:
        """Begin a new run: the outputs that reach the viewer from now on replace none of before.

        The viewer shows the newest run; the dock has the others. A new client begins a run by
        itself. Wait until the former run is complete: outputs on their way count to the new one.

        Returns
        -------
        int
            The number of the run.

        Raises
        ------
        ViewerGone
            If the window was closed.

        Examples
        --------
        >>> live.new_run()  # doctest: +SKIP
        2
        """
        return int(self._control.request("new-run")["run"])

    def screenshot(self, path: str | Path) -> Path:
        """Save the window's picture, all that has arrived included, as a PNG file.

        Raises
        ------
        ViewerGone
            If the window was closed.
        """
        path = Path(path)
        answer = self._control.request("screenshot", timeout=SCREENSHOT_TIMEOUT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer["png"])
        return path

    def data(self, layer: str) -> xarray.DataArray | pandas.DataFrame:
        """Return what a layer holds, as it is now.

        Parameters
        ----------
        layer : str
            Name of a layer as its tap has it, or of a part of its outputs.

        Returns
        -------
        xarray.DataArray or pandas.DataFrame
            Images and labels as an array with an axis for each coordinate, whose pixels are read
            from the viewer when they are looked at; ``.load()`` reads them all. Elements as a
            table with a row a point, vertex of a shape, place of a track, or vector.

        Raises
        ------
        ViewerGone
            If the window was closed.
        ValueError
            If the viewer shows no layer of that name, or the layer has no table.
        ImportError
            If xarray or pandas is not installed.
        """
        return ViewerData(self._control, layer).labelled()

    def save(
        self, path: str | Path, layers: Iterable[str] = (), *, overwrite: bool = False
    ) -> Path:
        """Write what the viewer shows as a record, whose images are OME-Zarr; needs zarr.

        Parameters
        ----------
        path : str or Path
            The record, a directory of this host.
        layers : iterable of str
            Names of layers; all of them if none are given.
        overwrite : bool
            Replace a record that is there.

        Raises
        ------
        ViewerGone
            If the window was closed.
        OSError, ValueError, Refusal
            If the record cannot be written, or the viewer shows no layer of a name.
        """
        try:
            from dask_napari.record import write_items
        except ImportError as error:
            raise ImportError(f"pip install dask-napari[record] writes records: {error}") from error
        names = list(layers) or source_names(self._control)
        found = [ViewerData(self._control, name) for name in names]
        items = (item for each in found for item in each.all_items())
        write_items(path, items, overwrite=overwrite)
        return Path(path)

    def block(self) -> None:
        """Wait until the user closes the window."""
        with ProgressLine() as line:
            while not self._closed.is_set() and not self._viewer.wait(POLL_INTERVAL):
                line.show(self._progress_line)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> Ledger:
        """Close the window and remove the sinks; may be called again.

        In a forked child it does nothing: the window is its parent's.

        Parameters
        ----------
        timeout : float
            Seconds for all of it. A viewer that has not ended by then, since it is stopped for
            instance, is killed, and sinks end with the client if they could not be removed; the
            log says so.

        Returns
        -------
        Ledger
            The ledger at the end; what the viewer did not take is dropped ("viewer-gone").
        """
        if not self._is_own():
            return self._ledger.joined()
        deadline = time.monotonic() + timeout
        with contextlib.suppress(ViewerGone, RuntimeError):
            self._ask_viewer(LEAST_TIMEOUT)  # its last words; they take milliseconds
        with self._lock:
            if self._closed.is_set():
                return self._ledger.joined()
            self._closed.set()
        atexit.unregister(self._at_exit)
        self._ledger.viewer_gone = True
        # The window first: a cluster that hangs must not keep it.
        self._viewer.hang_up()
        self._feed.close(LAST_COUNTS_TIMEOUT)
        # The last words of the sinks: all that was selected is in the ledger after the end, too.
        self._ledger.hear_sinks(self._sinks.counts(LAST_COUNTS_TIMEOUT), time.monotonic())
        self._sinks.close(deadline - time.monotonic())
        if not self._viewer.close(deadline - time.monotonic()):
            logger.warning("the viewer did not end within %g s, and was killed", timeout)
        self._control.close()
        if self._thread is not threading.current_thread():
            # In a last request to the cluster, perhaps; it ends with the process.
            self._thread.join(max(LEAST_TIMEOUT, deadline - time.monotonic()))
        janitor.sweep()
        return self._ledger.joined()

    def _is_own(self) -> bool:
        """Return whether this process made the handle; a forked child has no threads for it."""
        return os.getpid() == self._pid

    def __enter__(self) -> Live:
        self._entered += 1
        return self

    def __exit__(self, *exc: object) -> None:
        # Blocks may be nested, as in a function of a script that watches: the outermost closes.
        self._entered -= 1
        if not self._entered:
            self.close()

    def _progress(self) -> WatchProgress:
        return WatchProgress(self._feed.taps(), self._ledger.joined(), self._feed.rates())

    def _progress_line(self) -> str:
        return self._progress().line()

    def __str__(self) -> str:
        """Return how far each layer is, of what the scheduler and the viewer told last."""
        return f"{self!r}\n{self._progress()}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self._progress().html()}"

    def __repr__(self) -> str:
        state = "open" if self.open else "closed"
        return f"<Live: viewer {state}, {len(self.taps)} taps, {self.addresses[-1]}>"

    # -- thread ----------------------------------------------------------------------------

    def _poll(self) -> None:
        """Keep the viewer's last counts, until it ends."""
        nap = POLL_INTERVAL
        while not self._closed.wait(nap) and self._viewer.running:
            began = time.monotonic()
            try:
                self._ask_viewer(VIEWER_TIMEOUT)
            except (ViewerGone, RuntimeError) as error:
                logger.debug("the viewer was not asked: %s", error)
            # Of many workers with many layers, it keeps both ends busy for a while.
            nap = max(POLL_INTERVAL, LEDGER_SHARE * (time.monotonic() - began))
        if not self._closed.is_set():
            code = self._viewer.process.wait()
            log = logger.info if code == 0 else logger.warning
            log(
                "the viewer ended (exit code %s); the computation goes on\n%s",
                code,
                self._viewer.log(),
            )
            janitor.sweep()  # of a viewer that was killed


def _close(live: weakref.ref[Live]) -> None:
    if (handle := live()) is not None:
        handle.close()
