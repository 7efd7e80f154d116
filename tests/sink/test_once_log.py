"""A cause of errors is logged once, and causes are bounded."""

from __future__ import annotations

import logging

from dask_napari.model._once import CAUSES_LIMIT
from dask_napari.sink._once_log import OnceLog


def test_a_cause_is_logged_once_by_the_logger_that_people_know(caplog):
    log = OnceLog()
    with caplog.at_level(logging.WARNING, logger="dask_napari.sink"):
        for n in range(3):
            log.warn("no position", f"frame-{n}", ValueError("nothing fits"))
        log.warn("no position", "frame-3", KeyError("well"))
        log.warn("select failed", "frame-4", ValueError("of the user"))
    keys = [record.getMessage().split("'")[1] for record in caplog.records]
    assert keys == ["frame-0", "frame-3", "frame-4"]
    assert "the task itself succeeded" in caplog.text


def test_causes_are_bounded(caplog):
    log = OnceLog()
    for n in range(CAUSES_LIMIT + 10):
        log.warn(f"reason {n}", "key", ValueError())
    assert len(caplog.records) == CAUSES_LIMIT
