"""Tell the suite of errors and drops in every process: Python imports this module at start.

The suite puts this folder on ``PYTHONPATH`` and names a file in ``DASK_NAPARI_TEST_RECORDS``; each
ERROR record of dask_napari, and each drop that a ledger counts, becomes a line there. A factory of
records sees them all and changes nothing: a handler would keep warnings from ``stderr`` where a
program has configured no logging.
"""

import importlib.util
import logging
import os
import sys

LEDGER = "dask_napari.model._ledger"


def append(what: str, text: str) -> None:
    path = os.environ.get("DASK_NAPARI_TEST_RECORDS")
    if path:
        line = f"{what} {os.getpid()} {text}".replace("\n", " | ")[:4000] + "\n"
        descriptor = os.open(path, os.O_APPEND | os.O_WRONLY | os.O_CREAT, 0o600)
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


class LedgerFinder:
    """Watch the module of the ledger when it is imported; most processes never do."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != LEDGER:
            return None
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            watch_drops(module)

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


if "DASK_NAPARI_TEST_RECORDS" in os.environ:
    install()
    sys.meta_path.insert(0, LedgerFinder)
