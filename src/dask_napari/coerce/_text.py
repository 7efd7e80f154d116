"""Text of the user's that travels in the header of a message."""

from __future__ import annotations

from typing import Final

MOST: Final = 256
"""Characters of a name; a receiver takes some more, and people read less."""


def clean(text: str, most: int = MOST) -> str:
    r"""Return text that can be sent: with an end, and without halves of characters.

    A file name that is not UTF-8 has such halves in Python.

    Examples
    --------
    >>> clean("well \udcff"), clean("abc", 2)
    ('well ?', 'ab')
    """
    return text[:most].encode("utf-8", "replace").decode("utf-8")
