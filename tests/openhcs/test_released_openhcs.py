"""OpenHCS, as it was released, streams to a viewer of dask-napari.

Skipped where OpenHCS is not installed. Parsers, display configurations, requests, the fields of
images and the list of viewers are its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from dask_napari import openhcs
from headless import Headless, eventually

pytest.importorskip("openhcs.core")  # not this folder

import polystore.napari_stream
from openhcs.core.config import (
    NapariDimensionMode,
    NapariStreamingConfig,
    NapariVariableSizeHandling,
)
from openhcs.core.orchestrator import compiled_plate_execution
from openhcs.core.runtime_image_values import ImagePayloadMetadata
from openhcs.core.source_metadata import SourceVoxelSpacing
from openhcs.core.source_spatial_domain import SourceSpatialDomain
from openhcs.core.steps.stream_component_semantics import (
    StreamImagePayloadMetadataProjector,
    StreamViewerComponentMetadataProjector,
)
from openhcs.core.viewer_streaming_service import StreamingViewerLifecycle
from openhcs.microscopes.imagexpress import ImageXpressHandler
from polystore.backend_registry import STORAGE_BACKENDS
from polystore.filemanager import FileManager
from polystore.roi import LabeledMaskROIExtractionRequest, LabeledMaskROIExtractor
from polystore.streaming import identity
from polystore.streaming.viewer_transport import (
    ViewerStreamMessageContext,
    ViewerStreamProducer,
    ViewerStreamSourceIdentity,
)
from zmqruntime import ViewerStateManager
from zmqruntime.config import TransportMode
from zmqruntime.queue_tracker import GlobalQueueTrackerRegistry

PLANE = np.arange(12, dtype="uint16").reshape(3, 4)


@pytest.fixture
def viewer():
    with Headless("tcp://127.0.0.1:*") as headless:
        yield headless


@pytest.fixture
def config(viewer):
    port = int(viewer.receiver.addresses[-1].rpartition(":")[2])
    yield NapariStreamingConfig(
        port=port,
        transport_mode=TransportMode.IPC,  # OpenHCS's default; the viewer listens on the loopback
        channel_mode=NapariDimensionMode.LAYER,
        variable_size_handling=NapariVariableSizeHandling.SEPARATE_LAYERS,
        colormap="viridis",
    )
    GlobalQueueTrackerRegistry().remove_tracker(port)


@pytest.fixture
def files():
    backend = openhcs.NapariBackend()
    yield FileManager({"napari_stream": backend})
    backend.cleanup()


def kwargs_of(config, source, paths, handler, step="Segment", fields=None):
    """Return the keyword arguments that OpenHCS's streaming surface makes for these paths."""
    metadata = {
        path: handler.parser.parse_filename(path.rpartition("/")[2]).component_wire_mapping()
        for path in paths
    }
    named = identity.StreamProducerIdentity.pipeline_output(
        output_kind="main",
        output_key="out",
        projection_key="out",
        step_name=step,
        pipeline_position=2,
    )
    projector = StreamViewerComponentMetadataProjector(tuple(config.COMPONENT_ORDER))
    made = config.viewer_surface(source).viewer_backend_kwargs(
        producer=ViewerStreamProducer.from_identity(named),
        source_metadata=projector.path_mapped_source_metadata(metadata),
        message_context=ViewerStreamMessageContext(),
    )
    return (made.with_item_fields(fields) if fields else made).to_kwargs()


def progress(config):
    tracker = GlobalQueueTrackerRegistry().get_tracker(config.port)
    eventually(lambda: tracker.get_pending_count() == 0, tracker)
    return tracker.get_progress()


