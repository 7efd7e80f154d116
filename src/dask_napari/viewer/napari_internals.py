"""All that this package knows of the insides of napari, and why it has to.

Nothing in here is promised by napari; each function and class says which behaviour of napari 0.9
it relies on, so that a newer napari can be checked against one file.
"""

from __future__ import annotations

import functools
import html
import math
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas  # noqa: F401 - napari loads it with its first table, for a second or two
import pint
from napari.layers import Image as _Image
from napari.layers import Labels as _Labels
from napari.layers import Points as _Points
from napari.layers import Shapes as _Shapes
from napari.layers import Surface as _Surface
from napari.layers import Tracks as _Tracks
from napari.layers import Vectors as _Vectors
from napari.layers.shapes import _shapes_utils
from napari.layers.shapes._shapes_models import shape as _shape
from napari.layers.utils import _link_layers
from napari.utils.events import Event
from napari.utils.transforms._units import get_units_from_name
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLabel

if TYPE_CHECKING:
    import napari
    from napari.components import LayerList
    from napari.layers import Image, Labels, Layer

Reach = Callable[[], npt.NDArray[np.float64]]
"""First and last index of the leading axes of a layer: ``(2, sliders)``."""


def _keep_no_polygon(*_: object, **__: object) -> tuple[str, str]:
    """Take the place of the function with which napari saves a polygon that it cannot fill.

    It leaves two files in the temporary directory for each try, for ever, and has no setting:
    what tasks return would fill the disk.
    """
    return "no file", "no other"


for _module in (_shapes_utils, _shape):
    _module._save_failed_triangulation = _keep_no_polygon


def unwrapped(viewer: napari.viewer.Viewer) -> napari.viewer.Viewer:
    """Return the viewer behind the proxy that napari hands to plugins.

    The proxy refuses private names, down to those of the layers, and napari uses such names itself
    when it is called through the proxy.
    """
    return getattr(viewer, "__wrapped__", viewer)


def show_name_plainly(layer: Layer) -> None:
    """Have the tooltip of a layer show its name as it is.

    napari makes the tooltip of ``get_source_str``, and Qt takes what looks like markup for it:
    names come from other hosts, and markup can name files to load.
    """
    source = layer.get_source_str
    layer.get_source_str = lambda: f"<qt>{html.escape(source())}</qt>".replace("\n", "<br>")


def show_status_plainly(viewer: napari.viewer.Viewer) -> None:
    """Have the status bar show names and features as they are, never as markup."""
    for label in viewer.window._qt_window.statusBar().findChildren(QLabel):
        label.setTextFormat(Qt.TextFormat.PlainText)


_NAME: Final = "[A-Za-z_\u00b0\u00b5\u00c5\u03bc\u03a9]+"  # with degree, micro, angstrom, ohm
_POWER: Final = r"(\^|\*\*)-?\d|\u207b?[\u00b9\u00b2\u00b3]"  # of one digit, or one superscript
_FACTOR: Final = f"(1|%|{_NAME})({_POWER})?"
_UNIT: Final = re.compile(rf"{_FACTOR}(( ?[*/\u00b7] ?| ){_FACTOR}){{0,7}}")
_UNIT_LENGTH: Final = 60


@functools.lru_cache(maxsize=256)
def is_unit(text: str) -> bool:
    """Return whether napari understands a unit: names with powers of one digit, multiplied.

    napari has pint evaluate the text, as arithmetic without bounds: ``9**9**9**9`` ends or stops
    the process. It makes no layer with a unit that pint does not know.

    >>> is_unit("um"), is_unit("W/m^2"), is_unit("elephant"), is_unit("m**(10**10**10)")
    (True, True, False, False)
    """
    if len(text) > _UNIT_LENGTH or not _UNIT.fullmatch(text):
        return False
    try:
        get_units_from_name(text)
    except Exception:  # pint raises many
        return False
    return True


@functools.lru_cache(maxsize=256)
def unit_kind(text: str) -> str:
    """Return the dimensionality of a unit, by which napari tells which units can be converted.

    It is empty for pixels, and for a text that is no unit.

    >>> unit_kind("um") == unit_kind("inch"), unit_kind("pixel"), unit_kind("elephant")
    (True, '', '')
    """
    if not is_unit(text):
        return ""
    unit = get_units_from_name(text)
    if unit == get_units_from_name("pixel"):
        return ""
    one, two = (pint.Quantity(number, unit).to_base_units().magnitude for number in (1, 2))
    # Degrees Celsius and decibels have no factor to others of their kind.
    return str(unit.dimensionality) if math.isclose(two, 2 * one) else text


