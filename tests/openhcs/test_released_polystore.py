"""OpenHCS's PolyStore, as it was released, streams to a viewer of dask-napari.

Skipped where PolyStore is not installed. The calls are those of its own ``FileManager``, by its own
registry, with its own requests, regions and queue tracker.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import dask
import numpy as np
import pytest

import dask_napari as dn
from dask_napari import openhcs
from dask_napari.model import SHAPE_TYPES
from headless import Headless, eventually

pytest.importorskip("polystore")
pytest.importorskip("zmqruntime")

import polystore.napari_stream
from polystore import roi as rois
from polystore.backend_registry import STORAGE_BACKENDS
from polystore.filemanager import FileManager
from zmqruntime.config import TransportMode
from zmqruntime.queue_tracker import GlobalQueueTrackerRegistry

viewer_transport = None
try:
    from polystore.streaming import identity, viewer_transport
    from zmqruntime.viewer_protocol import ViewerTransportEndpoint
except ImportError:  # up to 0.1.9
    pass

typed = pytest.mark.skipif(viewer_transport is None, reason="PolyStore without ViewerStreamRequest")

PLANE = np.arange(12, dtype="uint16").reshape(3, 4)
ORDER = ("site", "channel", "z_index", "timepoint", "well")


class Display(viewer_transport.ViewerDisplayConfigABC if viewer_transport else object):
    """A display of the released abstract class, as OpenHCS's own: see `test_released_openhcs`."""

    COMPONENT_ORDER = ORDER

    def __init__(self, colormap="magma", sizes="pad_to_max", **modes):
        self.colormap, self.variable_size_handling = colormap, sizes
        self.modes = {name: modes.get(name, "stack") for name in self.COMPONENT_ORDER}

    def component_modes(self):
        return self.modes

    def display_payload_extra(self):
        return {"colormap": self.colormap, "variable_size_handling": self.variable_size_handling}


class Parser:
    """A parser by the released interface."""

    def parse_filename(self, name):
        found = re.fullmatch(r"([A-P]\d\d)_s(\d+)_w(\d)_z(\d+)_t(\d+)(\.\w+)+", name)
        if found is None:
            return None
        keys = ("well", "site", "channel", "z_index", "timepoint", "extension")
        values = [int(v) if v.isdecimal() else v for v in found.groups()]
        return dict(zip(keys, values, strict=True))


class Metadata:
    """Names of the channels of a plate, in both of the released interfaces."""

    NAMES = MappingProxyType({"channel": {"1": "DAPI", "2": "actin"}})

    def get_component_values(self, plate_path, component_name):
        return self.NAMES.get(component_name)

    def get_channel_values(self, plate_path):
        return self.NAMES["channel"]


HANDLER = SimpleNamespace(parser=Parser(), metadata_handler=Metadata())


@pytest.fixture
def viewer():
    with Headless("tcp://127.0.0.1:*") as headless:
        yield headless


@pytest.fixture
def port(viewer):
    number = int(viewer.receiver.addresses[-1].rpartition(":")[2])
    yield number
    GlobalQueueTrackerRegistry().remove_tracker(number)


@pytest.fixture
def backend(monkeypatch):
    module = polystore.napari_stream
    monkeypatch.setattr(module, "NapariStreamingBackend", module.NapariStreamingBackend)
    replaced = STORAGE_BACKENDS.get("napari_stream")
    openhcs.register()
    backend = STORAGE_BACKENDS["napari_stream"]()
    yield backend
    backend.cleanup()
    dict.__setitem__(STORAGE_BACKENDS, "napari_stream", replaced)


@contextmanager
def closing_backend(backend):
    yield backend
    backend.cleanup()


@pytest.fixture
def files(backend):
    return FileManager({"napari_stream": backend})


def request(port, metadata, *, display=None, step="Segment", fields=None, handler=HANDLER, **extra):
    """A request as OpenHCS makes it."""
    named = identity.StreamProducerIdentity.pipeline_output(
        output_kind="main",
        output_key="out",
        projection_key="out",
        step_name=step,
        pipeline_position=1,
    )
    return viewer_transport.ViewerStreamRequest(
        viewer_transport=ViewerTransportEndpoint(
            port=port, host="127.0.0.1", transport_mode=TransportMode.TCP
        ),
        display_config=display or Display(),
        source=viewer_transport.ViewerStreamSource(
            viewer_transport.ViewerStreamSourceIdentity(handler, "/plate"), metadata, fields or {}
        ),
        producer=viewer_transport.ViewerStreamProducer.from_identity(named),
        **extra,
    )


