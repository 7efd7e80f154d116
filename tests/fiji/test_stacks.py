"""Items as hyperstacks and ROIs: what the plugin is told, without ImageJ."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.fiji._commands import command
from dask_napari.fiji._plane_file import PlaneFile
from dask_napari.fiji._stack_pixels import imagej_pixels
from dask_napari.fiji._stacks import Stacks
from dask_napari.model import Calibration, Item, LayerSpec, Layout, Refusal

DTYPES = {8: "u1", 16: "<u2", 32: "<f4", 24: "<u4"}


class Mirror:
    """What the plugin makes of the commands: windows with planes at sorted coordinates."""

    def __init__(self) -> None:
        self.file = PlaneFile()
        self.stacks = Stacks(self.file)
        self.axes: dict[int, list[int]] = {-1: [0]}
        self.windows: dict[int, list[str]] = {}
        self.planes: dict[tuple[int, ...], tuple[int, str]] = {}
        self.groups: list[list[int]] = []
        self.colors: list[tuple[int, str]] = []

    def put(self, *items: Item, spec: LayerSpec | None = None) -> None:
        for item in items:
            for line in self.stacks.put(item, spec)[0]:
                name, *fields = line.split("\t")
                self.carry_out(name, fields)

    def carry_out(self, name: str, fields: list[str]) -> None:
        match name:
            case "axis":
                order = self.axes.setdefault(int(fields[0]), [])
                order.insert(int(fields[1]), len(order))
            case "window":
                self.windows[int(fields[0])] = fields
            case "channel":
                self.colors.append((int(fields[1]), fields[2]))
            case "plane":
                key = tuple(map(int, fields[:4]))
                self.planes[key] = int(fields[4]), fields[7]
            case "gone":
                del self.planes[tuple(map(int, fields))]
            case "rois":
                self.groups.clear()
            case "group":
                self.groups.append(list(map(int, fields)))

    def stack(self, number: int) -> dict[tuple[int, int, int], np.ndarray]:
        """Planes by the indices of channel, slice and frame that the sliders show."""
        fields = self.windows[number]
        shape = int(fields[4]), int(fields[3])
        orders = [self.axes.get(int(axis), [0]) for axis in fields[5:8]]
        found = {}
        for (window, *key), (offset, _) in self.planes.items():
            if window == number:
                at = tuple(order.index(n) for order, n in zip(orders, key, strict=True))
                found[at] = np.empty(shape, DTYPES[int(fields[2])])
                self.file.read(offset, found[at])
        return found


@pytest.fixture
def mirror():
    found = Mirror()
    yield found
    found.file.close()


def image(value: int, at: dict[str, object], shape=(3, 4), layer="raw", **how: object) -> Item:
    return Item(layer, "image", np.full(shape, value, "u2"), at, **how)


def test_channels_slices_and_frames_are_in_the_order_of_their_coordinates(mirror):
    places = [(w, t, c) for w in ("B10", "B2") for t in (1, 0) for c in ("GFP", "DAPI")]
    for number, (well, t, channel) in enumerate(places):
        mirror.put(image(number, {"t": t, "well": well, "channel": channel}, (2, 3, 4)))
    stack = mirror.stack(1)
    frames = [("B2", 0), ("B2", 1), ("B10", 0), ("B10", 1)]
    assert len(stack) == 2 * 2 * 4
    for (c, _, t), plane in stack.items():
        well, frame = frames[t]
        assert (plane == places.index((well, frame, ("DAPI", "GFP")[c]))).all()


def test_layers_of_the_same_axes_share_frames_and_channels_have_colours(mirror):
    layout = Layout(colors={"DAPI": "blue", "488": "#12ff00"}, names={"1": "488"})
    spec = LayerSpec("raw", "image", {"stain": "layer"}, layouts={"stain": layout})
    mirror.put(image(1, {"t": 5, "stain": "DAPI"}), image(2, {"t": 5, "stain": 1}), spec=spec)
    mirror.put(Item("cells", "labels", np.ones((3, 4), "i4"), {"t": 2}))
    assert mirror.colors == [(0, "#0000ff"), (1, "#12ff00")]
    assert {at[2] for at in mirror.stack(1)} == {1}, "after the frame that the labels brought"
    assert [*mirror.stack(2)] == [(0, 0, 0)]
    assert mirror.windows[2][8] == "labels"


def test_another_size_type_or_run_is_another_window(mirror):
    mirror.put(image(1, {"t": 0}), image(1, {"t": 1}, (5, 4)), image(1, {"t": 0}, run=2))
    mirror.put(Item("raw", "image", np.zeros((3, 4), "f4"), {"t": 3}))
    titles = [fields[1] for fields in mirror.windows.values()]
    assert titles == ["raw", "raw 4x5 16-bit", "raw (run 2)", "raw 4x3 32-bit"]


def test_an_item_replaces_all_that_its_place_had(mirror):
    mirror.put(image(1, {"t": 0}, (3, 3, 4)), image(2, {"t": 0}, (2, 3, 4)))
    assert sorted(mirror.stack(1)) == [(0, 0, 0), (0, 1, 0)]
    assert all((plane == 2).all() for plane in mirror.stack(1).values())
    mirror.put(image(3, {"t": 0}, (2, 6, 4)))
    assert not mirror.stack(1)
    assert len(mirror.stack(2)) == 2
    assert len(mirror.stacks.old) == 5, "ranges of the file that are used again"


def test_chunks_are_parts_of_one_plane(mirror):
    whole = np.arange(2 * 6 * 8, dtype="u2").reshape(2, 6, 8)
    for z, y, x in np.ndindex(2, 2, 2):
        part = whole[z : z + 1, y * 3 : y * 3 + 3, x * 4 : x * 4 + 4]
        origin = (z, y * 3, x * 4)
        mirror.put(Item("raw", "image", part, {"t": 0}, origin=origin, array_shape=whole.shape))
    for (_, z, _), plane in mirror.stack(1).items():
        np.testing.assert_array_equal(plane, whole[z])
    unknown = Item("raw", "image", whole[0], {"t": 1}, origin=(3, 4))
    with pytest.raises(Refusal, match="compute_chunk_sizes"):
        mirror.put(unknown)


@given(st.sampled_from(["u1", "i1", ">u2", "i2", "u4", "i4", "u8", "i8", "f4", ">f8"]))
def test_pixels_keep_their_numbers_or_say_that_they_do_not(dtype):
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo("f4")
    data = np.array([[0, 1, 2], [3, info.min, info.max]], dtype)
    pixels = imagej_pixels(Item("a", "image", data))
    assert pixels.data.dtype.str[1:] == DTYPES[pixels.depth].removeprefix("<")
    exact = np.array_equal(pixels.data.astype("f8"), data.astype("f8"))
    assert exact or pixels.note, "what is rounded is said"


def test_labels_that_would_become_one_are_refused_and_colours_are_packed():
    with pytest.raises(Refusal, match="relabel"):
        imagej_pixels(Item("cells", "labels", np.array([[0, 2**24 + 1]], "i8")))
    colours = np.array([[[255, 128, 1, 7]]], "u1")
    pixels = imagej_pixels(Item("a", "image", colours, rgb=True))
    assert (pixels.data.tolist(), pixels.note) == ([[0xFF8001]], "alpha is left out")
    pixels = imagej_pixels(Item("a", "image", colours[..., :3] / 255.0, rgb=True))
    assert pixels.data.tolist() == [[0xFF8001]]


def read_rois(mirror: Mirror) -> list[tuple[int, list[list[float]]]]:
    found = []
    for *_, offset, nbytes in mirror.groups:
        data = np.empty(nbytes, "u1")
        mirror.file.read(offset, data)
        while len(data):
            kind, count = data[:8].view("<i4")
            found.append((int(kind), data[8 : 8 + 8 * count].view("<f4").reshape(-1, 2).tolist()))
            data = data[8 + 8 * count :]
    return found


def test_points_and_shapes_lie_on_the_pixels_of_the_image_whenever_it_comes(mirror):
    micrometers = Calibration(("y", "x"), (1.0, 1.0), (0.0, 0.0), ("micrometer",) * 2)
    half = Calibration(("y", "x"), (0.5, 0.5), (1.0, 0.0), ("micrometer",) * 2)
    spots = Item("spots", "points", np.array([[3.0, 4.0]]), {"t": 0}, calibration=micrometers)
    mirror.put(spots)
    assert read_rois(mirror) == [(4, [[4.0, 3.0]])], "pixels, as long as nobody knows better"
    mirror.put(image(1, {"t": 0}, calibration=half))
    assert read_rois(mirror) == [(4, [[8.0, 4.0]])]
    mirror.put(spots)
    assert read_rois(mirror) == [(4, [[8.0, 4.0]])]


def test_shapes_are_the_rois_of_their_kind_on_their_slices(mirror):
    box = [[1.0, 2], [1, 5], [4, 5], [4, 2]]
    turned = [[0.0, 2], [2, 0], [4, 2], [2, 4]]
    shapes = [("rectangle", box), ("ellipse", box), ("rectangle", turned), ("line", box[:2])]
    shapes += [("ellipse", turned), ("polygon", [[0.0, 0], [0, 2], [2, 0]])]
    names = ("polygon", "rectangle", "ellipse", "line", "path")
    data = np.concatenate([np.insert(v, 0, 3, axis=1) for _, v in shapes])
    data[-1, 0] = 4  # the polygon lies in two planes
    arrays = {
        "offsets": np.cumsum([0, *(len(v) for _, v in shapes)]),
        "types": np.array([names.index(name) for name, _ in shapes]),
    }
    mirror.put(Item("cells", "shapes", data, {"t": 0}, arrays=arrays))
    kinds = read_rois(mirror)
    assert [kind for kind, _ in kinds] == [1, 2, 0, 3, 0]
    assert kinds[0][1] == [[2.5, 1.5], [5.5, 4.5]], "an area begins at the corner of a pixel"
    assert kinds[3][1] == [[2.0, 1.0], [5.0, 1.0]], "and a line at its centre"
    radius = np.hypot(*(np.array(kinds[4][1]) - 2.5).T)
    np.testing.assert_allclose(radius, np.sqrt(2), rtol=1e-5)
    assert mirror.stacks.notes == [("cells", "1 shapes that lie in several planes are left out")]
    (group,) = mirror.groups
    assert mirror.axes[group[2]] == [0], "one slice is known, the one with shapes"


@pytest.mark.parametrize("kind", ["tracks", "vectors", "surface"])
def test_what_imagej_cannot_show_is_refused_by_its_kind(mirror, kind):
    with pytest.raises(Refusal, match=f"no layers of {kind}"):
        mirror.put(Item("a", kind, np.zeros((2, 2, 2)), {"t": 0}))


def test_too_many_rois_are_refused_and_replaced_ones_make_room(mirror, monkeypatch):
    monkeypatch.setattr("dask_napari.fiji._stacks.ROIS_LIMIT", 2)
    for t in (0, 1, 1, 0):
        mirror.put(Item("spots", "points", np.zeros((3, 2)), {"t": t}))
    with pytest.raises(Refusal, match="slow"):
        mirror.put(Item("spots", "points", np.zeros((3, 2)), {"t": 2}))


@given(st.text(), st.text())
def test_no_text_of_a_stream_ends_a_field_or_a_line(layer, value):
    line = command("window", layer, value)
    assert line.count("\t") == 2
    assert line.isprintable() or re.sub("\t", "", line).isprintable()
    line.encode()


def test_a_full_disk_costs_the_item(mirror, monkeypatch):
    monkeypatch.setattr("dask_napari.fiji._plane_file.RESERVE", 1 << 60)
    with pytest.raises(Refusal, match="TMPDIR") as refused:
        mirror.put(image(1, {"t": 0}))
    assert refused.value.reason == "disk-full"
