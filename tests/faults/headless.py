"""A viewer without a window, in a process of its own: it takes items and remembers the places.

It ends when its standard input closes, so that a test that is killed leaves none behind.
"""

from __future__ import annotations

import argparse
import json
import queue
import signal
import sys
import threading
import time

from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.wire import Limits


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", action="append", required=True)
    parser.add_argument("--every", type=float, default=0.0, help="seconds for one item")
    options = parser.parse_args()
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
    # Little, so that a viewer that is slow or stopped soon holds up its publishers.
    limits = Limits(credit=4 << 20, heartbeat=0.5)
    board = Board(limit=8 << 20)
    seen: dict[str, set[int]] = {}
    pace = {"every": options.every}
    with Receiver(options.listen, board, limits=limits) as receiver:
        print(json.dumps({"addresses": receiver.addresses}), flush=True)
        due = 0.0
        while not end.is_set():
            if board.wait(0.02) and time.monotonic() >= due:
                items = board.take(1 if pace["every"] else None)
                for item in items:
                    # The pixels name their task: what arrived is what was made.
                    n = int(item.data[0, 0])
                    assert item.position == {"n": n}, (item.position, n)
                    seen.setdefault(item.layer, set()).add(n)
                board.shown(items)
                due = time.monotonic() + pace["every"]
            elif len(board):
                end.wait(0.02)
            try:
                request = receiver.requests.get_nowait()
            except queue.Empty:
                continue
            if request.name == "seen":
                request.reply({layer: sorted(places) for layer, places in seen.items()})
            elif request.name == "pace":
                pace.update(request.arguments)
                due = 0.0
                request.reply()
            else:
                request.fail(f"unknown request {request.name!r}")


if __name__ == "__main__":
    main()
