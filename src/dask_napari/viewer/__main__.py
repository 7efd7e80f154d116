"""``python -m dask_napari.viewer``: the viewer's process; see ``dask-napari view`` for people."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from dask_napari.stream.auth import Security
from dask_napari.system import EndWatch


def _read_line() -> str:
    # Byte by byte: what follows on standard input must stay there for the watch of the parent.
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode()


def _take_stdout() -> int:
    """Return a descriptor of standard output; what is printed goes where errors go."""
    descriptor = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return descriptor


def main() -> int:
    """Run the viewer; the exit code is 1 if it cannot listen or open a window."""
    parser = argparse.ArgumentParser(prog="python -m dask_napari.viewer", description=__doc__)
    parser.add_argument("--listen", action="append", required=True)
    parser.add_argument("--title", default="Dask live")
    parser.add_argument("--memory", type=int, help="bytes")
    parser.add_argument("--ready-stdout", action="store_true")
    parser.add_argument("--watch-parent", action="store_true")
    parser.add_argument("--security-stdin", action="store_true")
    parser.add_argument("--insecure", action="store_true")
    options = parser.parse_args()
    ready = _take_stdout() if options.ready_stdout else None
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    security = Security.loads(_read_line()) if options.security_stdin else None
    end_watch = EndWatch(parent=options.watch_parent)
    try:
        from dask_napari.viewer.app import announce, run
    except ImportError as error:
        print(f"napari is not usable: {error}\nInstall it: pip install 'dask-napari[all]'")
        return 1
    try:
        run(
            options.listen,
            security=security,
            insecure=options.insecure,
            title=options.title,
            memory=options.memory,
            end_watch=end_watch,
            on_ready=None if ready is None else announce(ready),
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}")
        return 1
    end_watch.end()


if __name__ == "__main__":
    sys.exit(main())