def test_images_of_a_plate(viewer, config, files):
    handler = ImageXpressHandler(files)
    source = ViewerStreamSourceIdentity(handler, None)
    paths = [f"/p/{well}_s1_w{c}_z1_t1.tif" for well in ("A01", "B02") for c in (1, 2)]
    images = [PLANE + n for n in range(4)]
    files.save_batch(images, paths, "napari_stream", **kwargs_of(config, source, paths, handler))
    viewer.until(lambda: len(viewer.items) == 4)
    seen = {(item.position["well"], item.position["channel"]): item for item in viewer.items}
    assert np.array_equal(seen["B02", 1].data, images[2])
    assert seen["B02", 1].layer == "3. Segment"
    assert list(seen["B02", 1].position) == ["site", "channel", "z_index", "timepoint", "well"]
    assert progress(config) == (4, 4)
    spec = viewer.receiver.layers()["3. Segment"]
    assert spec.axes["channel"] == "layer"
    assert spec.axes["well"] == "slider"
    assert (spec.sizes, spec.options) == ("separate", {"colormap": "viridis"})


def test_fields_of_images_as_openhcs_projects_them(viewer, config, files):
    handler = ImageXpressHandler(files)
    source = ViewerStreamSourceIdentity(handler, None)
    metadata = ImagePayloadMetadata(
        source_spatial_domain=SourceSpatialDomain(origin_yx=(1, 2), source_shape_yx=(30, 40)),
        source_voxel_spacing=SourceVoxelSpacing((0.5, 0.25)),
    )
    fields = StreamImagePayloadMetadataProjector.item_fields(metadata, config.COMPONENT_ORDER)
    paths = ["/p/A01_s1_w1_z1_t1.tif"]
    kwargs = kwargs_of(config, source, paths, handler, fields=fields)
    files.save_batch([PLANE], paths, "napari_stream", **kwargs)
    colour = ImagePayloadMetadata(source_channel_axis=2)
    fields = StreamImagePayloadMetadataProjector.item_fields(colour, config.COMPONENT_ORDER)
    kwargs = kwargs_of(config, source, paths, handler, "Colour", fields)
    files.save_batch([np.zeros((3, 4, 3), "u1")], paths, "napari_stream", **kwargs)
    viewer.until(lambda: len(viewer.items) == 2)
    seen = {item.layer: item for item in viewer.items}
    part = seen["3. Segment"]
    assert (part.origin, part.array_shape) == ((1, 2), (30, 40))
    assert part.calibration.scale == (0.5, 0.25)
    assert seen["3. Colour"].rgb


def test_regions_that_polystore_extracts_lie_on_the_labels(viewer, config, files):
    pytest.importorskip("skimage")
    labels = np.zeros((40, 40), int)
    labels[5:15, 10:30] = 3
    extraction = LabeledMaskROIExtractionRequest(labeled_mask=labels)
    found = LabeledMaskROIExtractor.for_request(extraction).extract(extraction)
    handler = ImageXpressHandler(files)
    source = ViewerStreamSourceIdentity(handler, None)
    paths = ["/p/B03_s1_w2_z5_t1.roi.zip"]
    kwargs = kwargs_of(config, source, paths, handler)
    files.save_batch([found], paths, "napari_stream", **kwargs)
    viewer.until(lambda: len(viewer.items) == 1)
    (item,) = viewer.items
    assert (item.layer, item.kind) == ("3. Segment ROIs", "shapes")
    assert item.position["z_index"] == 5
    assert item.data.min(axis=0).tolist() == [4.5, 9.5]
    assert item.data.max(axis=0).tolist() == [14.5, 29.5]
    assert item.arrays["feature:label"].tolist() == [3]
    assert item.arrays["feature:area"].tolist() == [200.0]


@pytest.fixture
def announced(config, monkeypatch):
    module = polystore.napari_stream
    monkeypatch.setattr(module, "NapariStreamingBackend", module.NapariStreamingBackend)
    replaced = STORAGE_BACKENDS.get("napari_stream")
    openhcs.register(ports=[config.port])
    yield
    ViewerStateManager.get_instance().release_viewer("napari", config.port, stop=True, force=True)
    dict.__setitem__(STORAGE_BACKENDS, "napari_stream", replaced)