def keywords(port, **others):
    """The keywords of releases up to 0.1.9."""
    return {
        "host": "localhost",
        "port": port,
        "transport_mode": TransportMode.TCP,
        "display_config": Display(),
        "microscope_handler": HANDLER,
        "source": "step 1",
        "plate_path": "/plate",
        **others,
    }


def by_position(viewer, number, *axes):
    """Return the items that have arrived, once there are so many, by coordinates of these axes."""
    viewer.until(lambda: len(viewer.items) >= number)
    return {tuple(item.position[axis] for axis in axes): item for item in viewer.items}


def test_the_keyword_form_places_images_by_the_parser(viewer, port, files):
    paths = ["/x/A01_s1_w1_z3_t1.tif", "/x/B02_s2_w2_z3_t1.tif"]
    files.save_batch([PLANE, PLANE + 1], paths, "napari_stream", **keywords(port))
    seen = by_position(viewer, 2, "well", "site")
    item = seen["B02", 2]
    assert item.layer == "step 1"
    assert list(item.position) == list(ORDER)
    assert item.position == {"site": 2, "channel": 2, "z_index": 3, "timepoint": 1, "well": "B02"}
    assert np.array_equal(item.data, PLANE + 1)
    assert item.provenance.key == paths[1]
    assert progress(port) == (2, 2)


def progress(port):
    tracker = GlobalQueueTrackerRegistry().get_tracker(port)
    eventually(lambda: tracker.get_pending_count() == 0, tracker)
    return tracker.get_progress()


@pytest.mark.drops("queue-full")
def test_the_tracker_is_told_of_what_is_dropped(port, backend):
    with dask.config.set({"dask-napari.queue": "100 B"}):
        paths = [f"A01_s{n}_w1_z1_t1.tif" for n in range(6)]
        nobody = port - 1
        backend.save_batch([PLANE] * 6, paths, **keywords(nobody))
        tracker = GlobalQueueTrackerRegistry().get_tracker(nobody)
        eventually(lambda: tracker.get_progress() == (2, 6), tracker)
        backend.cleanup()
        eventually(lambda: tracker.get_progress() == (6, 6), tracker)
        GlobalQueueTrackerRegistry().remove_tracker(nobody)


def test_the_keyword_form_declares_its_layer(viewer, port, files):
    display = Display(sizes="separate_layers", channel="slice", z_index="layer")
    kwargs = keywords(port, display_config=display)
    files.save_batch([PLANE], ["A01_s1_w1_z3_t1.tif"], "napari_stream", **kwargs)
    by_position(viewer, 1)
    spec = viewer.receiver.layers()["step 1"]
    modes = {"site": "slider", "channel": "layer", "z_index": "layer", "timepoint": "slider"}
    assert list(spec.axes.items()) == [*modes.items(), ("well", "slider")]
    assert spec.layouts["channel"].names == {"1": "DAPI", "2": "actin"}
    assert spec.options == {"colormap": "magma"}
    assert spec.sizes == "separate"


def test_layouts_of_the_user_win_over_the_display(viewer, port):
    kind = openhcs.register(axes=dn.mosaic("well", plate=96))
    with closing_backend(kind()) as backend:
        backend.save_batch([PLANE], ["A01_s1_w1_z3_t1.tif"], **keywords(port))
        by_position(viewer, 1)
        spec = viewer.receiver.layers()["step 1"]
        assert spec.axes["well"] == "mosaic"
        assert spec.layouts["well"].plate == 96
    openhcs.register()


@typed
@pytest.mark.parametrize("form", ["batch", "path_mapped", "indexed"])
def test_a_request_places_images_by_the_metadata_of_its_source(viewer, port, files, form):
    found = [{"well": "A01", "site": 1, "channel": 2}, {"well": "A02", "site": 1, "channel": 2}]
    paths = ["/x/a.tif", "/x/b.tif"]
    metadata = {
        "batch": lambda: viewer_transport.BatchViewerStreamSourceMetadata(found[0]),
        "path_mapped": lambda: viewer_transport.PathMappedViewerStreamSourceMetadata(
            {"/x/a.tif": found[0], "b.tif": found[1]}
        ),
        "indexed": lambda: viewer_transport.IndexedViewerStreamSourceMetadata(found),
    }[form]()
    images = [PLANE, PLANE + 1] if form != "batch" else [PLANE]
    kwargs = {"stream_request": request(port, metadata)}
    files.save_batch(images, paths[: len(images)], "napari_stream", **kwargs)
    seen = by_position(viewer, len(images), "well")
    for n, image in enumerate(images):
        item = seen[(found[n]["well"],)]
        assert item.layer == "2. Segment"
        assert item.position == {"site": 1, "channel": 2, "well": found[n]["well"]}
        assert np.array_equal(item.data, image)
    assert progress(port) == (len(images), len(images))
    spec = viewer.receiver.layers()["2. Segment"]
    assert list(spec.axes) == list(ORDER)
    assert spec.layouts["channel"].names == {"1": "DAPI", "2": "actin"}