@functools.lru_cache(maxsize=256)
def conversion_factor(text: str, other: str) -> float:
    """Return how many of another unit one unit is.

    >>> conversion_factor("mm", "um")
    1000.0
    """
    one = pint.Quantity(1, get_units_from_name(text))
    return float(one.to(get_units_from_name(other)).magnitude)


def compact_unit(size: float, text: str) -> str:
    """Return the multiple of a unit in which a size is between 1 and 1000; the unit if none is.

    >>> compact_unit(1e-7, "m"), compact_unit(1e-7, "degC")
    ('nanometer', 'degC')
    """
    try:
        compact = str(pint.Quantity(size, get_units_from_name(text)).to_compact().units)
    except Exception:  # pint raises many
        return text
    compact = compact.replace(" ** ", "**")
    return compact if is_unit(compact) else text


def _qt_viewer(viewer: napari.viewer.Viewer) -> Any:
    """Return the widgets of a viewer that has a window."""
    return getattr(getattr(viewer, "window", None), "_qt_viewer", None)


def scene_of(viewer: napari.viewer.Viewer) -> Any:
    """Return the node of vispy's scene that has the layers, None without a window.

    What is drawn there has the coordinates of the world on the displayed axes, the last one first.
    """
    window = _qt_viewer(viewer)
    return None if window is None else window.canvas.view.scene


def ink(viewer: napari.viewer.Viewer) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return colours that can be read on the canvas, for texts and for what is marked in them."""
    red, green, blue = np.asarray(viewer.canvas.background_color)[:3]
    is_dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
    marked = (1.0, 0.8, 0.2, 1.0) if is_dark else (0.7, 0.2, 0.0, 1.0)
    return np.array((1.0,) * 4 if is_dark else (0.0, 0.0, 0.0, 1.0)), np.array(marked)


class _ControlsOnDemand(dict[Any, Any]):
    """Controls of layers, made when napari first looks for them."""

    def __init__(self, container: Any) -> None:
        super().__init__(container.widgets)
        self._container = container

    def __repr__(self) -> str:
        return f"<Controls of {len(self)} layers>"

    def __missing__(self, layer: Layer) -> Any:
        self._container._add(Event("inserted", value=layer))
        if layer not in self:
            raise KeyError(layer)
        return self[layer]

    def remove(self, event: Event) -> None:
        """Remove the controls of a layer that has gone, if they were ever made."""
        if event.value in self:
            self._container._remove(event)


def make_controls_on_demand(viewer: napari.viewer.Viewer) -> None:
    """Have napari make the controls of a layer when the layer is first selected.

    ``QtLayerControlsContainer`` makes some thirty widgets for each layer that comes, and Qt
    computes the sizes of all of them again each time: most of what the hundredth layer takes.
    ``_populate`` takes the controls of the selected layer from ``widgets``. Where another napari
    has no such container, it makes all controls at once, as ever.
    """
    container: Any = getattr(_qt_viewer(viewer), "controls", None)
    names = ("widgets", "_add", "_remove", "_populate")
    if not all(hasattr(container, name) for name in names):
        return
    if isinstance(container.widgets, _ControlsOnDemand):
        return
    controls = _ControlsOnDemand(container)
    viewer.layers.events.inserted.disconnect(container._add)
    viewer.layers.events.removed.disconnect(container._remove)
    viewer.layers.events.removed.connect(controls.remove)
    container.widgets = controls


@contextmanager
def selection_kept(layers: LayerList) -> Iterator[None]:
    """Keep what the user has selected while a layer is inserted, which napari would select.

    napari asks ``_activate_on_insert``; where it does not, the active layer is selected again.
    """
    active = layers.selection.active
    layers._activate_on_insert = not layers.selection
    try:
        yield
    finally:
        layers._activate_on_insert = True
        if active is not None and layers.selection.active is not active:
            layers.selection.active = active


class LayerBatch:
    """Many changes of a viewer's list of layers, which napari draws once, when they are done.

    It may stay open from tick to tick. Meanwhile the picture and the list of layers, which napari
    would draw anew for each change, stay as they are; all else of the window goes on. napari
    collects garbage for each layer that is removed, 0.2 s, but once for a ``batched_update``.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
        self._open = ExitStack()
        self.is_open: bool = False

    def __repr__(self) -> str:
        return f"<LayerBatch: {'open' if self.is_open else 'closed'}>"

    def begin(self) -> None:
        """Open the batch, unless it is open."""
        if self.is_open:
            return
        self.is_open = True
        window = _qt_viewer(self._viewer)
        for widget in (
            getattr(window, "layers", None),
            getattr(getattr(window, "canvas", None), "native", None),
        ):
            if widget is not None:
                widget.setUpdatesEnabled(False)
                self._open.callback(widget.setUpdatesEnabled, True)
        if hasattr(self._viewer.layers, "batched_update"):
            self._open.enter_context(self._viewer.layers.batched_update())

    def end(self) -> None:
        """Close the batch, and draw all that has changed."""
        self.is_open = False
        self._open.close()


