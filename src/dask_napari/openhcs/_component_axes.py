"""Axes of the components of a pipeline: their modes, order and names, as a layer declares them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from dask_napari.model import AxisMode, Coordinate, Kind, LayerSpec, Layout, Sizes, contain
from dask_napari.tap import Axis

logger = logging.getLogger(__name__)

MODES: Final[Mapping[str, AxisMode]] = {
    "stack": "slider",
    "slider": "slider",
    "channel": "slider",
    "frame": "slider",
    "layer": "layer",
    "slice": "layer",  # in PolyStore up to 0.1.9: one napari layer a value
    "window": "layer",
    "mosaic": "mosaic",
}
"""Modes of axes by the modes of components: those of their napari displays, and of Fiji's."""

_SIZES: Final[Mapping[str, Sizes]] = {
    "pad_to_max": "pad",
    "pad": "pad",
    "separate_layers": "separate",
    "separate": "separate",
}


@dataclass(frozen=True, slots=True)
class ComponentAxes:
    """Display of the components of a pipeline: which axes there are, in order, and how they look.

    ``names`` has the name of each coordinate of an axis, by its text; ``layouts`` are those of
    axes that the user lays out otherwise than the pipeline says.
    """

    modes: Mapping[str, AxisMode] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    colormap: str = ""
    sizes: Sizes = "pad"
    layouts: Mapping[str, Axis] = field(default_factory=dict)

    def position(self, values: Mapping[str, object]) -> dict[str, Coordinate]:
        """Return the position that the values of components are, in the order of the axes.

        Values of other components, such as the suffix of the file, are left out, as are those that
        are None.

        >>> ComponentAxes({"well": "slider", "z_index": "slider"}).position(
        ...     {"z_index": 2, "well": "A01", "extension": ".tif"}
        ... )
        {'well': 'A01', 'z_index': 2}
        """
        return {
            axis: coordinate(value)
            for axis in self.modes
            if (value := values.get(axis)) is not None
        }

    def layer(self, name: str, kind: Kind) -> LayerSpec:
        """Return the declaration of a layer of the pipeline."""
        layouts = {axis: Layout(names=dict(names)) for axis, names in self.names.items() if names}
        layouts |= {axis: own.layout for axis, own in self.layouts.items() if own.layout}
        options = {"colormap": self.colormap} if self.colormap and kind == "image" else {}
        return LayerSpec(name, kind, dict(self.modes), options, layouts, self.sizes)


def component_axes(
    display_config: Any,
    names_of: Callable[[str], object] = lambda component: None,
    layouts: Mapping[str, Axis] | None = None,
) -> ComponentAxes:
    """Return the axes that a display configuration of OpenHCS describes.

    ``names_of`` returns the names of a component's values; ``layouts`` win over the modes.

    Raises
    ------
    ValueError
        If a mode or a handling of sizes is unknown.
    """
    layouts = layouts or {}
    order = [plain_text(component) for component in display_config.COMPONENT_ORDER]
    given = _modes(display_config, order)
    modes: dict[str, AxisMode] = {}
    for component in order:
        mode = given.get(component, "stack")
        if mode not in MODES:
            raise ValueError(
                f"component {component!r} has the mode {mode!r}; give one of {', '.join(MODES)}"
            )
        modes[component] = layouts[component].mode if component in layouts else MODES[mode]
    colormap, sizes = _looks(display_config)
    names = {component: _names(component, names_of) for component in order}
    return ComponentAxes(modes, names, colormap, sizes, dict(layouts))


def plain_text(value: object) -> str:
    """Return a name or the member of an enumeration as text."""
    return str(value.value if isinstance(value, Enum) else value)


def coordinate(value: object) -> Coordinate:
    """Return the value of a component as a coordinate: a number, or text.

    >>> coordinate(3), coordinate("A01"), coordinate((1, 2)), coordinate(True)
    (3, 'A01', '1, 2', 'True')
    """
    if isinstance(value, Enum):
        value = value.value
    if hasattr(value, "item") and not getattr(value, "ndim", 0):
        value = value.item()
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _modes(display_config: Any, order: Iterable[str]) -> dict[str, str]:
    if callable(modes := getattr(display_config, "component_modes", None)):
        return {plain_text(name): plain_text(mode) for name, mode in modes().items()}
    found = {name: getattr(display_config, f"{name}_mode", None) for name in order}
    return {name: plain_text(mode) for name, mode in found.items() if mode is not None}


def _looks(display_config: Any) -> tuple[str, Sizes]:
    """Return the colormap and the handling of sizes."""
    extra: dict[str, object] = {}
    if callable(payload := getattr(display_config, "display_payload_extra", None)):
        extra = {plain_text(name): value for name, value in payload().items()}
    elif callable(colormap := getattr(display_config, "get_colormap_name", None)):
        extra["colormap"] = colormap()
    for name in ("colormap", "variable_size_handling"):
        extra.setdefault(name, getattr(display_config, name, None))
    sizes = plain_text(extra["variable_size_handling"] or "pad_to_max").lower()
    if sizes not in _SIZES:
        raise ValueError(f"variable_size_handling is {sizes!r}; give pad_to_max or separate_layers")
    return plain_text(extra["colormap"] or ""), _SIZES[sizes]


def _names(component: str, names_of: Callable[[str], object]) -> dict[str, str]:
    try:
        found = names_of(component)
    except Exception as error:  # of their readers of metadata: a name is not worth a picture
        contain(error, foreign=True)
        logger.warning("no names for component %r: %s", component, error)
        return {}
    if not isinstance(found, Mapping):
        return {}
    return {plain_text(value): str(name) for value, name in found.items() if name not in (None, "")}
