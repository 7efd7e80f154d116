"""File names as microscopes write them, for ``at=`` of a tap.

Each is a :class:`Convention`; they go by constant or by name, where a pattern would stand:

>>> from dask_napari import Tap, conventions
>>> tap = Tap("read", at=conventions.OPERA_PHENIX)
>>> tap.place("read-1", None, ("/data/r02c03f01p05-ch2sk1fk1fl1.tiff",))
{'well': 'B03', 'field': 1, 'z': 5, 'channel': 2, 't': 1}
>>> Tap("read", at="opera-phenix") == tap
True

A name may be read without a tap, too:

>>> conventions.position("r02c03f01p05-ch2sk1fk1fl1.tiff", "opera-phenix")["well"]
'B03'

Numbers are those of the microscope, counted from 0 or 1 as it does. Where a name leaves an axis
out, so does the position.
"""

from __future__ import annotations

from dask_napari.placement import Convention, position
from dask_napari.placement.microscopes import (
    CELL_TRACKING_CHALLENGE,
    CELLOMICS,
    CELLVOYAGER,
    CQ1,
    CX7,
    CYTATION,
    IMAGEXPRESS,
    INCELL,
    INCUCYTE,
    MICRO_MANAGER,
    MUVI,
    OME_ZARR,
    OPERA_PHENIX,
    OPERETTA,
    SCANR,
    named,
    names,
    register,
)

__all__ = [
    "CELLOMICS",
    "CELLVOYAGER",
    "CELL_TRACKING_CHALLENGE",
    "CQ1",
    "CX7",
    "CYTATION",
    "IMAGEXPRESS",
    "INCELL",
    "INCUCYTE",
    "MICRO_MANAGER",
    "MUVI",
    "OME_ZARR",
    "OPERA_PHENIX",
    "OPERETTA",
    "SCANR",
    "Convention",
    "named",
    "names",
    "position",
    "register",
]
