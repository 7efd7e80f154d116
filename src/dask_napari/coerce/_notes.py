"""Notes to the log on what is shown otherwise than it was returned, once a layer and cause."""

from __future__ import annotations

import logging
from typing import Final

logger = logging.getLogger(__name__)

MOST: Final = 1000
"""Notes remembered; what comes later is not said at all, rather than with every task."""

_said: set[tuple[str, str]] = set()


def note(layer: str, text: str) -> None:
    """Log a note, unless the layer has had it.

    Parameters
    ----------
    layer : str
        The layer that it is about.
    text : str
        What is shown otherwise, without figures: it is what tells notes apart.
    """
    if (layer, text) not in _said and len(_said) < MOST:
        _said.add((layer, text))
        logger.warning("layer %r: %s", layer, text)
