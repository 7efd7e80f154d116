"""The vocabulary: items, layers, positions, coordinates, the ledger. Pure data."""

from __future__ import annotations

from dask_napari.model._bounds import (
    AXES_LIMIT,
    NAME_LIMIT,
    TASK_KEY_LIMIT,
    Name,
    Natural,
    PlainValue,
    Shape,
)
from dask_napari.model._containment import contain, contained, foreign_code, is_strict
from dask_napari.model._coordinates import SPATIAL, Coordinate, natural_key, plain_coordinate
from dask_napari.model._element_rows import TABLE_KINDS, element_rows
from dask_napari.model._held_memory import (
    MOST_BYTES,
    Held,
    held_by,
    held_by_array,
    is_plain,
    is_small_part,
    mapping_of,
    memory_of,
    plain_size,
)
from dask_napari.model._item import FEATURE, SHAPE_TYPES, AnyArray, Item
from dask_napari.model._item_checks import FARTHEST, check, check_calibration, reachable
from dask_napari.model._item_description import ItemDescription
from dask_napari.model._item_meta import Calibration, ItemMeta, PlaceKey, Provenance
from dask_napari.model._layer import (
    AXIS_MODES,
    CONTRAST_MODES,
    KINDS,
    ORDERS,
    PIXEL_KINDS,
    SIZES,
    AxisMode,
    ContrastMode,
    Kind,
    LayerSpec,
    Layout,
    Order,
    Policy,
    Sizes,
)
from dask_napari.model._layer_options import LAYER_OPTIONS, permitted
from dask_napari.model._ledger import REASONS_LIMIT, Counts, Ledger, Tally
from dask_napari.model._plates import PLATE_GUTTER, PLATES, NoPlace, row_name, well
from dask_napari.model._polling import poll
from dask_napari.model._position import ARRIVAL_AXIS, Position, plain_position
from dask_napari.model._refusal import Refusal, reason_of, shown
from dask_napari.model._reports import REPORTS_LIMIT, Report, Reports, described
from dask_napari.model._tap_matches import TAPS_LIMIT, TASK_NAMES_LIMIT, TapMatches, unmatched
from dask_napari.model.arguments import unfit_name

__all__ = [
    "ARRIVAL_AXIS",
    "AXES_LIMIT",
    "AXIS_MODES",
    "CONTRAST_MODES",
    "FARTHEST",
    "FEATURE",
    "KINDS",
    "LAYER_OPTIONS",
    "MOST_BYTES",
    "NAME_LIMIT",
    "ORDERS",
    "PIXEL_KINDS",
    "PLATES",
    "PLATE_GUTTER",
    "REASONS_LIMIT",
    "REPORTS_LIMIT",
    "SHAPE_TYPES",
    "SIZES",
    "SPATIAL",
    "TABLE_KINDS",
    "TAPS_LIMIT",
    "TASK_KEY_LIMIT",
    "TASK_NAMES_LIMIT",
    "AnyArray",
    "AxisMode",
    "Calibration",
    "ContrastMode",
    "Coordinate",
    "Counts",
    "Held",
    "Item",
    "ItemDescription",
    "ItemMeta",
    "Kind",
    "LayerSpec",
    "Layout",
    "Ledger",
    "Name",
    "Natural",
    "NoPlace",
    "Order",
    "PlaceKey",
    "PlainValue",
    "Policy",
    "Position",
    "Provenance",
    "Refusal",
    "Report",
    "Reports",
    "Shape",
    "Sizes",
    "Tally",
    "TapMatches",
    "check",
    "check_calibration",
    "contain",
    "contained",
    "described",
    "element_rows",
    "foreign_code",
    "held_by",
    "held_by_array",
    "is_plain",
    "is_small_part",
    "is_strict",
    "mapping_of",
    "memory_of",
    "natural_key",
    "permitted",
    "plain_coordinate",
    "plain_position",
    "plain_size",
    "poll",
    "reachable",
    "reason_of",
    "row_name",
    "shown",
    "unfit_name",
    "unmatched",
    "well",
]
