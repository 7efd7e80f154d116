"""Tell the suite of errors in every process that it starts: Python imports this module at start.

The suite puts this folder on ``PYTHONPATH`` and names a file in ``DASK_NAPARI_TEST_RECORDS``; each
ERROR record of dask_napari becomes a line there. A factory of records sees them all and changes
nothing: a handler would keep warnings from ``stderr`` where a program has configured no logging.
"""

import logging
import os


def append(line: str) -> None:
    path = os.environ.get("DASK_NAPARI_TEST_RECORDS")
    if path:
        descriptor = os.open(path, os.O_APPEND | os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(
                descriptor, f"{os.getpid()} {line}".replace("\n", " | ")[:4000].encode() + b"\n"
            )
        finally:
            os.close(descriptor)


def install() -> None:
    make = logging.getLogRecordFactory()
    if hasattr(make, "is_strict"):
        return

    def factory(*arguments, **options):
        record = make(*arguments, **options)
        if record.levelno >= logging.ERROR and record.name.split(".")[0] == "dask_napari":
            error = record.exc_info[1] if record.exc_info else None
            append(f"{record.name}: {record.getMessage()}" + (f": {error!r}" if error else ""))
        return record

    factory.is_strict = True
    logging.setLogRecordFactory(factory)


if "DASK_NAPARI_TEST_RECORDS" in os.environ:
    install()
