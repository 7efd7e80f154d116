"""Items that a task is to make: where they will belong, as far as that is known before."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from typing import Any, Final

from dask_napari.model import PIXEL_KINDS, ItemMeta, Provenance, Refusal, plain_position
from dask_napari.placement import Placement
from dask_napari.tap._compiled_tap import CompiledTap

MOST_ITEMS: Final = 256
"""Items of one task whose places are named; a chunk may be split into any number."""


def expected_items(
    tap: CompiledTap,
    key: Any,
    provenance: Provenance,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    prefix: str = "",
) -> list[ItemMeta]:
    """Return the metadata of the items that a task is to make.

    They have no position where only the output tells it, or a function of the user's. No code of
    others runs, if the arguments have none.

    Parameters
    ----------
    tap : CompiledTap
        The tap that selects the task.
    key : str, bytes, int, float or tuple
        The task's key.
    provenance : Provenance
        What is known of the task.
    args, kwargs
        Its arguments, in which outputs of other tasks are references to their keys.
    prefix : str
        The task's name.

    Examples
    --------
    >>> from dask_napari import Tap
    >>> tap = Tap("segment", kind="labels", at="{well}.tif").compile()
    >>> expected_items(tap, "segment-1f", Provenance("segment-1f"), ("A01.tif",))[0].position
    {'well': 'A01'}
    """
    placement = Placement()
    if not tap.rule.by_value:
        with contextlib.suppress(Refusal):  # the output will be refused for it, and reported
            placement = tap.rule.placement(key, None, args, kwargs, prefix)
    if placement.leading:  # the output has axes before those of its tile, or has not
        placement = Placement()
    return items_at(tap, placement, provenance)


def items_at(tap: CompiledTap, placement: Placement, provenance: Provenance) -> list[ItemMeta]:
    """Return the metadata of the items of an output at a place."""
    is_chunk = tap.kind in PIXEL_KINDS
    return [
        ItemMeta(
            tap.layer,
            tap.kind,
            plain_position(position) if position else {},
            provenance,
            tap.calibration,
            bool(tap.rgb),
            placement.origin if is_chunk else (),
            placement.array_shape if is_chunk else (),
        )
        for position in itertools.islice(placement.positions(), MOST_ITEMS)
    ]
