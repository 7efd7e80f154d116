"""Coercion: what a task returned becomes items that a viewer can show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from dask_napari.coerce._calibrations import merged, of_meta
from dask_napari.coerce._coerced import Coerced, Hints
from dask_napari.coerce._images import image, labels
from dask_napari.coerce._layer_parts import LayerPart, parts_of, position_in
from dask_napari.coerce._option_values import options_of
from dask_napari.coerce._points import points
from dask_napari.coerce._shapes import shapes
from dask_napari.coerce._surfaces import surface
from dask_napari.coerce._text import clean
from dask_napari.coerce._tracks import tracks
from dask_napari.coerce._vectors import vectors
from dask_napari.model import KINDS, Calibration, Item, Kind, Position, Provenance, Refusal, contain
from dask_napari.placement import position_of

logger = logging.getLogger(__name__)

OnNote = Callable[[str, str], object]
"""Takes the layer and a text on what is shown otherwise than it was returned."""

_MAKERS: Final[Mapping[str, Callable[[object, Hints], list[Coerced]]]] = {
    "image": image,
    "labels": labels,
    "points": points,
    "shapes": shapes,
    "tracks": tracks,
    "vectors": vectors,
    "surface": surface,
}


def _log_note(layer: str, text: str) -> None:
    logger.warning("layer %r: %s", layer, text)


def coerce(
    value: object,
    *,
    kind: Kind = "image",
    layer: str = "dask",
    position: Position | None = None,
    provenance: Provenance | None = None,
    calibration: Calibration | None = None,
    rgb: bool | None = None,
    on_note: OnNote = _log_note,
) -> Item:
    """Make one item of a task output.

    Images are not copied unless their dtype must change. Labels are read once, to find the
    smallest dtype that holds them: not for an event loop.

    Parameters
    ----------
    value : object
        The output; what there is for each kind is listed in the page "Kinds of output".
    kind : Kind
        What to show it as, unless it says that itself, as napari's layer-data tuples do.
    layer : str
        The layer it belongs to.
    position : Position, optional
        Where it belongs. Without one, the scalar coordinates of a ``DataArray`` say it, or the
        ``metadata={"at": ...}`` of a layer-data tuple.
    provenance : Provenance, optional
        The task that made it.
    calibration : Calibration, optional
        What the tap says of pixel sizes; it wins over what the output says. An entry that is
        one long holds for all axes but those of time and channels.
    rgb : bool, optional
        Whether the last axis is colour; guessed from shape and dtype if not given.
    on_note : callable
        Called with the layer and a text for each way in which the item differs from the output,
        each time; the log is told if not given.

    Returns
    -------
    Item
        Fit for its kind.

    Raises
    ------
    Refusal
        If the output is not of a type that can be shown as this kind, or its dtype is not; if it
        is empty, has too few axes, or does not fit the calibration or ``rgb``; or if it
        makes several items.

    Examples
    --------
    >>> import numpy as np
    >>> item = coerce(np.arange(4).reshape(2, 2), kind="labels", position={"well": "A01"})
    >>> item.data.dtype, item.position
    (dtype('uint8'), {'well': 'A01'})
    """
    found = coerce_all(
        value,
        kind=kind,
        layer=layer,
        position=position,
        provenance=provenance,
        calibration=calibration,
        rgb=rgb,
        on_note=on_note,
    )
    for item in found:
        if isinstance(item, Refusal):
            raise item
    if len(found) != 1:
        raise Refusal("parts", f"the output makes {len(found)} items; use coerce_all")
    (item,) = found
    assert isinstance(item, Item)
    return item


def coerce_all(
    value: object,
    *,
    kind: Kind = "image",
    layer: str = "dask",
    position: Position | None = None,
    provenance: Provenance | None = None,
    calibration: Calibration | None = None,
    rgb: bool | None = None,
    on_note: OnNote = _log_note,
) -> list[Item | Refusal]:
    """Make the items of a task output, one a part; parts that cannot be shown are errors.

    Examples
    --------
    >>> import numpy as np
    >>> found = coerce_all({"raw": np.zeros((4, 4)), "mask": np.zeros(4)})
    >>> found[0].part, found[1].reason
    ('raw', 'dimensions')
    """
    given = _Given(kind, layer, position or {}, provenance or Provenance(), rgb, on_note)
    given.calibration = calibration or Calibration()
    try:
        parts = parts_of(value, kind, layer, given.note)
    except Exception as error:
        return [given.refusal(error)]
    found: list[Item | Refusal] = []
    for part in parts:
        try:
            found += given.items(part)
        except Exception as error:
            # Whatever an object of the user's raises when it is looked at; the others go on.
            found.append(given.refusal(error))
    _tell_apart([item for item in found if isinstance(item, Item)])
    return found


def _refusal(error: Exception, layer: str, key: str) -> Refusal:
    if not isinstance(error, Refusal):
        # Looking at an output runs its author's code, such as `__array__`.
        contain(error, foreign=True)
        name = type(error).__name__
        refusal = Refusal(f"error: {name}", f"{name}: {error}")
        refusal.__cause__ = error
        error = refusal
    error.layer, error.key = layer, key
    return error


def _tell_apart(items: list[Item]) -> None:
    """Number the parts that would replace each other, as napari numbers layers of one name."""
    if len(items) < 2:
        return
    seen: set[Any] = set()
    for item in items:
        name, number = item.name, 0
        while item.place in seen:
            number += 1
            item.amend(part=f"{name} [{number}]")
        seen.add(item.place)


class _Given:
    """What the tap and the task say of all parts of an output."""

    def __init__(
        self,
        kind: Kind,
        layer: str,
        position: Position,
        provenance: Provenance,
        rgb: bool | None,
        on_note: OnNote,
    ) -> None:
        self.kind = kind
        self.layer = layer
        self.position = position
        self.provenance = provenance
        self.rgb = rgb
        self.on_note = on_note
        self.calibration = Calibration()

    def note(self, text: str) -> None:
        """Tell of what is shown otherwise than it was returned."""
        self.on_note(self.layer, text)

    def refusal(self, error: Exception) -> Refusal:
        """Return the refusal that an error stands for."""
        return _refusal(error, self.layer, self.provenance.key)

    def items(self, part: LayerPart) -> list[Item]:
        """Make the items of one part."""
        if part.kind not in _MAKERS:
            raise Refusal("kind", f"kind {part.kind!r} is unknown; give one of {', '.join(KINDS)}")
        position = self.position or position_in(part.meta) or position_of(part.value)
        told = of_meta(part.meta)
        rgb = part.meta.get("rgb", self.rgb if part.kind == self.kind else None)
        hints = Hints(
            None if rgb is None else bool(rgb),
            part.features,
            part.meta,
            frozenset(map(str, position)),
            max(2, len(told.axes), len(told.scale), len(self.calibration.scale)),
            self.note,
        )
        made = _MAKERS[part.kind](part.value, hints)
        return [self._item(one, part, position, told) for one in made]

    def _item(self, made: Coerced, part: LayerPart, position: Position, told: Calibration) -> Item:
        # First: options for each element become arrays.
        options = options_of(made, part.meta, self.note)
        name = part.name
        if made.beside:
            name = f"{name or self.layer} {made.beside}"
        return Item(
            layer=self.layer,
            kind=made.kind,
            data=made.data,
            position={
                clean(axis): clean(place) if isinstance(place, str) else place
                for axis, place in position.items()
            },
            provenance=self.provenance,
            calibration=merged(self.calibration, told, made),
            rgb=made.rgb,
            arrays=made.arrays,
            part=clean(name),
            options=options,
        )
