"""How items travel: by shared memory, or inline."""

from __future__ import annotations

from typing import Literal, get_args

Transport = Literal["auto", "shared-memory", "inline"]
"""``auto``: by shared memory if a probe shows that memory is shared, else inline."""


def check_transport(transport: str) -> None:
    """Refuse a transport that there is not.

    Parameters
    ----------
    transport : str
        What was given.

    Raises
    ------
    ValueError
        With those that there are.

    Examples
    --------
    >>> check_transport("shared-memory")
    """
    if transport not in get_args(Transport):
        raise ValueError(
            f"transport={transport!r} is unknown; use 'auto', 'shared-memory' or 'inline'"
        )
