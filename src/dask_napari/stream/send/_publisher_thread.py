"""The publisher's thread: connect, send, and connect again for as long as it takes."""

from __future__ import annotations

import atexit
import dataclasses
import itertools
import logging
import math
import threading
import time
import weakref
from typing import Final

import zmq

from dask_napari.model import Reports, contain, reason_of
from dask_napari.stream.auth import ClientKeys, NoKeys, reachable
from dask_napari.stream.send._connection import Connection
from dask_napari.stream.send._loader import Loader
from dask_napari.stream.send._options import PublisherOptions
from dask_napari.stream.send._outbox import Outbox
from dask_napari.stream.send._pacing import REFUSED_PAUSE, SHORTAGE_PAUSE, Backoff
from dask_napari.stream.send._publisher_socket import ConnectionLost
from dask_napari.stream.send._streamer import Streamer
from dask_napari.stream.send._task_notices import TaskNotices
from dask_napari.stream.send._undelivered import RetriedEntry, Undelivered
from dask_napari.stream.shm import janitor
from dask_napari.stream.wire import open_context
from dask_napari.system import Wakeup, after_fork, process_limits

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT: Final = 1.5
"""Seconds for the tail of a stream unless its owner says otherwise."""

FORGOTTEN_TIMEOUT: Final = 10.0
"""Seconds for the tail where nobody waits for its end; a busy viewer welcomes all in that time."""

_running: Final[set[PublisherThread]] = set()
"""Threads that an interpreter which ends without ``close`` still gives the time for the tail."""


