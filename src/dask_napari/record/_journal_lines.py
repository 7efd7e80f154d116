"""A line of the journal: an item without its arrays, and where those lie."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from dask_napari.model import Calibration, Item, Kind, PlaceKey, Position, Provenance, at_of


class StoredAt(msgspec.Struct, frozen=True):
    """Where an array of an item lies.

    Attributes
    ----------
    path : str
        The zarr array.
    start : tuple of int
        Its first element there.
    shape, dtype
        Its own. Text is stored as the numbers of its characters, along one more axis.
    order : tuple of int
        Which axis of the zarr array each of its own is; along others it has length 1.
    """

    path: str
    start: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str
    order: tuple[int, ...]


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item without its arrays; see :class:`~dask_napari.model._item.Item`."""

    id: int
    layer: str
    kind: Kind
    arrays: dict[str, StoredAt]
    position: dict[str, int | float | str] = {}
    key: str = ""
    worker: str = ""
    run_id: int = 0
    start: float = 0.0
    stop: float = 0.0
    rgb: bool = False
    axes: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    translate: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    origin: tuple[int, ...] = ()
    whole: tuple[int, ...] = ()
    part: str = ""
    options: Any = {}
    publisher: str = ""

    @property
    def at(self) -> Position:
        """The position; without one, its task is its place."""
        return at_of(self.position, self.whole, self.key)

    @property
    def slot(self) -> PlaceKey:
        """Identity of the place of the item."""
        return self.layer, self.part, self.origin, frozenset(self.at.items())


class Removal(msgspec.Struct, frozen=True):
    """Items that are no more."""

    gone: list[int]


_encoder = msgspec.json.Encoder()
_lines: msgspec.json.Decoder[JournalLine] = msgspec.json.Decoder(JournalLine)
_gone: msgspec.json.Decoder[Removal] = msgspec.json.Decoder(Removal)


def line_of(number: int, item: Item, arrays: dict[str, StoredAt]) -> JournalLine:
    """Describe an item whose arrays lie where ``arrays`` says."""
    made, known = item.provenance, item.calibration
    return JournalLine(
        number,
        item.layer,
        item.kind,
        arrays,
        dict(item.position),
        made.key,
        made.worker,
        made.run_id,
        made.start if math.isfinite(made.start) else 0.0,
        made.stop if math.isfinite(made.stop) else 0.0,
        item.rgb,
        known.axes,
        known.scale,
        known.translate,
        known.units,
        item.origin,
        item.whole,
        item.part,
        to_json(item.options),
        item.publisher,
    )


def item_of(line: JournalLine, data: Any, arrays: dict[str, Any]) -> Item:
    """The item of a line, with its arrays."""
    return Item(
        line.layer,
        line.kind,
        data,
        line.position,
        Provenance(line.key, line.worker, line.run_id, line.start, line.stop),
        Calibration(line.axes, line.scale, line.translate, line.units),
        line.rgb,
        arrays,
        line.origin,
        line.whole,
        line.part,
        from_json(line.options),
        line.publisher,
    )


def to_json(value: Any) -> Any:
    """Return options as JSON knows them: other keys than text, and numbers that are not finite.

    Examples
    --------
    >>> from_json(to_json({"colormap": {1: "red"}, "gamma": float("inf")}))
    {'colormap': {1: 'red'}, 'gamma': inf}
    """
    if isinstance(value, dict):
        pairs = [(key, to_json(each)) for key, each in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(pairs)
        return {"$items": [[to_json(key), each] for key, each in pairs]}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


def from_json(value: Any) -> Any:
    """Return what :func:`to_json` was given."""
    if isinstance(value, list):
        return [from_json(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$float" in value:
        return float(value["$float"])
    if "$items" in value:
        return {from_json(key): from_json(each) for key, each in value["$items"]}
    return {key: from_json(each) for key, each in value.items()}


def decode(text: bytes) -> JournalLine | Removal:
    """What a line of the file says. Raises ``msgspec.DecodeError``."""
    return _gone.decode(text) if text.startswith(b'{"gone"') else _lines.decode(text)


def encode(lines: Iterable[JournalLine | Removal]) -> bytes:
    """Lines as they are in the file."""
    return b"".join(_encoder.encode(line) + b"\n" for line in lines)
