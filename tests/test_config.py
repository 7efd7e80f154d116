"""Settings come from Dask's configuration, and the sink of a worker that starts from them."""

from __future__ import annotations

import os
import subprocess
import sys

import dask
import numpy as np
import pytest

from dask_napari import config
from dask_napari.preload import sink_of_config
from dask_napari.stream.receive import Board, Receiver


def test_defaults_are_there():
    assert config.get("transport") == "auto"
    assert config.get_bytes("arena") == 64 << 20
    assert config.get_seconds("viewer-timeout") == 60
    assert config.get_seconds("output-timeout") == 10


@pytest.mark.parametrize("value", ["soon", "-1s", 0, None, "nan"])
def test_a_setting_that_is_no_time_is_refused(value):
    with (
        dask.config.set({"dask-napari.output-timeout": value}),
        pytest.raises(ValueError, match=r"output-timeout=.* is not a time"),
    ):
        config.get_seconds("output-timeout")


def test_dask_config_and_environment_win():
    with dask.config.set({"dask-napari.arena": "1MiB"}):
        assert config.get_bytes("arena") == 1 << 20
    found = subprocess.run(
        [sys.executable, "-c", "from dask_napari import config; print(config.get('transport'))"],
        env={**os.environ, "DASK_DASK_NAPARI__TRANSPORT": "inline"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "inline"


def test_without_an_address_the_remedy_is_named():
    with pytest.raises(ValueError, match=r"dask-napari\.address"):
        sink_of_config()


def test_taps_of_the_configuration_say_how_axes_are_laid_out():
    entry = {
        "select": "read",
        "at": "{well}_s{field:d}",
        "axes": {"well": {"mode": "mosaic", "plate": 96}, "field": "layer"},
        "sizes": "separate",
    }
    with dask.config.set({"dask-napari.taps": [entry]}):
        (tap,) = sink_of_config("tcp://127.0.0.1:5577")._taps
    assert tap.spec.axes == {"well": "mosaic", "field": "layer"}
    assert tap.spec.layouts["well"].plate == 96
    assert tap.spec.sizes == "separate"


def test_a_worker_with_the_preload_streams(tmp_path):
    from distributed import Client, LocalCluster

    (tmp_path / "taps.yaml").write_text(
        "dask-napari:\n  taps:\n    - {select: ones, layer: raw, at: '{well}_s{field:d}'}\n"
    )
    board = Board()
    with (
        Receiver("tcp://127.0.0.1:*", board) as receiver,
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address),
                *("--preload", "dask_napari.preload"),
                *("--napari-address", receiver.addresses[0], "--no-dashboard"),
            ],
            env={**os.environ, "DASK_CONFIG": str(tmp_path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            client.wait_for_workers(1, timeout=60)
            future = client.submit(np.ones, (4, 4), key="ones-A01_s3")
            assert future.result().shape == (4, 4)
            assert board.wait(timeout=60)
            (item,) = board.take()
            assert (item.layer, item.position) == ("raw", {"well": "A01", "field": 3})
        finally:
            worker.terminate()
            worker.wait(timeout=60)


@pytest.mark.parametrize(
    ("given", "nbytes"), [("4GiB", 4 << 30), (1 << 30, 1 << 30), ("none", None), ("NONE", None)]
)
def test_memory_is_bytes_or_no_limit(given, nbytes):
    assert config.get_memory(given) == nbytes
    with dask.config.set({"dask-napari.memory": given}):
        assert config.get_memory() == nbytes


def test_memory_is_a_share_of_what_is_available():
    share = config.get_memory(0.25)
    assert share == pytest.approx(0.25 * config.available_memory(), rel=0.3)
    assert config.get_memory("0.25") == pytest.approx(share, rel=0.3)
    assert config.get_memory(1e-9) == config.LEAST_MEMORY  # a full host: still a viewer


@pytest.mark.parametrize("given", ["much", "4 apples", "1kB", -1, 0, float("nan"), float("inf")])
def test_memory_that_is_not_usable_is_a_clear_error(given):
    with pytest.raises(ValueError, match="give at least 64MiB"):
        config.get_memory(given)
