"""Calls of PolyStore, read without it: modes, names, positions, planes and regions."""

from enum import Enum
from types import SimpleNamespace

import numpy as np
import pytest

from dask_napari import mosaic
from dask_napari.model import Calibration, Refusal
from dask_napari.openhcs import component_axes, save_call
from dask_napari.openhcs._receipts import Receipt, Receipts, SavedEntry
from dask_napari.openhcs._saved_items import SavedFields, image_items, saved_fields
from dask_napari.openhcs._saved_rois import roi_items
from dask_napari.stream import Item, Publisher
from headless import eventually


class Mode(Enum):
    """Modes of components, as in OpenHCS."""

    SLICE = "slice"
    STACK = "stack"
    LAYER = "layer"
    WINDOW = "window"


def display(**fields):
    return SimpleNamespace(COMPONENT_ORDER=["well", "site", "channel"], **fields)


def test_modes_are_fields_of_the_display_or_a_method():
    axes = component_axes(
        display(well_mode=Mode.WINDOW, channel_mode=Mode.SLICE, get_colormap_name=lambda: "magma")
    )
    assert axes.modes == {"well": "layer", "site": "slider", "channel": "layer"}
    assert (axes.colormap, axes.sizes) == ("magma", "pad")
    axes = component_axes(
        display(
            component_modes=lambda: {"well": Mode.STACK, "channel": "layer"},
            display_payload_extra=lambda: {"variable_size_handling": "separate_layers"},
        )
    )
    assert axes.modes == {"well": "slider", "site": "slider", "channel": "layer"}
    assert (axes.colormap, axes.sizes) == ("", "separate")


def test_layouts_and_names():
    names = {"channel": {1: "DAPI", 2: None}, "site": None}
    axes = component_axes(display(), lambda name: names[name], {"well": mosaic("well", plate=96)})
    spec = axes.layer("raw", "image")
    assert spec.axes == {"well": "mosaic", "site": "slider", "channel": "slider"}
    assert spec.layouts["channel"].names == {"1": "DAPI"}
    assert spec.layouts["well"].plate == 96
    assert axes.layer("cells", "shapes").options == {}


def test_names_that_cannot_be_read_cost_themselves(caplog):
    assert component_axes(display(), lambda name: {}[name]).layer("raw", "image").layouts == {}
    assert "no names for component 'channel': 'channel'" in caplog.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"well_mode": "pile"}, "component 'well' has the mode 'pile'"),
        ({"variable_size_handling": "crop"}, "variable_size_handling is 'crop'"),
    ],
)
def test_unknown_modes_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        component_axes(display(**fields))


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"stream_request": 1, "port": 2}, "stream_request says all; leave port out"),
        ({"port": 1}, "display_config, microscope_handler is missing"),
    ],
)
def test_calls_of_neither_form_are_refused(kwargs, words):
    with pytest.raises(ValueError, match=words):
        save_call(kwargs, {}, str)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "tcp://127.0.0.1:7"),
        (None, "tcp://127.0.0.1:7"),
        ("0.0.0.0", "tcp://127.0.0.1:7"),
        ("10.0.0.2", "tcp://10.0.0.2:7"),
        ("::1", "tcp://[::1]:7"),
    ],
)
def test_the_viewer_is_at_the_port_of_the_pipeline(host, address):
    parser = SimpleNamespace(parse_filename=lambda name: {"well": name[:3], "extension": ".tif"})
    handler = SimpleNamespace(parser=parser, metadata_handler=None)
    call = save_call(
        {"host": host, "port": 7, "display_config": display(), "microscope_handler": handler},
        {},
        str,
    )
    assert call.address == address
    assert call.position("/x/B02_s1.tif", 0) == {"well": "B02"}
    assert call.source(0) == "unknown_source"


def items(value, **fields):
    return list(image_items(value, "raw", {"well": "A01"}, "a.tif", saved_fields(fields)))


def test_planes_lie_at_the_values_of_their_component():
    stack = np.arange(24).reshape(2, 3, 4)
    found = items(stack, plane_component_values={"z": [4, 6]}, image_metadata={})
    assert [item.position for item in found] == [{"well": "A01", "z": 4}, {"well": "A01", "z": 6}]
    assert np.array_equal(found[1].data, stack[1])
    (item,) = items(stack[0], plane_component_values={"z": [4]})
    assert item.data.shape == (3, 4)


def test_a_part_of_a_source_image_lies_where_it_was():
    (item,) = items(np.ones((3, 4)), spatial_origin_yx=(5, 6), source_spatial_shape_yx=(10, 20))
    assert (item.origin, item.array_shape) == ((5, 6), (10, 20))
    (whole,) = items(np.ones((3, 4)), source_spatial_shape_yx=(3, 4))
    assert (whole.origin, whole.array_shape) == ((), ())


def test_pixel_sizes_of_the_last_axes():
    fields = SavedFields(spacing=(2.0, 0.5, 0.25), unit="micrometer")
    assert fields.calibration(2) == Calibration(scale=(0.5, 0.25), units=("micrometer",) * 2)
    assert fields.calibration(4) == Calibration()