def keep_no_level(layer: Image | Labels) -> None:
    """Have the coarsest level of a pyramid read anew for every draw.

    napari keeps a copy of that level for layers without sliders until ``layer.data`` is set, and
    ``refresh`` and moves of the camera draw the copy. ``_reset_thumbnail_level_data`` sets up the
    copy; without ``_level_materializer``, napari reads the level itself.
    """
    reset = layer._reset_thumbnail_level_data

    def reset_and_keep_none() -> None:
        reset()
        layer._level_materializer = None

    layer._reset_thumbnail_level_data = reset_and_keep_none
    layer._level_materializer = None


def linked_layers(layer: Layer, attribute: str) -> list[Layer]:
    """Return the layers to which a layer's attribute is linked.

    napari links layers attribute by attribute, but tells only whether any is linked; its table of
    callbacks has the attributes.
    """
    own = weakref.ref(layer)
    others = _link_layers.get_linked_layers(layer)
    return [o for o in others if (own, weakref.ref(o), attribute) in _link_layers._UNLINKERS]


def shown_plane(layer: Image) -> npt.NDArray[Any]:
    """Return the pixels of an image at the present steps, all of them at a coarse level.

    napari keeps them for the thumbnail in ``_slice``.
    """
    return np.asarray(layer._slice.thumbnail.raw)


def data_position(
    layer: Layer,
    position: Sequence[float],
    view_direction: Any = None,
    displayed: Sequence[int] | None = None,
) -> tuple[float, ...] | None:
    """Return the place in a layer's data at a position in the world, None if it has none.

    In 3D that is the voxel of images and labels, along the ray, whose value napari names. Napari
    tells the value alone, by ``_calculate_value_from_ray``; its slice has the data that are drawn,
    in the order of the displayed axes, maybe coarser.
    """
    if displayed is None or len(displayed) != 3 or view_direction is None or layer.ndim < 3:
        return tuple(map(float, layer.world_to_data(position)))
    if not isinstance(layer, _Image | _Labels):
        return tuple(map(float, layer.world_to_data(position)))
    axes = [axis - (len(position) - layer.ndim) for axis in displayed]
    if min(axes) < 0:
        return None
    ends = layer.get_ray_intersections(position, view_direction, list(displayed), world=True)
    if ends[0] is None or ends[1] is None:
        return None
    start, end = (np.asarray(each, float) for each in ends)
    drawn = np.asarray(layer._slice.image.raw)
    shape = np.array(drawn.shape[:3])
    coarser = np.array([layer.level_shapes[0][axis] for axis in axes]) / shape
    count = max(2, int(2 * np.linalg.norm((end - start)[axes] / coarser)))
    ray = np.linspace(start, end, count)
    voxels = np.clip((ray[:, axes] / coarser).astype(int), 0, shape - 1)
    values = drawn[tuple(voxels.T)]
    if values.ndim > 1:  # colours
        values = values.sum(1)
    named = layer._calculate_value_from_ray(values)
    if named is None:
        return None
    hit = int(np.argmax(values == named)) if named in values else int(np.argmax(values))
    place = ray[hit].copy()
    place[axes] = voxels[hit] * coarser
    return tuple(place.tolist())


