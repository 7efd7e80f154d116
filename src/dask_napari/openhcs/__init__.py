"""OpenHCS and its PolyStore stream to a viewer of dask-napari.

:func:`register` puts :class:`NapariBackend` into PolyStore's registry, where its own backend for
napari was; pipelines stay as they are. PolyStore is imported when one of the two is asked for.

Examples
--------
>>> from dask_napari import openhcs
>>> backend = openhcs.register()  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dask_napari.openhcs._component_axes import ComponentAxes, component_axes
from dask_napari.openhcs._save_calls import SaveCall, save_call

if TYPE_CHECKING:
    from dask_napari.openhcs._polystore_backend import NapariBackend, register

__all__ = [
    "ComponentAxes",
    "NapariBackend",
    "SaveCall",
    "component_axes",
    "register",
    "save_call",
]


def __getattr__(name: str) -> Any:
    if name not in ("NapariBackend", "register"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}._polystore_backend")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("polystore", "zmqruntime"):
            raise
        raise ImportError(
            f"dask_napari.openhcs.{name} needs PolyStore: pip install polystore ({error})"
        ) from error
    return getattr(module, name)
