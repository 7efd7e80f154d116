"""Items written and read back, whatever comes, in whatever order, and after every end."""

from __future__ import annotations

import json
import os
import tempfile
from functools import partial
from pathlib import Path
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_napari.model import Calibration, Item, Refusal
from dask_napari.record import Record, _contents, _image
from dask_napari.record._journal import JournalLine
from dask_napari.record._reader import RecordedOutput
from dask_napari.record._store import Store
from example_counts import examples
from record_items import IN_MEMORY, assert_holds, items, last_of_each


def written(path: Path, sent: list[Item], **how: bool) -> None:
    store = Store(path, **how)
    for item in sent:
        assert store.put([item]) == [None]
    store.close()


def finished(path: Path) -> Record:
    store = Store(path, append=True)
    store.finish()
    store.close()
    return Record(path)


@settings(max_examples=examples(25))
@given(st.lists(items(), min_size=1, max_size=8), st.data())
def test_what_was_recorded_comes_back(sent, data):
    limit = data.draw(st.sampled_from([_image.CHUNK_LIMIT, 48]))  # items of several chunks, too
    with (
        tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder,
        patch.object(_image, "CHUNK_LIMIT", limit),
    ):
        path = Path(folder) / "run.zarr"
        cut = data.draw(st.integers(0, len(sent)))
        written(path, sent[:cut])
        assert_holds(Record(path).items(), sent[:cut])
        written(path, sent[cut:], append=True)
        assert_holds(Record(path).items(), sent)
        record = finished(path)
        assert_holds(record.items(), sent)
        assert_holds(finished(path).items(), sent)  # again changes nothing
        for image in record.images():
            yaozarrs.validate_zarr_store(str(path / image))
        if record.images():
            yaozarrs.validate_zarr_store(str(path))


@settings(max_examples=examples(15))
@given(st.lists(items(), min_size=1, max_size=6))
def test_items_of_different_places_may_come_together(sent):
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        store = Store(Path(folder) / "run.zarr")
        assert set(store.put(list(last_of_each(sent).values()))) == {None}
        store.close()
        assert_holds(Record(store.path).items(), sent)


def image(path: Path, name: str) -> tuple[np.ndarray, dict]:
    """The array of an image as any reader finds it, and the metadata."""
    group = zarr.open_group(str(path / name), mode="r")
    scales = group.attrs["ome"]["multiscales"][0]
    return np.asarray(group[scales["datasets"][0]["path"]]), scales


