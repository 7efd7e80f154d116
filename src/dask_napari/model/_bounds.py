"""Bounds of names, axes and numbers, which both ends of the wire and the taps obey."""

from __future__ import annotations

from typing import Annotated, Final

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
