"""Memory of items on their way: in files that may hang or be cut short, or of large bases."""

from __future__ import annotations

from collections.abc import Sequence

from dask_napari.model import (
    AnyArray,
    Held,
    Item,
    Refusal,
    held_by_array,
    is_plain,
    is_small_part,
    mapping_of,
)
from dask_napari.system import copy_mapped


def release_bases(parts: Sequence[Item | Refusal]) -> None:
    """Copy arrays of the items of one output that are in files, or a small part of their base.

    All that they show of a base together counts. Raises :class:`Refusal` where a file is gone.
    """
    for part in parts:
        if isinstance(part, Item) and (part.arrays or part.data.base is not None):
            break
    else:
        return  # as nearly always
    shown: dict[int, int] = {}
    views: list[tuple[Item, str, Held]] = []
    for item in parts:
        if isinstance(item, Refusal):
            continue
        for name, array in (("", item.data), *item.arrays.items()):
            if array.base is not None:
                held = held_by_array(array)
                shown[held.owner] = shown.get(held.owner, 0) + array.nbytes
                views.append((item, name, held))
    for item, name, held in views:
        array = item.arrays[name] if name else item.data
        if is_small_part(shown[held.owner], held.nbytes) or not is_plain(array):
            if name:
                item.arrays[name] = _copy(array)
            else:
                item.data = _copy(array)


def _copy(array: AnyArray) -> AnyArray:
    mapping = mapping_of(array)
    if mapping is None:
        return array.copy()
    try:
        return copy_mapped(array, *mapping)
    except OSError as error:
        raise Refusal(
            "file cut short",
            "the file of a mapped array has been cut short since the array was put; put a copy of"
            f" it, numpy.array(array): {error}",
        ) from error
