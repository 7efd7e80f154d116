"""Positions that names have: a pattern or a convention, by name too, reads them."""

from __future__ import annotations

import os

from dask_napari.model import Coordinate
from dask_napari.placement._matching import Matcher
from dask_napari.placement._patterns import compiled


def name_reader(at: str | Matcher) -> Matcher:
    """Return the reader of names that ``at`` says: a pattern, a convention, or the name of one."""
    if isinstance(at, Matcher):
        return at
    if not isinstance(at, str):
        raise TypeError(
            f"{at!r} cannot read names; give a pattern such as '{{well}}_s{{field:d}}.tif', or a"
            " convention"
        )
    if "{" in at or "}" in at:
        return compiled(at)
    # Imported late: most taps need no convention, and a worker should start fast.
    from dask_napari.placement import microscopes

    try:
        return microscopes.named(at)
    except ValueError as error:
        raise ValueError(
            f"at={at!r} has no axis in braces, as '{{well}}_s{{field:d}}.tif' has, and {error}"
        ) from None


def position(name: str | os.PathLike[str], convention: str | Matcher) -> dict[str, Coordinate]:
    """Return the position that a name has.

    Parameters
    ----------
    name : str or path
        File name, path, URL or key.
    convention : str, Pattern or Convention
        A convention, its name, or a pattern.

    Returns
    -------
    dict of str to int, float or str
        Axis to coordinate.

    Raises
    ------
    ValueError
        If the name does not match, and the message tells how far it does; or if the
        convention is unknown.

    Examples
    --------
    >>> position("/data/r02c03f01p05-ch2sk1fk1fl1.tiff", "opera-phenix")
    {'well': 'B03', 'field': 1, 'z': 5, 'channel': 2, 't': 1}
    >>> position("A01_s3.tif", "{well}_s{field:d}.tif")
    {'well': 'A01', 'field': 3}
    """
    reader, text = name_reader(convention), os.fspath(name)
    found = reader.match(text)
    if found is None:
        raise ValueError(f"{reader.title}: {reader.mismatch(text)}")
    return found
