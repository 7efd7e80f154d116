"""The examples' own parts: the plate they make, and the pipeline with its positions."""

import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, WorkerPlugin

from dask_napari.item import coerce
from dask_napari.tap import Tap, Taps

EXAMPLES = Path(__file__).parents[1] / "examples"

pytest.importorskip("skimage")


@pytest.fixture
def plate_data(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    return pytest.importorskip("plate_data")


@pytest.fixture
def plate(plate_data):
    return pytest.importorskip("plate")


@pytest.fixture
def images(plate_data, tmp_path):
    return plate_data.make_plate(tmp_path, wells=2, fields=2, size=256)


class Placed(WorkerPlugin):
    """Record what taps make of the tasks that really ran."""

    name = "placed"

    def __init__(self, taps):
        self.taps = taps

    def setup(self, worker):
        self.worker = worker
        self.items = []

    def transition(self, key, start, finish, **kwargs):
        if start != "executing" or finish != "memory":
            return
        task, value = self.worker.state.tasks[key], self.worker.data[key]
        for tap in self.taps.select(key, task.prefix, value):
            position = tap.place(key, value, task.run_spec.args, task.run_spec.kwargs, task.prefix)
            self.items.append(coerce(value, kind=tap.kind, layer=tap.layer, position=position))


@pytest.fixture
def client():
    with Client(n_workers=1, processes=False, dashboard_address=None) as client:
        yield client


def test_the_images_come_from_the_installed_package_alone(plate_data, monkeypatch, tmp_path):
    def refuse(*arguments):
        raise AssertionError("the examples must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = plate_data.make_plate(tmp_path, wells=1, fields=1, size=64)
    assert [path.name for path in made] == ["P1_A01_s1_w1.tif", "P1_A01_s1_w2.tif"]
    assert not (tmp_path / "home").exists()
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        plate_data.shipped("nothing.png")


def test_a_plate_is_the_same_every_time(plate_data, images, tmp_path):
    again = plate_data.make_plate(tmp_path / "again", wells=2, fields=2, size=256)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in images]
    assert len({path.read_bytes() for path in images}) == len(images) == 8


def test_a_plate_that_is_there_is_not_made_again(plate_data, images, tmp_path):
    before = [path.stat().st_mtime_ns for path in images]
    images[0].unlink()
    again = plate_data.make_plate(tmp_path, wells=2, fields=2, size=256)
    assert again == images
    # Both channels of the site come anew, those of the others stay.
    assert [path.stat().st_mtime_ns for path in again][2:] == before[2:]
    assert images[0].exists()


@pytest.mark.parametrize(("count", "last"), [(1, "A01"), (6, "B03"), (12, "C04"), (96, "H12")])
def test_wells_fill_a_block(plate_data, count, last):
    wells = plate_data.well_names(count)
    assert len(set(wells)) == count
    assert wells[-1] == last


@pytest.mark.parametrize("count", [0, 97])
def test_wells_that_do_not_fit(plate_data, count):
    with pytest.raises(ValueError, match=f"{count} wells"):
        plate_data.well_names(count)


def test_every_stage_is_placed_where_its_image_was_taken(plate, images, client):
    plugin = Placed(
        Taps(
            [
                Tap("read", layer="raw", at=plate.IMAGE),
                Tap("correct", layer="corrected", at=plate.IMAGE),
                Tap("segment", kind="labels", layer="cells", at=plate.SITE),
            ]
        )
    )
    client.register_plugin(plugin)
    futures = plate.run(client, images)
    tables = client.gather(futures["tables"])

    sites = {("P1", well, field) for well in ("A01", "A02") for field in (1, 2)}
    (items,) = client.run(lambda dask_worker: dask_worker.plugins["placed"].items).values()
    places = {}
    for item in items:
        places.setdefault(item.layer, []).append(tuple(item.position.values()))
    channels = sorted((*site, channel) for site in sites for channel in (1, 2))
    assert sorted(places["raw"]) == sorted(places["corrected"]) == channels
    assert sorted(places["cells"]) == sorted(sites)
    assert all(len(table["label"]) > 5 for table in tables)


def test_the_report_has_a_line_per_well(plate, capsys):
    table = {"area": np.array([100.0, 300.0]), "mean_intensity": np.array([1.0, 2.0])}
    none = {"area": np.array([]), "mean_intensity": np.array([])}
    plate.report(
        {"quantify-P1_A01_s1": table, "quantify-P1_A01_s2": table, "quantify-P1_B01_s1": none}
    )
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["A01", "4", "21.1"]
    assert second.split() == ["B01", "0"]


@pytest.mark.parametrize(
    ("given", "stay"),
    [([], True), (["--screenshot", "a.png"], False), (["--screenshot", "a.png", "--stay"], True)],
)
def test_it_stays_open_unless_a_screenshot_was_asked_for(plate, given, stay):
    assert plate.parse_arguments(given).stay is stay


def test_impossible_sizes_are_refused(plate, capsys):
    with pytest.raises(SystemExit):
        plate.parse_arguments(["--wells", "97"])
    assert "--wells must be 1 to 96, not 97" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a screen needs no DISPLAY")
def test_without_a_display_it_says_what_to_do(plate, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "argv", ["plate.py"])
    assert plate.main() == 2
    assert "xvfb-run" in capsys.readouterr().err


def test_planes_of_the_stack_say_where_they_belong(plate_data):
    stack = pytest.importorskip("xarray_stack")
    item = coerce(stack.acquire(plate_data.shipped("cell.png"), 3, -1.0))
    assert item.position == {"t": 3, "z": -1.0}
    assert item.calibration.axes == ("y", "x")
    assert item.calibration.scale == pytest.approx((stack.PIXEL, stack.PIXEL))
    assert item.calibration.units == ("micrometer", "micrometer")


def test_the_filter_over_chunks_leaves_no_seams(plate_data):
    example = pytest.importorskip("dask_array")
    eye = example.retina(1, 256)[300:700, 200:520]
    found = eye.map_overlap(
        example.vessels, depth=example.RIM, boundary="reflect", dtype=np.float32
    ).compute(scheduler="threads")
    whole = example.vessels(np.pad(eye.compute(scheduler="threads"), example.RIM, "symmetric"))
    inner = slice(example.RIM, -example.RIM)
    np.testing.assert_allclose(found, whole[inner, inner], atol=1e-4)
