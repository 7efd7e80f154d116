"""A line of the journal: an item without its arrays, and where those lie."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from dask_napari.model import Calibration, Item, Kind, PlaceKey, Position, Provenance, at_of


class ImageRegion(msgspec.Struct, frozen=True):
    """Where the data of an item lies in the array of an image.

    Attributes
    ----------
    path : str
        The zarr array.
    start : tuple of int
        Index of its first element there.
    order : tuple of int
        The axis of the zarr array that each of its own is; along others it has length 1.
    """

    path: str
    start: tuple[int, ...]
    order: tuple[int, ...]


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item without its arrays, and where those lie.

    Attributes
    ----------
    id : int
        Number of the line.
    shape, dtype
        Of the data.
    image : ImageRegion, optional
        Where the data lies, if in an image.
    file : str
        The file of arrays with all else, empty if there is nothing else.
    arrays : tuple of str
        Names of the arrays in the file, in its order.
    """

    id: int
    layer: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: str
    image: ImageRegion | None = None
    file: str = ""
    arrays: tuple[str, ...] = ()
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

    @classmethod
    def of(
        cls, number: int, item: Item, image: ImageRegion | None, file: str, arrays: Iterable[str]
    ) -> JournalLine:
        """Describe an item."""
        made, known = item.provenance, item.calibration
        return cls(
            number,
            item.layer,
            item.kind,
            item.data.shape,
            item.data.dtype.str,
            image,
            file,
            tuple(arrays),
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

    def item(self, data: Any, arrays: dict[str, Any]) -> Item:
        """Return the item with its arrays."""
        return Item(
            self.layer,
            self.kind,
            data,
            self.position,
            Provenance(self.key, self.worker, self.run_id, self.start, self.stop),
            Calibration(self.axes, self.scale, self.translate, self.units),
            self.rgb,
            arrays,
            self.origin,
            self.whole,
            self.part,
            from_json(self.options),
            self.publisher,
        )

    @property
    def at(self) -> Position:
        """The position; without one, its task is its place."""
        return at_of(self.position, self.whole, self.key)

    @property
    def slot(self) -> PlaceKey:
        """Identity of the place of the item."""
        return self.layer, self.part, self.origin, frozenset(self.at.items())


class Removal(msgspec.Struct, frozen=True):
    """Numbers of lines whose items are about to be overwritten."""

    gone: list[int]


_encoder = msgspec.json.Encoder()
_lines: msgspec.json.Decoder[JournalLine] = msgspec.json.Decoder(JournalLine)
_removals: msgspec.json.Decoder[Removal] = msgspec.json.Decoder(Removal)


def decode(text: bytes) -> JournalLine | Removal:
    """Return what a line of the file says. Raises ``msgspec.DecodeError``."""
    return _removals.decode(text) if text.startswith(b'{"gone"') else _lines.decode(text)


def encode(lines: Iterable[JournalLine | Removal]) -> bytes:
    """Return lines as they are in the file."""
    return b"".join(_encoder.encode(line) + b"\n" for line in lines)


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
