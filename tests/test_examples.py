"""The examples' own parts: the plate they make, and the pipeline with its positions."""

import socket
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from distributed import Client, WorkerPlugin

from dask_napari.coerce import coerce
from dask_napari.tap import Tap, TapSet

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
        for tap in self.taps.select(key, task.prefix, type(value)):
            args, kwargs = task.run_spec.args, task.run_spec.kwargs
            position = tap.rule.placement(key, value, args, kwargs, task.prefix).position
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
        TapSet(
            [
                Tap("read", layer="raw", at=plate.IMAGE),
                Tap("correct", layer="stain", at=plate.IMAGE),
                Tap("segment", kind="labels", layer="cells", at=plate.SITE),
                Tap("quantify", kind="points", layer="marker", at=plate.SITE),
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
    assert sorted(places["raw"]) == sorted(places["stain"]) == channels
    assert sorted(places["cells"]) == sorted(places["marker"]) == sorted(sites)
    assert all(len(table["label"]) > 5 for table in tables)

    # On the mosaic each point lies on its own cell, to the pixel.
    layers = laid_out(plate.layout(2, 2), [item for item in items if item.kind != "image"])
    cells, marker = layers["cells"], layers["marker"]
    assert cells.data.shape[-2:] > (2 * 256, 2 * 256)
    y, x = np.rint(marker.data[:, -2:]).astype(int).T
    found = np.asarray(cells.data)[0, y, x]
    # (A bent cell may have its centre outside; not in another cell though.)
    assert (found == marker.features["label"])[found > 0].mean() > 0.99
    assert (found > 0).mean() > 0.9


def laid_out(axes, items):
    """The napari layers of items, by name; without a window."""
    pytest.importorskip("napari")
    from napari.components import ViewerModel

    from dask_napari.viewer.layers import Layers

    viewer = ViewerModel()
    layers = Layers(viewer)
    for item in items:
        layers.put(item, Tap("any", kind=item.kind, layer=item.layer, axes=axes).spec())
    layers.update(0.0, force=True)
    return {layer.name: layer for layer in viewer.layers}


def test_the_plate_is_the_smallest_that_holds_the_wells(plate, plate_data):
    for wells in (1, 6, 7, 12, 13, 35, 48, 49, 96):
        well, field = plate.layout(wells, 4)
        assert well.layout.plate >= wells
        rows, columns = {6: (2, 3), 12: (3, 4), 24: (4, 6), 48: (6, 8), 96: (8, 12)}[
            well.layout.plate
        ]
        for name in plate_data.well_names(wells):
            assert ord(name[0]) - ord("A") < rows, wells
            assert int(name[1:]) <= columns, wells
        assert field.layout.columns == 2


def test_spots_keep_their_tracks(plate_data):
    """Linked from the pixels, the tracks are those of the galaxies that were drawn."""
    example = pytest.importorskip("tracks")
    linked, met = None, {}
    for t in range(4):
        linked = example.link(linked, example.detect(example.take(t)), t)
        item = coerce(linked, kind="tracks", layer="tracks", position={"t": t})
        assert item.calibration.axes == ("t", "z", "y", "x")
        assert set(item.data[:, 1]) == {t}
        there = np.linalg.norm(example.places(t)[:, None, 1:] - item.data[None, :, 3:], axis=-1)
        for track, galaxy in zip(item.data[:, 0], there.argmin(axis=0), strict=True):
            met.setdefault(track, []).append(galaxy)
        assert there.min(axis=0).max() < 8
    assert all(len(set(galaxies)) == 1 for galaxies in met.values())
    assert sum(len(galaxies) == 4 for galaxies in met.values()) >= 0.9 * example.COUNT


RUNS = {
    "plate": ["--wells", "1", "--fields", "1"],
    "tracks": ["--frames", "3"],
    "dask_array": ["--tiles", "1", "--chunk", "1024"],
}


def test_each_runs_and_shows_all_of_it(tmp_path):
    pytest.importorskip("napari")
    running = {
        name: subprocess.Popen(
            [
                *(sys.executable, EXAMPLES / f"{name}.py", *arguments),
                *("--screenshot", tmp_path / f"{name}.png"),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, arguments in RUNS.items()
    }
    try:
        said = {name: process.communicate(timeout=150)[0] for name, process in running.items()}
    finally:
        for process in running.values():
            process.kill()  # of one that has ended it does nothing
    for name, process in running.items():
        assert process.returncode == 0, said[name]
        counts = [line for line in said[name].splitlines() if " selected = " in line]
        assert len(counts) >= 2, said[name]
        for line in counts:
            assert line.endswith("shown + 0 coalesced + 0 dropped + 0 pending"), said[name]
        picture = iio.imread(tmp_path / f"{name}.png")[..., :3]
        height, width = (side // 4 for side in picture.shape[:2])
        assert picture[height:-height, width:-width].std() > 5, f"{name}: nothing to be seen"


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
