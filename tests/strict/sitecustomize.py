"""Prepare every process of the suite: Python imports this module at start.

The suite puts this folder on ``PYTHONPATH`` and names a file in ``DASK_NAPARI_TEST_RECORDS``; each
ERROR record of dask_napari, and each drop that a ledger counts, becomes a line there. A factory of
records sees them all and changes nothing: a handler would keep warnings from ``stderr`` where a
program has configured no logging.

``DASK_NAPARI_TEST_FOLDER`` names the folder in which these processes, and no others, find each
other. Processes without the other variable tell of nothing. ``DASK_NAPARI_TEST_SYSTEM=windows``
makes them take this host for Windows.
"""

import functools
import importlib.util
import logging
import os
import sys
from pathlib import Path


def append(what: str, text: str) -> None:
    path = os.environ.get("DASK_NAPARI_TEST_RECORDS")
    if path:
        line = f"{what} {os.getpid()} {text}".replace("\n", " | ")[:4000] + "\n"
        try:
            descriptor = os.open(path, os.O_APPEND | os.O_WRONLY)
        except FileNotFoundError:  # the suite has ended
            return
        try:
            os.write(descriptor, line.encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)


def watch_drops(module):
    """Have the tallies of all outboxes, boards and ledgers tell of their drops."""
    count = module.Tally.drop
    if hasattr(count, "is_strict"):
        return

    def drop(self, reason, number=1):
        count(self, reason, number)
        append("drop", reason)

    drop.is_strict = True
    module.Tally.drop = drop


def meet_in_private(module):
    """Have programs meet in the suite's folder, away from this user's other viewers.

    Those may be another part of the suite, in a process beside this one.
    """

    @functools.wraps(module.meeting_places)  # tests of the original find it as __wrapped__
    def meeting_places():
        return [Path(os.environ["DASK_NAPARI_TEST_FOLDER"])]

    module.meeting_places = meeting_places


CHANGES = {
    "dask_napari.model._ledger": watch_drops,
    "dask_napari.system._private_directories": meet_in_private,
}


APP = "dask_napari.viewer.app"

IS_WINDOWLESS = "DASK_NAPARI_TEST_WINDOWLESS" in os.environ
"""As this process starts: the suite's own sets the variable for a while, and may import the app."""


class ChangingFinder:
    """Change modules of ours when they are imported; most processes never import them."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == APP and IS_WINDOWLESS:
            program = Path(__file__).parents[1] / "windowless_app.py"
            return importlib.util.spec_from_file_location(name, program)
        if name not in CHANGES:
            return None
        sys.meta_path.remove(cls)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, cls)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            CHANGES[name](module)

        spec.loader.exec_module = exec_module
        return spec


def install() -> None:
    make = logging.getLogRecordFactory()
    if hasattr(make, "is_strict"):
        return

    def factory(*arguments, **options):
        record = make(*arguments, **options)
        if record.levelno >= logging.ERROR and record.name.split(".")[0] == "dask_napari":
            error = record.exc_info[1] if record.exc_info else None
            append(
                "error", f"{record.name}: {record.getMessage()}" + (f": {error!r}" if error else "")
            )
        return record

    factory.is_strict = True
    logging.setLogRecordFactory(factory)


def change_modules() -> None:
    assert not CHANGES.keys() & sys.modules.keys()
    # The suite's own processes under pytest-xdist did so when they started.
    if not any(getattr(f, "__name__", "") == ChangingFinder.__name__ for f in sys.meta_path):
        sys.meta_path.insert(0, ChangingFinder)


if "DASK_NAPARI_TEST_FOLDER" in os.environ:
    install()
    change_modules()
    if os.environ.get("DASK_NAPARI_TEST_SYSTEM") == "windows":
        import pretended_windows

        pretended_windows.install()
