"""Bounds of names, axes and numbers, which both ends of the wire and the taps obey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta

NAME_LIMIT: Final = 1024
"""Characters of a layer, axis or publisher name: a label for people, not data."""

AXES_LIMIT: Final = 32
"""Axes of a position or an array; numpy and napari go little further."""

TASK_KEY_LIMIT: Final = 32 << 10
"""Characters of a task's key, which may list what the task was made from."""

Name = Annotated[str, Meta(max_length=NAME_LIMIT)]
Names = Annotated[tuple[Name, ...], Meta(max_length=AXES_LIMIT)]
Numbers = Annotated[tuple[float, ...], Meta(max_length=AXES_LIMIT)]
Natural = Annotated[int, Meta(ge=0, le=2**53)]
"""Large enough for anything that is counted, and sums of many still fit into a message."""

Shape = Annotated[tuple[Natural, ...], Meta(max_length=AXES_LIMIT)]

_DEPTH: Final = 8
"""Lists and mappings within each other; options of layers have four at most."""

_ENTRIES: Final = 4096
"""Entries of one mapping, such as the colours of labels. Python takes time that grows with the
square of their number to keep whole numbers that somebody has chosen for that."""


def _plain_value() -> Any:
    """Return the type of text, numbers, flags, and lists and mappings of them.

    ``Any`` takes lists for keys: a hundred thousand pairs of numbers whose hashes are equal fit
    into a message, and would stop the process for many minutes.
    """
    scalar = bool | int | float | str | None
    value: Any = scalar
    for _ in range(_DEPTH):
        mapping = dict[int | float | str | None, value]
        value = scalar | list[value] | Annotated[mapping, Meta(max_length=_ENTRIES)]
    return value


if TYPE_CHECKING:
    PlainValue = Any
else:
    PlainValue = _plain_value()