@typed
def test_names_that_the_request_says_win_over_those_of_the_plate(viewer, port, backend):
    said = {"component_names_metadata": {"well": {"A01": "control"}}, "component_value_domain": {}}
    backend.save_batch(
        [PLANE],
        ["a.tif"],
        stream_request=request(port, batch_metadata(well="A01"), message_extra=said),
    )
    by_position(viewer, 1)
    layouts = viewer.receiver.layers()["2. Segment"].layouts
    assert {axis: layout.names for axis, layout in layouts.items()} == {"well": {"A01": "control"}}


def batch_metadata(**values):
    return viewer_transport.BatchViewerStreamSourceMetadata(values)


@typed
def test_producers_with_one_label_have_two_layers(viewer, port, backend):
    for step, position in (("Segment", 1), ("Segment", None)):
        named = identity.StreamProducerIdentity(
            "pipeline", "main", "out", "out", "2. Segment" if position is None else step, position
        )
        made = request(port, batch_metadata(well="A01"))
        made = dataclasses.replace(
            made, producer=viewer_transport.ViewerStreamProducer.from_identity(named)
        )
        backend.save_batch([PLANE], ["a.tif"], stream_request=made)
    by_position(viewer, 2)
    assert sorted(item.layer for item in viewer.items) == ["2. Segment", "2. Segment [out]"]


@typed
def test_planes_colours_and_places_in_the_source(viewer, port, backend):
    planes = np.stack([PLANE, PLANE + 1])
    fields = {
        "image_metadata": {
            "source_voxel_spacing": {"values_zyx": [2.0, 0.5, 0.25], "unit": "micrometers"},
            "plane_axis": "z",
        },
        "plane_component_values": {"z_index": (7, 9)},
        "spatial_origin_yx": (10, 20),
        "source_spatial_shape_yx": (100, 200),
    }
    made = request(port, batch_metadata(well="A01"), fields=fields)
    backend.save_batch([planes], ["stack.tif"], stream_request=made)
    seen = by_position(viewer, 2, "z_index")
    assert np.array_equal(seen[(9,)].data, PLANE + 1)
    assert seen[(9,)].position == {"z_index": 9, "well": "A01"}
    assert (seen[(7,)].origin, seen[(7,)].array_shape) == ((10, 20), (100, 200))
    assert seen[(7,)].calibration.scale == (0.5, 0.25)
    assert seen[(7,)].calibration.units == ("micrometer", "micrometer")
    assert progress(port) == (1, 1)

    viewer.items.clear()
    colours = np.zeros((3, 4, 5), "uint8")
    fields = {"image_metadata": {"source_channel_axis": 0}, "source_channel_axis": 0}
    made = request(port, batch_metadata(well="A01"), fields=fields, step="Colour")
    backend.save_batch([colours], ["rgb.png"], stream_request=made)
    (item,) = by_position(viewer, 1, "well").values()
    assert item.rgb
    assert item.data.shape == (4, 5, 3)


def regions():
    """A region of each shape that the release has."""
    polygon = np.array([[1.0, 1.0], [1.0, 5.0], [4.0, 3.0]])
    mask = np.zeros((2, 3), bool)
    mask[0, 1:] = True
    return [
        rois.ROI([rois.PolygonShape(polygon)], {"label": 1, "area": 6.5, "centroid": (2.0, 3.0)}),
        rois.ROI([rois.EllipseShape(4.0, 5.0, 2.0, 3.0)], {"label": 2, "area": 18.8}),
        rois.ROI([rois.PolylineShape(polygon[:2])], {"label": 3}),
        rois.ROI([rois.PointShape(2.5, 3.5)], {"label": 4, "area": 1.0}),
        rois.ROI([rois.MaskShape(mask, (3, 4, 5, 7))], {"label": 5}),
    ]


