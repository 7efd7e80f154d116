"""Coercion: the output of a task becomes items that a viewer can show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict, Unpack

import numpy as np

from dask_napari.coerce._calibrations import along, calibration_in, drawable, merged
from dask_napari.coerce._images import named_parts
from dask_napari.coerce._layer_arrays import CoercionContext, LayerArrays
from dask_napari.coerce._option_values import options_of
from dask_napari.coerce._output_layers import (
    OUTPUT_KINDS,
    OutputLayer,
    layers_in,
    layers_of_tuple,
    position_in,
)
from dask_napari.coerce._tables import clean
from dask_napari.model import Calibration, Conversion, Item, Kind, Position, Provenance, Refusal
from dask_napari.placement import position_of

logger = logging.getLogger(__name__)

OnNote = Callable[[str, str, str], object]
"""Takes the layer, a text on how an item differs from the output, and the text with figures."""


class CoercionOptions(TypedDict, total=False):
    """Options of :func:`coerce_all`."""

    kind: Kind
    layer: str
    position: Position | None
    provenance: Provenance | None
    calibration: Calibration | None
    rgb: bool | None
    columns: Mapping[str, str]
    on_note: OnNote


def _log_note(layer: str, text: str, latest: str = "") -> None:
    logger.warning("layer %r: %s", layer, latest or text)


def coerce(value: object, **options: Unpack[CoercionOptions]) -> Item:
    """Make one item of a task output.

    Images are not copied unless their dtype must change. Labels are read once, to find the
    smallest dtype that holds them: not for an event loop.

    Parameters
    ----------
    value : object
        Output of a task; the page "Kinds of output" lists the forms of each kind.
    kind : Kind
        Type of the layer, unless the output names its own, as napari's layer-data tuples do.
    position : Position, optional
        Position of the item. Without one, the scalar coordinates of a ``DataArray`` count, or
        the ``metadata={"at": ...}`` of a layer-data tuple.
    calibration : Calibration, optional
        Pixel sizes of the tap; they win over those of the output. An entry that is one long
        holds for all axes but those of time and channels.
    rgb : bool, optional
        Whether the last axis is colour; guessed from shape and dtype if not given.
    columns : mapping, optional
        Names of a table's columns by what they mean: ``{"y": "row", "x": "col"}``.
    on_note : callable
        Called with the layer, a text and perhaps the text with figures, for each way in which the
        item differs from the output, each time; the log has it if not given.

    Raises
    ------
    Refusal
        If the output cannot be shown as this kind, does not fit the calibration or ``rgb``, or
        makes several items.

    Examples
    --------
    >>> import numpy as np
    >>> item = coerce(np.arange(4).reshape(2, 2), kind="labels", position={"well": "A01"})
    >>> item.data.dtype, item.position
    (dtype('uint8'), {'well': 'A01'})
    """
    found = coerce_all(value, **options)
    first = next((item for item in found if isinstance(item, Refusal)), found[0])
    if isinstance(first, Refusal):
        raise first
    if len(found) != 1:
        raise Refusal("parts", f"the output makes {len(found)} items; use coerce_all")
    return first


def coerce_all(
    value: object,
    *,
    kind: Kind = "image",
    layer: str = "dask",
    position: Position | None = None,
    provenance: Provenance | None = None,
    calibration: Calibration | None = None,
    rgb: bool | None = None,
    columns: Mapping[str, str] | None = None,
    on_note: OnNote = _log_note,
) -> list[Item | Refusal]:
    """Make the items of a task output, one a layer; a refusal stands for one that cannot be shown.

    The parameters are those of :func:`coerce`. No two items fill the same place.

    >>> import numpy as np
    >>> found = coerce_all({"raw": np.zeros((4, 4)), "mask": np.zeros(4)})
    >>> found[0].part, found[1].reason
    ('raw', 'dimensions')
    """
    coercion = _Coercion(
        kind,
        layer,
        position or {},
        provenance or Provenance(),
        calibration or Calibration(),
        rgb,
        columns or {},
        on_note,
    )
    try:
        if kind not in OUTPUT_KINDS:
            raise Refusal(
                "kind", f"kind {kind!r} is unknown; give one of {', '.join(OUTPUT_KINDS)}"
            )
        layers = layers_in(value, kind, layer, coercion.note)
    except Exception as error:
        return [coercion.refusal(error)]
    parts = [coercion.items(output_layer) for output_layer in layers]
    if isinstance(value, tuple) and any(map(_may_be_part, layers, parts)):
        parts = _shown_parts(value, layers, parts, coercion)
    found: list[Item | Refusal] = []
    for items in parts:
        found += [items] if isinstance(items, Refusal) else items
    _number_twins([item for item in found if isinstance(item, Item)])
    return found


_NO_FORM: Final = frozenset({"not an array", "not points", "not vectors", "dimensions", "dtype"})
"""Reasons for refusing a tuple as one output, whose parts may be shown all the same."""


def _may_be_part(layer: OutputLayer, items: list[Item] | Refusal) -> bool:
    return isinstance(items, Refusal) and layer.features is None and items.reason in _NO_FORM


def _shown_parts(
    value: tuple[object, ...],
    layers: list[OutputLayer],
    parts: list[list[Item] | Refusal],
    coercion: _Coercion,
) -> list[list[Item] | Refusal]:
    """Return the items of those parts of a tuple that can be shown; the only one has the layer.

    Segmenters return such tuples: ``(masks, flows, styles)``.
    """
    whole = next(items for items in parts if isinstance(items, Refusal))
    numbers = [*range(len(value))]
    if len(layers) != len(value):
        layers, numbers = layers_of_tuple(value, coercion.kind, coercion.layer, coercion.note)
        parts = [coercion.items(layer) for layer in layers]
    shown = [items for items in parts if not isinstance(items, Refusal)]
    if not shown:
        remedy = "value= of the tap chooses a part of what a task returns"
        return [coercion.refusal(Refusal(whole.reason, f"{whole}; {remedy}"))]
    if len(shown) == 1:
        for item in shown[0]:
            item.amend(part="")
    tried = dict(zip(numbers, parts, strict=True))
    reasons = [
        f"{number} ({found.reason if isinstance(found, Refusal) else 'no layer'})"
        for number in range(len(value))
        if isinstance(found := tried.get(number), Refusal | None)
    ]
    text = Conversion.PARTS.format(kind=coercion.kind)
    coercion.note(text, f"{text}: {', '.join(reasons)}; value= chooses a part")
    return [*shown]


def _number_twins(items: list[Item]) -> None:
    """Number the items that would replace each other, as napari numbers layers of one name."""
    if len(items) < 2:
        return
    seen: set[Any] = set()
    for item in items:
        name, number = item.name, 0
        while item.place in seen:
            number += 1
            item.amend(part=f"{name} [{number}]")
        seen.add(item.place)


@dataclass(frozen=True, slots=True)
class _Coercion:
    """Coercion of one output: what the tap and the task say of all its layers."""

    kind: Kind
    layer: str
    position: Position
    provenance: Provenance
    calibration: Calibration
    rgb: bool | None
    columns: Mapping[str, str]
    on_note: OnNote

    def note(self, text: str, latest: str = "") -> None:
        """Tell how a layer differs from the output."""
        self.on_note(self.layer, text, latest)

    def refusal(self, error: Exception) -> Refusal:
        """Return an error as a refusal with its layer and task."""
        # Looking at an output runs its author's code, such as `__array__`: errors are input.
        refusal = Refusal.of(error).without_frames()
        refusal.layer, refusal.key = self.layer, self.provenance.key
        return refusal

    def items(self, layer: OutputLayer) -> list[Item] | Refusal:
        """Make the items of one layer, or return why they cannot be shown."""
        try:
            return self._items(layer)
        except Exception as error:
            return self.refusal(error)

    def _items(self, layer: OutputLayer) -> list[Item]:
        position = self.position or position_in(layer.meta) or position_of(layer.value)
        of_meta = calibration_in(layer.meta)
        rgb = layer.meta.get("rgb", self.rgb if layer.kind == self.kind else None)
        if not isinstance(rgb, bool | np.bool_ | int | None):
            raise Refusal("rgb", f"rgb is a {type(rgb).__name__}; give True or False")
        context = CoercionContext(
            None if rgb is None else bool(rgb),
            layer.features,
            layer.meta,
            frozenset(map(str, position)),
            max(2, len(of_meta.axes), len(of_meta.scale), len(self.calibration.scale)),
            self.columns if layer.kind == self.kind else {},
            self.note,
        )
        make = OUTPUT_KINDS[layer.kind].make
        return [
            self._item(arrays, layer, place, of_meta, axes)
            for part, place, axes in named_parts(
                layer.value, layer.kind, position, context.rgb, self.note
            )
            for arrays in make(part, context)
        ]

    def _item(
        self,
        made: LayerArrays,
        layer: OutputLayer,
        position: Position,
        of_meta: Calibration,
        axes: tuple[int, ...],
    ) -> Item:
        stated = self.calibration, of_meta
        if axes:
            value: Any = layer.value
            ndim = value.ndim - made.rgb
            stated = along(self.calibration, axes, ndim), along(of_meta, axes, ndim)
        made.calibration = drawable(made.calibration, self.note)
        # First: options of each element become arrays.
        options = options_of(made, layer.meta, self.note)
        name = f"{layer.name or self.layer} {made.suffix}" if made.suffix else layer.name
        return Item(
            layer=self.layer,
            kind=made.kind,
            data=made.data,
            position={
                clean(axis): clean(place) if isinstance(place, str) else place
                for axis, place in position.items()
            },
            provenance=self.provenance,
            calibration=merged(*stated, made),
            rgb=made.rgb,
            arrays=made.arrays,
            part=clean(name),
            options=options,
        )