@pytest.mark.parametrize(
    ("value", "fields", "error", "reason"),
    [
        (np.ones((2, 3, 4)), {"plane_component_values": {"z": [1]}}, Refusal, "planes"),
        (np.ones((3, 4)), {"plane_component_values": {"z": [1], "t": [1]}}, ValueError, ""),
        (np.ones((2, 3, 4)), {"source_channel_axis": 0}, Refusal, "colours"),
        (
            np.ones((3, 4)),
            {"spatial_origin_yx": (8, 0), "source_spatial_shape_yx": (10, 20)},
            Refusal,
            "place in the source",
        ),
    ],
)
def test_images_that_do_not_fit_their_fields_are_refused(value, fields, error, reason):
    with pytest.raises(error) as caught:
        items(value, **fields)
    assert getattr(caught.value, "reason", "") == reason


def region(kind, metadata=None, **fields):
    return SimpleNamespace(
        shapes=[SimpleNamespace(shape_type=kind, **fields)], metadata=metadata or {}
    )


def regions_of(found, **fields):
    made = roi_items(found, "cells", {"well": "A01"}, "a.roi.zip", saved_fields(fields))
    return {item.layer: item for _, item in made}


def test_masks_of_boxes_and_of_whole_images_are_labels():
    whole = np.zeros((6, 7), bool)
    whole[5, 6] = True
    found = regions_of(
        [
            region("mask", {"label": 9}, mask=np.ones((2, 2), bool), bbox=(1, 2, 3, 4)),
            region("mask", mask=whole, bbox=(5, 6, 6, 7)),
        ],
        source_spatial_shape_yx=(8, 8),
    )
    labels = found["cells masks"].data
    assert labels.shape == (8, 8)
    assert labels[1:3, 2:4].tolist() == [[9, 9], [9, 9]]
    assert labels[5, 6] == 2
    assert np.count_nonzero(labels) == 5


def test_masks_of_a_part_lie_at_its_place_in_the_source():
    mask = np.zeros((3, 4), bool)
    mask[0, 1] = True
    found = regions_of(
        [region("mask", {"spatial_origin_yx": (5, 6)}, mask=mask, bbox=(5, 7, 6, 8))],
        source_spatial_shape_yx=(9, 12),
    )
    assert np.argwhere(found["cells masks"].data).tolist() == [[5, 7]]


def test_measurements_that_some_points_lack_are_not_numbers():
    found = regions_of(
        [
            region("point", {"area": 2.5, "name": "a"}, y=1, x=2),
            region("point", {"label": 4, "bbox": (1, 2, 3, 4)}, y=3, x=4),
        ]
    )
    arrays = found["cells points"].arrays
    assert np.array_equal(arrays["feature:area"], [2.5, np.nan], equal_nan=True)
    assert arrays["feature:name"].tolist() == ["a", ""]
    assert set(arrays) == {"feature:area", "feature:name", "feature:label"}


def test_regions_of_an_unknown_type_are_refused():
    with pytest.raises(Refusal, match="'helix'"):
        regions_of([region("helix")])


class Tracker:
    """A queue tracker's two methods."""

    def __init__(self):
        self.sent, self.done = [], []

    def register_sent(self, image_id):
        self.sent.append(image_id)

    def mark_processed(self, image_id):
        self.done.append(image_id)
        if image_id == "bad":
            raise RuntimeError("of others")


def entry(receipt, number=0):
    return SavedEntry(Item("raw", "image", np.zeros((2, 2)), {"t": number}), receipt)


@pytest.mark.drops("queue-full")
def test_images_are_done_when_the_publisher_has_let_go_of_all_their_items():
    tracker, receipts = Tracker(), Receipts()
    publisher = Publisher("tcp://127.0.0.1:1", name="me", queue_bytes=64)
    for image in ("two", "bad", "full"):
        receipt = receipts.issue(tracker, image)
        for number in range(2):
            publisher.put(entry(receipt, 10 * len(tracker.sent) + number))
        del receipt
    assert tracker.sent == ["two", "bad", "full"]
    eventually(lambda: tracker.done == ["bad", "full"], tracker.done)
    publisher.close()
    eventually(lambda: tracker.done == ["bad", "full", "two"], tracker.done)
    receipts.end(10)
    assert not receipts._thread.is_alive()


def test_receipts_end_after_the_last():
    tracker, receipts = Tracker(), Receipts()
    receipt = receipts.issue(tracker, "a")
    thread = receipts._thread
    del receipts
    thread.join(0.05)
    assert thread.is_alive()
    held = entry(receipt)
    del receipt, held
    thread.join(10)
    assert tracker.done == ["a"]


def test_an_entry_hands_its_item_over():
    made = entry(Receipt())
    (item,) = made.items()
    assert made.place() == item.place
    assert made.items() == ()
    assert not made.forget()
