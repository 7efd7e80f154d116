"""Conversions that lose something: the ways in which what is shown differs from an output."""

from __future__ import annotations

from enum import StrEnum


class Conversion(StrEnum):
    """Text on how a layer differs from the output; the dock shows it as a note.

    It has no figures, since equal texts are reported once. The page "Kinds of output" lists all.
    Those from ``MANY_SHAPES`` on are the viewer's.
    """

    ELEMENTS = "some {elements} are left out: {why}"
    PARTS = "parts of a tuple that cannot be shown as {kind} are left out"
    VARIABLES = "variables of a dataset with less than two axes are left out"
    RESOLUTIONS = "of several resolutions the finest is shown"
    COMPLEX = "complex numbers are shown by their magnitude"
    EXTENDED = "numbers of more than 64 bits are rounded to 64"
    MASKED = "masked pixels are shown as {fill}"
    COUNTED = "along {dim!r}, more than {limit} named elements are counted"
    SIZE = "a pixel size that cannot be drawn is left out"
    IMAGE_FEATURES = "features of images are left out"
    SURFACE_FEATURES = "features of surfaces are left out"
    FEATURES = "some features are left out: at most {columns} columns of {mebibytes} MiB are shown"
    FEATURE = "a feature that does not fit is left out: {why}"
    LABEL_ROWS = "rows of features without the number of a label are left out"
    LONG_TEXT = "text of features is cut after {characters} characters"
    OBJECTS = "lists and objects among the features are shown as text"
    OTHER_COORDINATES = (
        "of several columns of coordinates the plainest are used, the others are features"
    )
    NORMALS = "normals of a surface are left out; napari computes its own"
    GRAPH = "parents and children that have no track are left out"
    ARGUMENT = "the argument {name!r} of a {kind} layer is left out"
    ARGUMENT_VALUE = "the argument {name!r} is left out: {why}"
    PER_ELEMENT = "{name!r} of each of the {kind} is kept as a feature"
    MANY_SHAPES = (
        "more than {limit:,} shapes in one view are shown as labels; the configuration's max-shapes"
        " or the tap's option max_shapes raises the limit"
    )
    TANGLED = "polygons that cross themselves too often are drawn as outlines"
    CROSSING = (
        "polygons that cross themselves are drawn as outlines; the package bermuda lets napari"
        " fill them"
    )
    AMBIGUOUS_LABELS = (
        "no features are shown where labels side by side have the same numbers; number them"
        " through, or show the axis as a slider"
    )
    MANY_TEXTS = "the texts in view are too many, and are shortened or left out"
    OPTION = "shown without the option {name!r}: {why}"
    UNIT = "shown without the unit {unit!r}"
