"""What the user should know of how something is shown: said in the log and in the dock."""

from __future__ import annotations

import logging
from typing import Final

logger = logging.getLogger(__name__)

MOST: Final = 256
"""Notes that are kept; who makes more layers than that has other things to read."""

LENGTH: Final = 300
"""Characters of a note: napari's error for a colormap lists all that there are."""


class LayerNotes:
    """Notes on layers, each said once.

    Examples
    --------
    >>> notes = LayerNotes()
    >>> notes.say("cells", "9 shapes are shown as labels")
    >>> notes.say("cells", "9 shapes are shown as labels")
    >>> notes.lines
    ('cells: 9 shapes are shown as labels',)
    """

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def say(self, layer: str, text: str) -> None:
        """Keep a note, and log it if it is new.

        Parameters
        ----------
        layer : str
            Name of the layer.
        text : str
            What is to be known of it.
        """
        line = f"{layer}: {text}"
        line = line if len(line) <= LENGTH else line[: LENGTH - 1] + "…"
        if line in self._said or len(self._said) >= MOST:
            return
        self._said[line] = None
        logger.warning("%s", line)

    @property
    def lines(self) -> tuple[str, ...]:
        """All notes, in the order in which they were said."""
        return tuple(self._said)