@pytest.mark.usefixtures("announced")
def test_openhcs_opens_no_window_where_a_viewer_runs(config, files):
    viewer = StreamingViewerLifecycle.get_or_create_visualizer(
        filemanager=files, config=config, fresh=not config.persistent
    )
    assert repr(viewer) == f"<RunningViewer at port {config.port}>"
    assert viewer.is_running
    compiled_plate_execution.clear_viewer_state([viewer])
    assert compiled_plate_execution.settle_viewer_state([viewer]) == {}
    compiled_plate_execution.stop_execution_visualizers([viewer])
    compiled_plate_execution.rollback_failed_visualizer_bootstrap([viewer])


PIPELINE = """
import multiprocessing
import sys
from pathlib import Path


from dask_napari import openhcs
from objectstate.lazy_factory import ensure_global_config_context
from openhcs.constants.constants import VariableComponents
from openhcs.core.config import (
    GlobalPipelineConfig,
    LazyNapariStreamingConfig,
    LazyProcessingConfig,
    NapariDimensionMode,
    PipelineConfig,
)
from openhcs.core.orchestrator.orchestrator import PipelineOrchestrator
from openhcs.core.progress import set_progress_queue
from openhcs.core.steps.function_step import FunctionStep
from openhcs.demo.synthetic_data import SyntheticMicroscopyGenerator
from openhcs.processing.backends.processors.numpy_processor import (
    create_projection,
    stack_percentile_normalize,
)

# The workers import this script, too.
openhcs.register(ports=[int(sys.argv[1])])


def main(port, folder):
    plate = Path(folder) / "plate"
    SyntheticMicroscopyGenerator(
        str(plate),
        grid_size=(2, 1),
        tile_size=(64, 64),
        wavelengths=2,
        z_stack_levels=2,
        num_cells=10,
        wells=["A01", "B02"],
        random_seed=1,
    ).generate_dataset()
    ensure_global_config_context(GlobalPipelineConfig, GlobalPipelineConfig(num_workers=2))
    stream = LazyNapariStreamingConfig(
        enabled=True, port=port, channel_mode=NapariDimensionMode.LAYER, colormap="viridis"
    )
    steps = [
        FunctionStep(
            func=stack_percentile_normalize, name="Enhance", napari_streaming_config=stream
        ),
        FunctionStep(
            func=create_projection,
            name="Flatten",
            processing_config=LazyProcessingConfig(
                variable_components=[VariableComponents.Z_INDEX]
            ),
            napari_streaming_config=stream,
        ),
    ]
    orchestrator = PipelineOrchestrator(plate, pipeline_config=PipelineConfig()).initialize()
    with multiprocessing.get_context("spawn").Manager() as manager:
        queue = manager.Queue()
        set_progress_queue(queue)
        done = orchestrator.execute_compiled_plate(
            orchestrator.compile_pipelines(steps),
            progress_queue=queue,
            progress_context={
                "execution_id": orchestrator.execution_id,
                "plate_id": str(plate),
            },
        )
    assert all(result.status.value == "success" for result in done.values()), done


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
"""


def test_a_pipeline_of_openhcs_runs_as_it_is(viewer, config, tmp_path):
    """Two steps in two spawned workers, each streamed: 16 images, and 8 projections."""
    script = tmp_path / "pipeline.py"
    script.write_text(PIPELINE)
    arguments = [sys.executable, str(script), str(config.port), str(tmp_path)]
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
        viewer.until(lambda: len(viewer.items) == 24 or process.poll() is not None)
        code = process.wait(60)
        log.seek(0)
        assert code == 0, log.read()[-4000:]
    viewer.until(lambda: len(viewer.items) == 24)
    places = {(item.layer, *map(str, item.position.items())) for item in viewer.items}
    assert len(places) == 24
    layers = Counter(item.layer for item in viewer.items)
    assert layers == {"1. Enhance": 16, "2. Flatten": 8}
    assert {item.position["well"] for item in viewer.items} == {"A01", "B02"}
    assert {item.data.shape for item in viewer.items} == {(64, 64)}
    assert {item.run for item in viewer.items} == {1}
    assert viewer.receiver.layers()["1. Enhance"].axes["channel"] == "layer"
