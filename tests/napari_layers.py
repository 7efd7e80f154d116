"""An item as the napari layer that it is fit for; without a viewer."""

import itertools

import numpy as np
from napari import layers

from dask_napari.model import SHAPE_TYPES


def layer_of(item, **options):
    """Make the layer; napari raises where the item does not fit it.

    None for tracks and surfaces of nothing, of which napari makes no layer.
    """
    if item.kind in ("tracks", "surface") and not len(item.data):
        return None
    known = item.calibration
    given = {"scale": known.scale or None, "translate": known.translate or None, **item.options}
    given |= options
    features = item.features
    if item.kind == "image":
        return layers.Image(item.data, rgb=item.rgb, **given)
    if item.kind == "labels":
        return layers.Labels(item.data, features=features or None, **given)
    if item.kind == "points":
        return layers.Points(item.data, features=features, **given)
    if item.kind == "shapes":
        pairs = itertools.pairwise(item.arrays["offsets"].astype(int))
        data = [item.data[a:b] for a, b in pairs]
        types = [SHAPE_TYPES[n] for n in item.arrays["types"]]
        ndim = item.data.shape[1]
        return layers.Shapes(
            data, shape_type=types or "polygon", ndim=ndim, features=features, **given
        )
    if item.kind == "tracks":
        graph: dict[int, list[int]] = {}
        for child, parent in item.arrays.get("graph", np.empty((0, 2))).tolist():
            graph.setdefault(int(child), []).append(int(parent))
        return layers.Tracks(item.data, features=features, graph=graph, **given)
    if item.kind == "vectors":
        return layers.Vectors(item.data, features=features, **given)
    parts = [item.data, item.arrays["faces"], item.arrays.get("values")]
    return layers.Surface(tuple(p for p in parts if p is not None), **given)