def test_regions_of_interest_are_shapes_points_and_masks(viewer, port, files):
    files.save_batch([regions()], ["A01_s1_w1_z1_t1.roi.zip"], "napari_stream", **keywords(port))
    viewer.until(lambda: len(viewer.items) == 3)
    kinds = {item.layer: item for item in viewer.items}
    shapes, points, masks = (kinds[f"step 1 {word}"] for word in ("ROIs", "points", "masks"))
    assert shapes.kind == "shapes"
    assert [SHAPE_TYPES[n] for n in shapes.arrays["types"]] == ["polygon", "ellipse", "path"]
    assert shapes.data[3:7].tolist() == [[2.0, 2.0], [2.0, 8.0], [6.0, 8.0], [6.0, 2.0]]
    assert shapes.arrays["feature:label"].tolist() == [1, 2, 3]
    assert shapes.arrays["feature:area"][:2].tolist() == [6.5, 18.8]
    assert shapes.arrays["feature:centroid_y"][0] == 2.0
    assert (points.kind, points.data.tolist()) == ("points", [[2.5, 3.5]])
    assert points.arrays["feature:label"].tolist() == [4]
    assert masks.kind == "labels"
    assert masks.data.shape == (5, 7)
    assert {*map(tuple, np.argwhere(masks.data == 5))} == {(3, 5), (3, 6)}
    assert {tuple(item.position.values()) for item in viewer.items} == {(1, 1, 1, 1, "A01")}
    assert viewer.receiver.layers()["step 1 ROIs"].options == {}
    assert progress(port) == (1, 1)


def test_an_archive_that_polystore_wrote_is_shown_as_it_reads_it(viewer, port, backend, tmp_path):
    pytest.importorskip("roifile")
    from polystore.disk import DiskStorageBackend

    path = tmp_path / "A01_s1_w1_z1_t1.roi.zip"
    polygons = [region for region in regions() if region.metadata["label"] == 1]
    DiskStorageBackend().save(polygons, path, images_dir=str(tmp_path))
    backend.save_batch([rois.load_rois_from_zip(path)], [path], **keywords(port))
    viewer.until(lambda: len(viewer.items) == 1)
    (item,) = viewer.items
    assert item.layer == "step 1 ROIs"
    assert item.data.tolist() == [[1.0, 1.0], [1.0, 5.0], [4.0, 3.0]]


def test_an_empty_archive_empties_its_place(viewer, port, backend):
    backend.save_batch([[]], ["A01_s1_w1_z1_t1.roi.zip"], **keywords(port))
    viewer.until(lambda: len(viewer.items) == 1)
    (item,) = viewer.items
    assert (item.kind, item.layer, len(item.data)) == ("shapes", "step 1 ROIs", 0)


@typed
def test_regions_in_planes_lie_at_the_values_of_their_component(viewer, port, backend):
    found = [
        rois.ROI([rois.PointShape(1.0, float(n))], {"label": n, "plane_indices": (n,)})
        for n in range(2)
    ]
    fields = {"image_metadata": {}, "plane_component_values": {"z_index": (5, 6)}}
    made = request(port, batch_metadata(well="A01"), fields=fields)
    backend.save_batch([found], ["a.roi.zip"], stream_request=made)
    seen = by_position(viewer, 2, "z_index")
    assert {z: item.data.tolist() for (z,), item in seen.items()} == {
        5: [[1.0, 0.0]],
        6: [[1.0, 1.0]],
    }


def test_files_of_other_types_are_skipped_and_said(viewer, port, backend, caplog):
    caplog.set_level(logging.INFO, "dask_napari")
    paths = ["A01_s1_w1_z1_t1.tif", "A01_s1_w1_z1_t1.csv", "A01_s2_w1_z1_t1.tif"]
    backend.save_batch([PLANE, {"a": 1}, PLANE + 2], paths, **keywords(port))
    seen = by_position(viewer, 2, "site")
    assert np.array_equal(seen[(2,)].data, PLANE + 2)
    assert f"napari: Skipping 1 non-streamable files: [{paths[1]!r}]" in caplog.text
    assert not backend.supports_file_path("x.csv")
    backend.save("text", "x.tif", **keywords(port))
    backend.save_batch([{"a": 1}], ["x.csv"])
    assert progress(port) == (2, 2)