class PublisherThread:
    """Empty an outbox into one receiver, from a thread of its own."""

    def __init__(self, outbox: Outbox, reports: Reports, options: PublisherOptions) -> None:
        self.notices: TaskNotices = TaskNotices(reports)
        self._outbox = outbox
        self._reports = reports
        self._options = options
        self._keys = ClientKeys(options.security, insecure=options.insecure)
        self._no_keys = ""
        self._numbers = itertools.count(1)
        self._undelivered = Undelivered(outbox)
        self._closed = False
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._wakeup = Wakeup()
        self._loader = Loader(outbox, reports, self._wakeup.set, options.output_timeout)
        self.streamer = Streamer(self._loader, self._undelivered, reports, options, self._wakeup)
        # The thread closes the wakeup, but a publisher that was never started has no thread. Not at
        # exit, when the thread may still wait.
        weakref.finalize(self, self._wakeup.close).atexit = False
        # A daemon: an interpreter that ends without `close` must not hang on the viewer.
        self._thread = threading.Thread(target=self._run, name="dask-napari-publisher", daemon=True)

    def __repr__(self) -> str:
        return f"<PublisherThread {self.state}: {self.streamer}, {self._outbox}>"

    @property
    def state(self) -> str:
        """``"connecting"``, ``"connected"`` or ``"closed"``."""
        if self._closed:
            return "closed"
        return "connected" if self.streamer.transport else "connecting"

    # -- any thread ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        _running.add(self)
        try:
            self._thread.start()
        except BaseException:
            _running.discard(self)
            raise

    def wake(self) -> None:
        """Have the thread look at the outbox."""
        self._wakeup.set()

    def close(self, timeout: float) -> None:
        """Send as much as can be sent in so many seconds, say BYE and end the thread."""
        self.end(timeout)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout + 1.0)
        self._closed = True

    def end(self, timeout: float) -> None:
        """Have the thread end as by :meth:`close`, without waiting for it."""
        if self.streamer.deadline is not None:
            return
        self.streamer.deadline = time.monotonic() + timeout
        if self._thread.ident is None:
            self._conclude("closed")
        else:
            self._wakeup.set()

    # -- the thread: connecting ------------------------------------------------------------

    def _run(self) -> None:
        reason = "closed"
        try:
            self._connect_until_closed()
        except BaseException as error:
            reason = "publisher-failed"
            logger.exception(
                "%s: the publisher ended by an error; the tasks go on", self._options.name
            )
            contain(error)
        finally:
            self._conclude(reason)
            _running.discard(self)
            # In the thread that used the sockets: from `__del__` it can deadlock.
            if self._context is not None:
                self._context.destroy(linger=0)
            self._wakeup.close()

    def _conclude(self, reason: str) -> None:
        """Count what is left as dropped, and say so."""
        self._undelivered.resend(0)  # nobody knows whether they arrived
        self._loader.close(reason)
        self._outbox.unpop(map(RetriedEntry, self._loader.take()))
        self._outbox.close(reason)
        self._closed = True
        counts = self._outbox.counts()
        lost = sum(tally.dropped[reason] for tally in counts.values())
        if lost and reason == "closed":
            selected = sum(tally.selected for tally in counts.values())
            where = ", ".join(self._options.addresses)
            logger.warning(
                "%s: %d of %d items were not delivered: %s",
                self._options.name,
                lost,
                selected,
                f"the viewer at {where} had not taken them before the end"
                if self.streamer.viewer
                else f"no viewer answered at {where}",
            )

    def _connect_until_closed(self) -> None:
        backoff = Backoff()
        while self.streamer.time_left():
            # Once more when closing, from the start: what was put just before is worth a last
            # handshake, and an attempt that began earlier may have come a moment too early.
            last = self.streamer.deadline is not None
            # Of a worker or viewer that was killed; one that is started in its place comes by.
            janitor.sweep()
            least = 0.0
            for address in filter(reachable, self._options.addresses):
                least = max(least, self._attempt(address, backoff.patience))
                if self.streamer.transport or not self.streamer.time_left():
                    self.streamer.transport = ""
                    backoff.reset()
                    pause = backoff.pause()
                    break
            else:
                pause = backoff.pause()
                backoff.double()
            if last:
                return
            if not least and backoff.alone:
                why = self._no_keys or (
                    f"no viewer answers at {', '.join(self._options.addresses)}; one that listens "
                    "there may want other keys: NapariSink(..., security=...)"
                )
                self._warn(f"{why}. The tasks go on, and outputs are kept by their keys meanwhile")
            self._wait_alone(backoff, max(least, pause))

    def _wait_alone(self, backoff: Backoff, pause: float) -> None:
        """Let time pass without a receiver, holding only what may be held."""
        poller = zmq.Poller()
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        end = time.monotonic() + pause
        while self.streamer.deadline is None and (left := end - time.monotonic()) > 0:
            self._loader.look()
            self._loader.advance()
            if made := self._loader.take():
                self._outbox.unpop(map(RetriedEntry, made))
            self._outbox.budget.leave_alone(backoff.alone)
            self.streamer.forget()
            # The outbox is not told that the thread sleeps: a put must not wake a thread that
            # has no one to send to. Closing does.
            poller.poll(math.ceil(min(left, self._loader.pause) * 1000))
            self._wakeup.clear()

    def _attempt(self, address: str, patience: float) -> float:
        """Talk to one address until that ends; return the least pause before the next attempt."""
        options = self._options
        try:
            self._no_keys = ""
            security = self._keys.for_address(address)
            if self._context is None:
                self._context = open_context(zero_copy=True)
            else:
                process_limits.require()
            connection = Connection(
                self._context,
                address,
                dataclasses.replace(options, security=security),
                self._loader,
                self._reports,
                self._numbers,
                self.notices,
                patience=patience,
            )
        except process_limits.ResourceShortage as error:
            self._reports.error(f"no {error.short_of}", error)
            return SHORTAGE_PAUSE
        except NoKeys as error:
            self._no_keys = str(error)  # a viewer may open yet
            return 0.0
        except (zmq.ZMQError, ValueError) as error:
            self._warn(f"{address}: {error}")
            return REFUSED_PAUSE
        try:
            self.streamer.serve(connection)
        except ConnectionLost as error:
            if error.final:
                self._warn(str(error))
                return REFUSED_PAUSE
            logger.info("%s: %s", options.name, error)
        except Exception as error:
            # A bug of ours; another connection may well do, in a while.
            self._reports.error(reason_of(error), error, traceback=True, level=logging.ERROR)
            contain(error)
            return REFUSED_PAUSE
        finally:
            connection.close()
            self._recover(connection)
        return 0.0

    def _recover(self, connection: Connection) -> None:
        """Keep items that a lost connection did not deliver, for the next one."""
        self.streamer.arena_bytes = 0
        self._undelivered.add(connection.batches.unacknowledged())
        self._outbox.unpop(map(RetriedEntry, connection.batches.unsent()))
        self.streamer.forget()

    def _warn(self, text: str) -> None:
        if self._reports.is_new(text):
            logger.warning("%s: %s", self._options.name, text)


def _close_running() -> None:
    """Close publishers whose owner did not, all at once, when the interpreter ends."""
    threads = list(_running)
    for thread in threads:
        thread.end(CLOSE_TIMEOUT)
    for thread in threads:
        thread.close(CLOSE_TIMEOUT)


atexit.register(_close_running)
after_fork(_running.clear)  # the threads are the parent's
