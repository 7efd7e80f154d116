"""Commands to the plugin: lines of fields that hold no tab and no end of line."""

from __future__ import annotations

import math
from typing import Final

TEXT_LIMIT: Final = 200
"""Characters of a name or a label: a title bar shows fewer."""


def command(*fields: object) -> str:
    r"""Return one command, in whose fields no character can end a field, the line or the screen.

    >>> command("window", 3, 'a\tb\nquit"); exec("x\x1b')
    'window\t3\ta\\tb\\nquit"); exec("x\\x1b'
    """
    return "\t".join(map(_field, fields))


def _field(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"  # as in Java
    return plain_text(str(value))


def plain_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return text in characters that print, and not too many of them."""
    text = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
