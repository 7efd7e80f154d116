"""Layer arrays, and the context in which the makers of each kind produce them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dask_napari.model import AnyArray, Calibration, Conversion, Kind


class Note(Protocol):
    """Takes a text on how the shown layer differs from the output.

    It has no figures, since equal texts are reported once; ``latest`` tells it with figures.
    """

    def __call__(self, text: str, latest: str = "") -> object:
        """Take the note."""


def ignore(text: str, latest: str = "") -> None:
    """Take a note, and tell nobody."""


@dataclass(frozen=True, slots=True)
class CoercionContext:
    """Knowledge of an output from outside of its data.

    ``meta`` are arguments of napari's layer that came with the data; a column named like one of
    ``position_axes`` is a feature, not a coordinate; ``empty_ndim`` is the number of coordinates
    where there are no elements; ``columns`` are the tap's names for columns of a table; ``rgb`` is
    None to guess it.
    """

    rgb: bool | None = None
    features: object = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    position_axes: frozenset[str] = frozenset()
    empty_ndim: int = 2
    columns: Mapping[str, str] = field(default_factory=dict)
    note: Note = ignore

    def leave_out(self, elements: str, count: int, total: int, why: str, detail: str = "") -> None:
        """Tell that some of the elements of an output are not shown."""
        if count:
            self.note(
                Conversion.ELEMENTS.format(elements=elements, why=why),
                f"{count} of {total} {elements} left out: {why}"
                + (f" ({detail})" if detail else ""),
            )


@dataclass(slots=True)
class LayerArrays:
    """Arrays of one item; see :class:`~dask_napari.model.Item` for their form in each kind.

    ``spatial_ndim`` counts the axes that a calibration describes; ``time_first`` says that the
    first axis is time even without names; ``suffix`` is appended to the name of a second layer out
    of the same data.
    """

    kind: Kind
    data: AnyArray
    arrays: dict[str, AnyArray] = field(default_factory=dict)
    spatial_ndim: int = 2
    rgb: bool = False
    calibration: Calibration = field(default_factory=Calibration)
    time_first: bool = False
    suffix: str = ""

    def __len__(self) -> int:
        """Return the number of elements: points, shapes, rows of tracks ..."""
        return len(self.arrays["types"]) if self.kind == "shapes" else len(self.data)