def test_an_image_has_its_coordinates_in_order_and_its_scale(tmp_path):
    known = Calibration(("y", "x"), (0.5, 0.25), (0.0, 8.0), ("um", "micrometer"))
    sent = [
        Item("raw", "image", np.full((3, 4), 10 * t + n, "u2"), {"well": f"A{n}", "t": t / 2})
        for n in (10, 2, 1)
        for t in (3, 1, 2)
    ]
    for item in sent:
        item.amend(calibration=known)
    written(tmp_path / "run.zarr", sent)
    finished(tmp_path / "run.zarr")
    found, scales = image(tmp_path / "run.zarr", "raw")
    assert [(axis["name"], axis.get("type")) for axis in scales["axes"]] == [
        ("t", "time"),
        ("well", None),
        ("y", "space"),
        ("x", "space"),
    ]
    assert [axis.get("unit") for axis in scales["axes"][2:]] == ["micrometer"] * 2
    (scale, translation) = scales["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [0.5, 1.0, 0.5, 0.25]
    assert translation["translation"] == [0.5, 0.0, 0.0, 8.0]
    assert found[:, :, 0, 0].tolist() == [[11, 12, 20], [21, 22, 30], [31, 32, 40]]
    ours = json.loads((tmp_path / "run.zarr/raw/zarr.json").read_text())["attributes"]
    places = ours["dask-napari"]["coordinates"]
    assert places["well"]["values"] == ["A1", "A2", "A10"]
    assert places["t"]["values"] == [0.5, 1.0, 1.5]


def test_frames_are_in_order_even_if_a_record_is_not_closed(tmp_path):
    sent = [Item("raw", "image", np.full((2, 2), t + 1, "u1"), {"t": t}) for t in (3, 0, 2, 1)]
    written(tmp_path / "run.zarr", sent)
    found, _ = image(tmp_path / "run.zarr", "raw")
    assert found[:, 0, 0].tolist() == [1, 2, 3, 4]


def test_axes_that_become_one_are_in_the_order_in_which_they_were_named_first(tmp_path):
    def field(well: str, field: int) -> Item:
        return Item("a", "image", np.full((2, 2), field, "u1"), {"well": well, "field": field})

    path = tmp_path / "run.zarr"
    written(path, [field("B1", 2), field("A1", 2)])
    swapped = field("A1", 1)
    swapped.amend(position=dict(reversed(swapped.position.items())))
    written(path, [swapped, field("B1", 1)], append=True)
    assert finished(path).images() == ["a"]
    assert image(path, "a")[1]["axes"][0]["name"] == "well,field"
    ours = json.loads((path / "a/zarr.json").read_text())["attributes"]["dask-napari"]
    found = ours["coordinates"]["well,field"]["values"]
    assert found == [["A1", 1], ["A1", 2], ["B1", 1], ["B1", 2]]


def test_channels_are_an_axis_alone_and_images_beside_others(tmp_path):
    sent = [
        Item("a", "image", np.full((2, 2), n, "u1"), {"channel": c}) for n, c in enumerate("GR")
    ]
    sent += [
        Item("b", "image", np.full((2, 2), n, "u1"), {"channel": c, "field": n})
        for n, c in enumerate("GR")
    ]
    written(tmp_path / "run.zarr", sent)
    assert finished(tmp_path / "run.zarr").images() == ["a", "b_G", "b_R"]
    assert image(tmp_path / "run.zarr", "a")[1]["axes"][0] == {"name": "channel", "type": "channel"}


def test_chunks_of_a_dask_array_are_one_array(tmp_path):
    whole = np.arange(70, dtype="i4").reshape(7, 10)
    # The last, smaller ones first: they fit no grid that they could tell of.
    corners = [(y, x) for y in (4, 0) for x in (8, 4, 0)]
    sent = [
        Item("cells", "labels", whole[y : y + 4, x : x + 4], origin=(y, x), array_shape=(7, 10))
        for y, x in corners
    ]
    written(tmp_path / "run.zarr", sent)
    assert_holds(Record(tmp_path / "run.zarr").items(), sent)
    finished(tmp_path / "run.zarr")
    found, _ = image(tmp_path / "run.zarr", "cells")
    assert (found == whole).all()
    attributes = json.loads((tmp_path / "run.zarr/cells/zarr.json").read_text())["attributes"]
    assert "image-label" in attributes["ome"]


def test_a_chunk_that_comes_again_while_it_moves_is_the_new_one(tmp_path):
    def chunk(y: int, value: int) -> Item:
        data = np.full((min(4, 7 - y), 4), value, "i4")
        return Item("cells", "labels", data, origin=(y, 0), array_shape=(7, 4))

    store = Store(tmp_path / "run.zarr")
    store.put([chunk(4, 1)])  # apart: it fits no grid
    store.put([chunk(0, 2), chunk(4, 3)])
    store.close()
    assert_holds(Record(tmp_path / "run.zarr").items(), [chunk(0, 2), chunk(4, 3)])
    found, _ = image(tmp_path / "run.zarr", "cells")
    assert found[:, 0].tolist() == [2] * 4 + [3] * 3


def test_colours_are_channels(tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (4, 5, 3), "u1")
    written(tmp_path / "run.zarr", [Item("photo", "image", data, {"t": 0}, rgb=True)])
    found, scales = image(tmp_path / "run.zarr", "photo")
    assert [axis["name"] for axis in scales["axes"]] == ["t", "c", "y", "x"]
    assert (found[0] == np.moveaxis(data, -1, 0)).all()


def test_there_are_not_any_number_of_images_but_all_items(tmp_path):
    sent = [Item("a", "image", np.ones((n, n), "u1"), {"t": n}) for n in (2, 4, 9, 30)]
    with patch.object(_contents, "IMAGES_LIMIT", 2):
        written(tmp_path / "run.zarr", sent)
        record = finished(tmp_path / "run.zarr")
    assert len(record.images()) == 2
    assert_holds(record.items(), sent)


def test_what_is_replaced_leaves_nothing(tmp_path):
    path = tmp_path / "run.zarr"
    store = Store(path)
    for shape in ((8, 8), (8, 8), (2, 2), (8, 8)):
        points = Item("spots", "points", np.ones(shape), {"t": 0})
        assert (
            store.put([Item("raw", "image", np.ones(shape, "u2"), {"t": 0}), points]) == [None] * 2
        )
    store.close()
    assert len(list(path.rglob("c.*"))) == 1
    assert len(list(path.rglob("*.npz"))) == 1
    assert len(Record(path)) == 2


def test_a_long_axis_is_not_described_at_each_item(tmp_path):
    store = Store(tmp_path / "run.zarr")
    described = []

    def coordinates() -> list[str]:
        ours = json.loads((tmp_path / "run.zarr/raw/zarr.json").read_text())["attributes"]
        return ours["dask-napari"]["coordinates"]["n"]["values"]

    for n in range(600):
        store.put([Item("raw", "image", np.full((2, 2), 1, "u1"), {"n": f"{n}"})])
        image = store.contents.images["raw"]
        described.append(len(coordinates()))
        assert image.shape[0] == n + 1
    assert len(set(described)) == 1
    store.finish()
    assert len(coordinates()) == 600
    store.close()


def test_a_record_reads_nothing_beside_itself(tmp_path):
    for name in ("mine.zarr", "run.zarr"):
        written(tmp_path / name, [Item("raw", "image", np.ones((2, 2), "u1"), {"t": 0})])
    journal = tmp_path / "run.zarr" / "items.jsonl"
    journal.write_text(journal.read_text().replace("raw/0", "../mine.zarr/raw/0"))
    with pytest.raises(ValueError, match="not in the record"):
        list(Record(tmp_path / "run.zarr").items())


def planted(folder: Path) -> Path:
    """A record of an image and some points."""
    written(
        folder,
        [
            Item("raw", "image", np.ones((2, 2), "u1"), {"t": 0}),
            Item("spots", "points", np.ones((3, 2)), {"t": 0}),
        ],
    )
    return folder


PLACES = {
    "chunk": "raw/0/c.*",
    "metadata of an image": "raw/0/zarr.json",
    "folder of an image": "raw/0",
    "elements of an item": "elements/*.npz",
    "folder of elements": "elements",
}


@pytest.mark.parametrize("what", ["link", "pipe"])
@pytest.mark.parametrize("place", PLACES)
def test_links_and_pipes_in_a_record_are_refused_and_never_waited_for(tmp_path, place, what):
    record = planted(tmp_path / "run.zarr")
    path = next(record.glob(PLACES[place]))
    if what == "link":  # to what is right, but elsewhere
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.rename(tmp_path / "elsewhere")
        os.mkfifo(path)
    found = Record(record)
    bad = "spots" if "element" in place else "raw"
    for line in found.lines:
        output = RecordedOutput(found, line, line.meta.layer)
        if line.meta.layer == bad:
            with pytest.raises(Refusal, match="unreadable"):
                output.items()
        else:
            assert len(output.items()) == 1
    if what == "link" and "folder" in place:
        with pytest.raises(ValueError, match=r"neither a file nor a folder|is a link"):
            Store(record, append=True)
        assert any((tmp_path / "elsewhere").iterdir()), "files beside the record were removed"


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_a_journal_that_is_a_link_or_a_pipe_is_refused(tmp_path, what):
    record = planted(tmp_path / "run.zarr")
    journal = record / "items.jsonl"
    journal.rename(tmp_path / "elsewhere")
    if what == "link":
        journal.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(journal)
    before = (tmp_path / "elsewhere").read_bytes()
    with pytest.raises((OSError, ValueError)):
        Record(record)
    with pytest.raises((OSError, ValueError)):
        Store(record, append=True)
    assert (tmp_path / "elsewhere").read_bytes() == before


def line_with(option: object) -> bytes:
    """A line of the journal, right but for an option."""
    meta = {"layer": "raw", "kind": "image", "options": {"colormap": option}}
    line = {"id": 9, "meta": meta, "shape": [1, 1], "dtype": "|u1"}
    assert msgspec.json.decode(json.dumps(line), type=JournalLine)
    return json.dumps(line).encode()


@pytest.mark.parametrize(
    "layers", [3, ["raw"], [{"name": "raw"}], [{"$items": 3}], [{"name": ["a"], "kind": "image"}]]
)
def test_attributes_that_no_recorder_writes_are_refused(tmp_path, layers):
    path = planted(tmp_path / "run.zarr")
    group = json.loads((path / "zarr.json").read_text())
    group["attributes"]["dask-napari"]["layers"] = layers
    (path / "zarr.json").write_text(json.dumps(group))
    for opened in (Record, partial(Store, append=True)):
        with pytest.raises(ValueError, match="not a record of dask-napari"):
            opened(path)


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b'{"id": "one"}',
        b"[" * 100_000,
        b'{"id": 9, "meta": {"layer": "\xc3("}}',
        b'{"gone": [9e99]}',
        b'{"gone": ',
        b"\0" * 100,
        line_with({"$items": 3}),
        line_with({"$items": [[[1], 2]]}),
        line_with({"$items": [1, 2]}),
        line_with({"$float": []}),
        line_with({"$float": "one"}),
    ],
)
def test_lines_that_cannot_be_read_are_counted_and_the_others_are_read(tmp_path, line):
    record = planted(tmp_path / "run.zarr")
    assert Record(record).unreadable == 0
    journal = record / "items.jsonl"
    journal.write_bytes(line + b"\n" + journal.read_bytes())
    found = Record(record)
    assert found.unreadable == 1
    assert "1 lines unreadable" in repr(found)
    assert len(list(found.items())) == 2
    assert found.unreadable == 1


def test_one_record_has_one_recorder(tmp_path):
    store = Store(tmp_path / "run.zarr")
    with pytest.raises(OSError, match="another process"):
        Store(tmp_path / "run.zarr", append=True)
    store.close()


def test_a_record_is_neither_written_over_nor_taken_for_one(tmp_path):
    written(tmp_path / "run.zarr", [])
    with pytest.raises(FileExistsError, match="--append"):
        Store(tmp_path / "run.zarr")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    for how in ({"append": True}, {"overwrite": True}):
        with pytest.raises(ValueError, match="not a record"):
            Store(tmp_path / "mine", **how)
    with pytest.raises(ValueError, match="not a record"):
        Record(tmp_path / "mine")
    with pytest.raises(FileNotFoundError):
        Record(tmp_path / "nothing")
    Store(tmp_path / "run.zarr", overwrite=True).close()
    assert (tmp_path / "mine" / "thesis.tex").exists()