def tell_tasks(layer: Layer, sentence: Callable[..., str]) -> None:
    """Have the status bar and the tooltip of a layer say which task made what is at the pointer.

    Napari makes them of ``get_status`` and ``_get_tooltip_text``, in a thread of its own, of the
    selected layer; where several are selected, of each one's ``value``. A sentence is made from a
    position, napari's keyword arguments, and the features that napari adds to the value; it is
    empty where there is no task. Napari's own coordinates follow after it. Qt would take a tooltip
    that looks like markup for it.
    """
    get_status, get_tooltip = layer.get_status, layer._get_tooltip_text

    def status(position: Any = None, **where: Any) -> dict[str, str]:
        found: dict[str, str] = get_status(position, **where)
        more = found["value"].partition("; ")[2]
        if position is not None and (said := sentence(position, where, more)):
            found["coordinates"] = f"{said} | {found['coords']}"
            found["value"] = said
        return found

    def tooltip(position: Any, **where: Any) -> str:
        features = get_tooltip(position, **where)
        lines = [each for each in (sentence(position, where, ""), features) if each]
        return html.escape("\n".join(lines)).replace("\n", "<br>")

    layer.get_status, layer._get_tooltip_text = status, tooltip


def forget_strokes(layer: Labels) -> None:
    """Make undo and redo of painting begin anew."""
    layer._reset_history()


def is_being_edited(layer: Layer) -> bool:
    """Return whether the user is drawing or dragging elements of a layer.

    Shapes that are drawn click by click keep that in ``_is_creating``.
    """
    if getattr(layer, "_is_creating", False):
        return True
    pressed = QApplication.mouseButtons() != Qt.MouseButton.NoButton
    return pressed and str(layer.mode) not in ("pan_zoom", "transform")


def current_color(layer: Layer, part: str) -> npt.NDArray[np.float32]:
    """Return the RGBA colour of new elements' ``"face"``, ``"border"`` or ``"edge"``.

    ``current_face_color`` and its like return a hex code or a name, which rounds the colour.
    Points and vectors keep its numbers in a colour manager, shapes in an attribute.
    """
    if isinstance(layer, _Shapes):
        return np.asarray(getattr(layer, f"_current_{part}_color"))
    return np.asarray(getattr(layer, f"_{part}").current_color)


def color_feature(layer: Layer, part: str) -> str | None:
    """Return the name of the feature that a colour of a layer stands for, if any.

    The feature can be set by ``face_color`` and its like, but these return colours. Points and
    vectors keep it in a colour manager, shapes in an attribute, which is empty without a feature.
    """
    if isinstance(layer, _Shapes):
        return getattr(layer, f"_{part}_color_property") or None
    properties = getattr(layer, f"_{part}").color_properties
    return None if properties is None else str(properties.name)


class Spanning:
    """A layer that reaches over all of the slider axes.

    napari makes a slider as long as the ``_extent_data`` of its layers. A layer that holds only
    the elements at the present step would take away the slider that leads to the others.
    """

    reach: Reach | None = None

    complete: Callable[[], tuple[Any, dict[str, Any]] | None] | None = None
    """Returns data and arguments of all elements, None if the layer holds them all."""

    def as_layer_data_tuple(self) -> tuple[Any, dict[str, Any], str]:
        """Return what napari duplicates and saves: all elements, not those in view alone."""
        data, state, kind = super().as_layer_data_tuple()  # type: ignore[misc]
        found = self.complete() if self.complete is not None else None
        return (data, state, kind) if found is None else (found[0], {**state, **found[1]}, kind)

    @property
    def _extent_data(self) -> npt.NDArray[np.float64]:
        extent: npt.NDArray[np.float64] = super()._extent_data  # type: ignore[misc]
        if self.reach is None:
            return extent
        leading = self.reach()
        if leading.shape[1] > extent.shape[1] - 2 and leading.shape[1]:
            return extent  # in the middle of a change of the number of axes
        extent = np.array(extent, dtype=float)
        extent[:, : leading.shape[1]] = leading
        return extent


TEXT_BUDGET: Final = 4000
"""Characters that are drawn beside the elements of a layer. napari lays out each of them anew for
every draw, 50 us of a window that answers nothing; more could not be read."""

SHORTEST: Final = 4
"""Characters of a text below which it tells nothing."""


