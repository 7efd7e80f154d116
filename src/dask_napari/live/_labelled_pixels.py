"""Images and labels of a viewer as an ``xarray.DataArray``, read when they are looked at."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from dask_napari.model import SPATIAL, AnyArray, filled, natural_key

if TYPE_CHECKING:
    from dask_napari.live._viewer_data import ViewerData


class ViewerPixels(BackendArray):  # type: ignore[misc]
    """Items of a layer in one array, whose elements are read when they are indexed.

    An item that lacks an axis is repeated along it. Where there is no item, elements are as on the
    screen.
    """

    def __init__(self, data: ViewerData) -> None:
        self._data = data
        metas = [each.meta for each in data.items]
        given = dict.fromkeys(name for meta in metas for name in meta.at)
        # Those of a mosaic, or with a layer a value, are outside of the sliders.
        names = [name for name in given if name not in data.axes]
        names += [name for name in data.axes if name in given]
        self.coordinates: dict[str, list[Any]] = {
            name: sorted({meta.at[name] for meta in metas if name in meta.at}, key=natural_key)
            for name in names
        }
        shapes = []
        for each in data.items:
            whole, (shape, _) = each.meta.array_shape, each.arrays["data"]
            shapes.append((*whole, *shape[len(whole) :]))
        depth = max(map(len, shapes))
        padded = [(1,) * (depth - len(shape)) + shape for shape in shapes]
        self.space: tuple[int, ...] = tuple(map(max, zip(*padded, strict=True)))
        self.shape = (*map(len, self.coordinates.values()), *self.space)
        self.dtype = np.result_type(*{each.arrays["data"][1] for each in data.items})
        self._numbers: dict[tuple[str, ...], dict[tuple[Any, ...], list[int]]] = {}
        for number, meta in enumerate(metas):
            at = tuple((name, meta.at[name]) for name in names if name in meta.at)
            alike = self._numbers.setdefault(tuple(name for name, _ in at), defaultdict(list))
            alike[tuple(value for _, value in at)].append(number)

    def __repr__(self) -> str:
        return f"<ViewerPixels {self.shape} {self.dtype} of {self._data!r}>"

    def __getitem__(self, key: Any) -> Any:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self.read)

    def __deepcopy__(self, memo: Any) -> ViewerPixels:
        return self  # it never changes

    def __reduce__(self) -> Any:
        # Another host cannot reach this viewer, so the pixels travel with the pickle.
        return indexing.NumpyIndexingAdapter, (self.read((slice(None),) * self.ndim),)

    def read(self, key: tuple[Any, ...]) -> AnyArray:
        """Read the elements that integers and slices choose."""
        n = len(self.coordinates)
        values = list(self.coordinates.values())
        axes = [np.arange(len(each))[part] for each, part in zip(values, key, strict=False)]
        pictures = []
        for place in itertools.product(*(np.atleast_1d(axis).tolist() for axis in axes)):
            at = [each[index] for each, index in zip(values, place, strict=True)]
            pictures.append(self._picture(at)[key[n:]])
        inside = np.broadcast_to(np.zeros((), self.dtype), self.space)[key[n:]].shape
        lengths = [length for axis in axes for length in axis.shape]
        array: AnyArray = np.array(pictures, self.dtype).reshape((*lengths, *inside))
        return array

    def _picture(self, place: list[Any]) -> AnyArray:
        """Return all of space at one coordinate of each axis."""
        at = dict(zip(self.coordinates, place, strict=True))
        picture = filled(self.space, self.dtype, self._data.fill)
        for names in sorted(self._numbers, key=len):  # the most specific on top
            for number in self._numbers[names].get(tuple(at[name] for name in names), ()):
                block = self._data.read(number)
                origin = self._data.items[number].meta.origin
                starts = (*origin, *(0,) * (block.ndim - len(origin)))
                ends = map(sum, zip(starts, block.shape, strict=True))
                target: Any = (..., *map(slice, starts, ends))
                picture[target] = block
        return picture


def labelled_pixels(data: ViewerData) -> xarray.DataArray:
    """Return the pixels of a layer with the names of axes, coordinates, and units."""
    pixels = ViewerPixels(data)
    meta = data.items[0].meta
    n_colours = int(meta.rgb)
    depth = len(pixels.space) - n_colours
    calibration = meta.calibration
    usual = (*(f"dim{n}" for n in range(depth, len(SPATIAL), -1)), *SPATIAL)[-depth:]
    names = calibration.axes if len(calibration.axes) == depth else usual
    coordinates: dict[str, Any] = dict(pixels.coordinates)
    if len(calibration.scale) == depth:
        starts = calibration.translate if len(calibration.translate) == depth else (0.0,) * depth
        units = calibration.units if len(calibration.units) == depth else ("",) * depth
        for name, length, scale, start, unit in zip(
            names, pixels.space, calibration.scale, starts, units, strict=False
        ):
            attributes = {"units": unit} if unit else {}
            coordinates[name] = name, start + scale * np.arange(length), attributes
    dims = (*pixels.coordinates, *names, *("rgb",) * n_colours)
    return xarray.DataArray(
        indexing.LazilyIndexedArray(pixels),
        coordinates,
        dims,
        name=data.layer,
        attrs={"kind": meta.kind},
    )
