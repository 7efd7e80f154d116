"""Outputs on their way to being items: whose errors they are."""

from __future__ import annotations

import functools
import logging

import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
from dask_napari.model import Item, Provenance, Refusal, Reports
from dask_napari.placement import Placement
from dask_napari.sink import NapariSink, _outputs, show_in_sinks
from dask_napari.sink._context import SinkContext
from dask_napari.sink._outputs import ShownValue
from dask_napari.stream import Publisher
from dask_napari.tap import Tap, TapSet
from headless import eventually


class Odd:
    """An output whose author made mistakes."""

    @property
    def shape(self) -> tuple[int, ...]:
        raise KeyError("shape")


def fail(*_: object) -> Placement:
    raise ZeroDivisionError("ours")


def leave(*_: object) -> None:
    raise SystemExit(3)


def output(shown: object, where: object = None, **options: object) -> ShownValue:
    tap = Tap("show", **options).compile()
    reports = Reports()
    with Publisher("ipc:///nowhere", name="w", reports=reports) as publisher:
        context = SinkContext(None, publisher, TapSet(), reports)
        if where is None:
            where = functools.partial(tap.rule.placement, "show-1", shown)
        return ShownValue(context, tap, shown, where, Provenance("show-1"), 1)


def test_an_output_becomes_an_item():
    (item,) = output(np.ones((2, 2))).items()
    assert isinstance(item, Item)


def test_a_part_of_an_output_becomes_an_item():
    array = xr.DataArray(np.ones((2, 2)), dims=("y", "x"), coords={"t": 3})
    (item,) = output(({"masks": array}, 5), value=lambda out: out[0]["masks"]).items()
    assert item.data.shape == (2, 2)
    assert not output(np.ones((2, 2)), value=0).foreign
    assert output(np.ones((2, 2)), value=len).foreign


@pytest.mark.parametrize(
    ("value", "options", "reason"),
    [
        (np.ones((2, 2)), {"at": fail}, "no position"),
        (np.ones((2, 2)), {"at": leave}, "no position"),
        ((1, 2), {"value": 3}, "no such part"),
        ((1, 2), {"value": fail}, "no such part"),
        ((1, 2), {"value": leave}, "error: SystemExit"),
        (Odd(), {"at": {"y": slice(0, 2), "x": slice(0, 2)}}, "error: KeyError"),
    ],
)
def test_errors_of_users_code_are_refusals(value, options, reason):
    with pytest.raises(Refusal) as refused:
        output(value, **options).items()
    assert refused.value.reason == reason


@pytest.mark.errors("ZeroDivisionError")
def test_errors_of_this_package_are_raised_in_strict_mode():
    with pytest.raises(ZeroDivisionError):
        output(np.ones((2, 2)), fail).place()


def test_errors_of_this_package_are_counted_where_people_work(monkeypatch):
    monkeypatch.delenv("DASK_NAPARI_STRICT")
    with pytest.raises(Refusal, match="error: ZeroDivisionError"):
        output(np.ones((2, 2)), fail).place()


@pytest.mark.errors("ZeroDivisionError")
@pytest.mark.drops("error: ZeroDivisionError", "closed")
def test_errors_of_this_package_are_seen_where_outputs_are_read_and_copied(monkeypatch, caplog):
    """Only what is read and copied there has code of others."""

    def show(n: int) -> bool:
        return show_in_sinks(np.ones((2, 2)), Tap("shown", layer="shown"))

    def dropped() -> dict[str, dict[str, int]]:
        return {layer: tally.dropped for layer, tally in sink.counts()["counts"].items()}

    def errors() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.levelno == logging.ERROR]

    monkeypatch.setattr(_outputs, "held_by", fail)
    monkeypatch.setattr(_outputs, "needed_arguments", fail)
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(NapariSink("tcp://127.0.0.1:1", [Tap("frame")]))
        (worker,) = cluster.workers.values()
        (sink,) = (plugin for plugin in worker.plugins.values() if type(plugin) is NapariSink)
        futures = []
        for function in (tasks.frame, show):  # one after another: each has a record of its own
            futures.append(client.submit(function, 0))
            wait(futures)
            # The worker may log it after it has told the client that the task is done.
            eventually(lambda: any("error of this package" in r.getMessage() for r in errors()))
            caplog.clear()
        expected = {key: {"error: ZeroDivisionError": 1} for key in ("frame", "shown")}
        eventually(lambda: dropped() == expected)