@pytest.mark.parametrize(
    ("values", "paths", "changed", "words"),
    [
        ([PLANE] * 2, ["A01_s1_w1_z1_t1.tif"], {}, "same length: 2 values and 1 paths"),
        ([PLANE], ["A01.tif"], {}, "Parser cannot read the file name 'A01.tif'"),
        ([PLANE], ["A01_s1_w1_z1_t1.tif"], {"stream_request": 1}, "stream_request says all"),
        (
            [PLANE],
            ["A01_s1_w1_z1_t1.tif"],
            {"display_config": Display(well="pile")},
            "component 'well' has the mode 'pile'",
        ),
    ],
)
def test_calls_that_cannot_be_used_are_refused(port, backend, values, paths, changed, words):
    with pytest.raises(ValueError, match=words):
        backend.save_batch(values, paths, **keywords(port, **changed))
    assert GlobalQueueTrackerRegistry().get_tracker(port) is None


@pytest.mark.drops("dimensions")
def test_a_value_that_cannot_be_shown_costs_itself(viewer, port, backend):
    paths = [f"A01_s{n}_w1_z1_t1.tif" for n in range(3)]
    backend.save_batch([PLANE, np.zeros(3), PLANE + 2], paths, **keywords(port))
    seen = by_position(viewer, 2, "site")
    assert sorted(seen) == [(0,), (2,)]
    assert progress(port) == (3, 3)


def test_images_are_those_of_the_call(viewer, port, backend):
    image = PLANE.copy()
    backend.save_batch([image], ["A01_s1_w1_z1_t1.tif"], **keywords(port))
    image[:] = 0
    (item,) = by_position(viewer, 1, "well").values()
    assert np.array_equal(item.data, PLANE)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("dask-napari-")]


def test_a_backend_that_is_forgotten_delivers_and_leaves_nothing(viewer, port):
    before = threads()
    backend = openhcs.register()()
    backend.save_batch([PLANE], ["A01_s1_w1_z1_t1.tif"], **keywords(port))
    assert len(threads()) > len(before)
    del backend
    gc.collect()
    by_position(viewer, 1)
    assert progress(port) == (1, 1)
    eventually(lambda: len(threads()) <= len(before), threads)


def test_a_backend_can_be_used_after_cleanup(viewer, port, backend):
    before = threads()
    for n in range(2):
        backend.save_batch([PLANE], [f"A01_s{n}_w1_z1_t1.tif"], **keywords(port))
        backend.cleanup()
        assert len(threads()) <= len(before)
    by_position(viewer, 2)
    assert progress(port) == (2, 2)


def test_a_forked_process_has_streams_of_its_own(viewer, port, backend):
    backend.save_batch([PLANE], ["A01_s0_w1_z1_t1.tif"], **keywords(port))
    by_position(viewer, 1)
    child = multiprocessing.get_context("fork").Process(target=save_and_end, args=(backend, port))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks in processes with threads
        child.start()
    seen = by_position(viewer, 2, "site")
    child.join(30)
    assert child.exitcode == 0
    assert sorted(seen) == [(0,), (1,)]
    backend.save_batch([PLANE], ["A01_s2_w1_z1_t1.tif"], **keywords(port))
    by_position(viewer, 3)
    assert {item.run for item in viewer.items} == {1}


def save_and_end(backend, port):
    backend.save_batch([PLANE], ["A01_s1_w1_z1_t1.tif"], **keywords(port))


SCRIPT = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
import test_released_polystore as these
backend = these.openhcs.register()()
backend.save_batch([these.PLANE], ["A01_s1_w1_z1_t1.tif"], **these.keywords({port}))
"""


def test_an_interpreter_that_ends_delivers_and_leaves_nothing(viewer, port):
    here = Path(__file__).parent
    before = {*os.listdir("/dev/shm")}
    script = SCRIPT.format(tests=str(here.parent), here=str(here), port=port)
    done = subprocess.run(
        [sys.executable, "-c", script], timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    by_position(viewer, 1)
    eventually(lambda: not {*os.listdir("/dev/shm")} - before)  # other tests have segments, too


def test_registries_and_managers_make_the_backend(backend):
    from polystore.backend_registry import create_storage_registry

    made = create_storage_registry()["napari_stream"]
    assert isinstance(made, openhcs.NapariBackend)
    assert STORAGE_BACKENDS["dask_napari"] is openhcs.NapariBackend
    assert isinstance(pickle.loads(pickle.dumps(backend)), openhcs.NapariBackend)
    manager = FileManager({"napari_stream": made})
    copied = pickle.loads(pickle.dumps(manager))
    assert isinstance(copied.registry["napari_stream"], openhcs.NapariBackend)