class _Captioned:
    """A layer with texts beside its elements, as many as can be drawn.

    napari draws those that ``_view_text`` returns, of the elements that are seen.
    """

    elided = False
    """Whether texts have been shortened or left out."""

    @property
    def _view_text(self) -> npt.NDArray[np.str_]:
        texts: npt.NDArray[np.str_] = super()._view_text  # type: ignore[misc]
        if sum(map(len, texts)) <= TEXT_BUDGET:
            return texts
        self.elided = True
        most = TEXT_BUDGET // len(texts)
        if most < SHORTEST:
            return np.full(len(texts), "")
        return np.array([text if len(text) <= most else text[: most - 1] + "…" for text in texts])


class _Widening(Spanning):
    """A layer of one array, which can take on another number of axes.

    The setter of ``data`` checks new data against the present number of axes.
    ``_update_dims`` takes the number from ``_data``, and adapts transforms and the slice to it.
    """

    ndim: int
    data: npt.NDArray[Any]
    _update_dims: Callable[[], None]

    def widen(self, ndim: int) -> None:
        """Give the elements zeros on new leading axes, or take leading axes away."""
        if ndim != self.ndim:
            self._data = _with_axes(self.data, ndim)
            self._update_dims()


# Under napari's own names, which its icons, plugins and files go by.


class Points(_Captioned, _Widening, _Points):  # type: ignore[misc]
    """Points."""


class Shapes(_Captioned, Spanning, _Shapes):  # type: ignore[misc]
    """Shapes, whose features are shown under the pointer.

    napari shows the features of points and labels in the status bar and in tooltips, and asks
    layers for the latter by ``_get_tooltip_text``; those of shapes it keeps without showing them.
    """

    _wider: int | None = None

    def get_status(self, position: Any = None, **where: Any) -> dict[str, str]:
        """Return the texts of the status bar."""
        status: dict[str, str] = super().get_status(position, **where)
        if position is not None and (lines := self._features(position, where)):
            for name in ("coordinates", "value"):
                status[name] += "; " + ", ".join(lines)
        return status

    def _get_tooltip_text(self, position: Any, **where: Any) -> str:
        return "\n".join(self._features(position, where))

    def _features(self, position: Any, where: dict[str, Any]) -> list[str]:
        """Return the features of the shape at a position."""
        if not len(self.features.columns):
            return []
        where.pop("value", None)
        value = self.get_value(position, **where)
        shape = value[0] if isinstance(value, tuple) else value
        if shape is None or not 0 <= shape < len(self.features):
            return []
        row = self.features.iloc[int(shape)]
        return [f"{name}: {_text(each)}" for name, each in row.items() if each == each]

    def _get_ndim(self) -> int:
        return int(super()._get_ndim()) if self._wider is None else self._wider

    def widen(self, ndim: int) -> None:
        """Take on another number of axes without any shapes.

        ``_update_dims`` asks ``_get_ndim``, which without shapes returns the present number.
        """
        if ndim != self.ndim:
            self.data: Any = []
            self._wider = ndim
            self._update_dims()
            self._wider = None


class Vectors(_Widening, _Vectors):  # type: ignore[misc]
    """Vectors."""


class Surface(Spanning, _Surface):  # type: ignore[misc]
    """Surface."""


class Tracks(Spanning, _Tracks):  # type: ignore[misc]
    """Tracks, whose time may be any of the sliders.

    napari takes the first slider for the time, and draws tracks up to ``current_time``. The last
    time that any of the tracks has is known to ``_manager``.
    """

    now: Callable[[], float | None] | None = None
    """Returns where the viewer is on the axis of time, None for everywhere."""

    @property
    def current_time(self) -> Any:
        """Time up to which tracks are drawn."""
        if self.now is None:
            return super().current_time
        now = self.now()
        return self._manager.max_time if now is None else now


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _with_axes(data: npt.NDArray[Any], ndim: int) -> npt.NDArray[Any]:
    """Return data with zeros for new leading axes, or without some of them."""
    missing = ndim - data.shape[-1]
    if missing <= 0:
        return data[..., -missing:]
    pads = [(0, 0)] * (data.ndim - 1) + [(missing, 0)]
    return np.pad(data, pads)


Elements = Points | Shapes | Vectors | Surface | Tracks
