"""What tools return, made by the tools themselves; `make matrix ONLY=tools` has them."""

import numpy as np
import pandas as pd
import pytest
import shapely
from skimage.draw import disk

from dask_napari.coerce import coerce, coerce_all
from napari_layers import layer_of

CELLS = np.zeros((60, 60), int)
for number, (*centre, radius) in enumerate([(15, 15, 8), (40, 40, 12), (15, 45, 6)], 1):
    CELLS[disk(centre, radius)] = number
RING = np.zeros((40, 50), np.uint8)
RING[disk((20, 25), 14)] = 255
RING[disk((20, 25), 6)] = 0

pytestmark = pytest.mark.filterwarnings("ignore")  # of the tools


@pytest.mark.parametrize("mode", ["RETR_TREE", "RETR_CCOMP"])
def test_opencv(mode):
    cv2 = pytest.importorskip("cv2")
    found = cv2.findContours(RING, getattr(cv2, mode), cv2.CHAIN_APPROX_NONE)
    layer = layer_of(coerce(found, kind="shapes"))
    assert layer.nshapes == 1
    # Contours run through the centres of the outermost pixels; those of holes, too.
    assert np.array_equal(layer.to_labels(RING.shape) > 0, RING > 0)
    corners = cv2.goodFeaturesToTrack(RING, 5, 0.1, 3)
    points = coerce(corners, kind="points").data
    assert points.tolist() == corners[:, 0, ::-1].tolist()
    labels = coerce_all(cv2.connectedComponents(RING), kind="labels")
    assert [(item.part, item.data.shape) for item in labels] == [("", RING.shape)]


def test_stardist():
    """Its geometry without its network: the details that predict_instances returns."""
    pytest.importorskip("stardist")
    from stardist.geometry import dist_to_coord, polygons_to_label, star_dist
    from stardist.nms import non_maximum_suppression

    distances = star_dist(CELLS, 32)
    probability = distances.min(-1) / distances.max()
    centres, scores, rays = non_maximum_suppression(
        distances, probability, nms_thresh=0.4, prob_thresh=0.2
    )
    labels = polygons_to_label(rays, centres, prob=scores, shape=CELLS.shape)
    details = {"coord": dist_to_coord(rays, centres), "points": centres, "prob": scores}
    item = coerce((labels, details), kind="labels")
    assert item.features["index"].tolist() == [labels[tuple(centre)] for centre in centres]
    assert item.features["prob"].tolist() == scores.tolist()
    outlines = layer_of(coerce(details["coord"], kind="shapes"))
    assert outlines.nshapes == 3
    drawn = outlines.to_labels(CELLS.shape)
    assert (drawn != labels).mean() < 0.01
    assert np.array_equal(drawn > 0, np.isin(drawn, [1, 2, 3]))


def test_details_of_stardist_are_read_without_it():
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    ray = np.stack([np.sin(angles), np.cos(angles)]) * 5
    coord = np.stack([ray + 20, ray + 40])
    assert layer_of(coerce(coord, kind="shapes")).nshapes == 2
    details = {"coord": coord, "points": np.array([[20, 20], [40, 40]]), "prob": np.array([1, 0.5])}
    item = coerce((CELLS, details), kind="labels")
    assert item.features["index"].tolist() == [1, 2]


def test_geopandas():
    geopandas = pytest.importorskip("geopandas")
    ring = shapely.Point(20, 30).buffer(9).difference(shapely.Point(20, 30).buffer(4))
    frame = geopandas.GeoDataFrame({"n": [1, 2]}, geometry=[ring, None])
    renamed = frame.rename_geometry("outline")
    for value in (frame, renamed, frame.geometry, [frame.geometry], frame.geometry.values):
        item = coerce(value, kind="shapes")
        assert len(item.arrays["types"]) == 1
        assert layer_of(item).to_labels((60, 60))[30, 20] == 0
    assert coerce(frame, kind="shapes").features["n"].tolist() == [1]


def test_laptrack():
    laptrack = pytest.importorskip("laptrack")
    cells = pd.DataFrame({"frame": [0, 1, 2, 2], "y": [9, 9, 8, 12], "x": [9.0, 9, 9, 9]})
    model = laptrack.LapTrack(track_cost_cutoff=25, splitting_cost_cutoff=100)
    item = coerce(model.predict_dataframe(cells, coordinate_cols=["y", "x"]), kind="tracks")
    assert item.arrays["graph"].tolist() == [[1, 0], [2, 0]]
    assert "tree_id" in item.features
    assert layer_of(item).graph == {1: [0], 2: [0]}


def test_frames_of_laptrack_are_read_without_it():
    tracks = pd.DataFrame(
        {"frame": [0, 1, 1], "y": [1, 1, 2], "x": [1, 1, 2], "track_id": [0, 1, 2]}
    )
    splits = pd.DataFrame({"parent_track_id": [0, 0], "child_track_id": [1, 2]})
    for merges in (pd.DataFrame(), pd.DataFrame(columns=splits.columns)):
        item = coerce((tracks, splits, merges), kind="tracks")
        assert item.arrays["graph"].tolist() == [[1, 0], [2, 0]]


def test_trackpy():
    trackpy = pytest.importorskip("trackpy")
    spots = pd.DataFrame(
        {"frame": [0, 1, 2], "y": [9.0, 10, 11], "x": [9.0, 9, 9], "mass": [1, 2, 3]}
    )
    trackpy.quiet()
    item = coerce(trackpy.link(spots, search_range=5), kind="tracks")
    assert item.data.tolist() == [[0, 0, 9, 9], [0, 1, 10, 9], [0, 2, 11, 9]]
    assert item.features["mass"].tolist() == [1, 2, 3]


def test_optical_flow_has_its_components_first():
    registration = pytest.importorskip("skimage.registration")
    image = np.random.default_rng(0).random((16, 20))
    flow = registration.optical_flow_tvl1(image, np.roll(image, 1, 0), num_iter=2)
    item = coerce(flow, kind="vectors")
    assert np.array_equal(item.data, coerce(np.stack(flow, -1), kind="vectors").data)
