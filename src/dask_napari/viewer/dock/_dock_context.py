"""Objects that the parts of the dock share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dask_napari.catalog import CatalogueEntry
    from dask_napari.viewer.dock._cluster_commands import ClusterCommands
    from dask_napari.viewer.dock._dock_colours import DockColours
    from dask_napari.viewer.dock._task_failures import TaskFailures
    from dask_napari.viewer.layers import Layers


@dataclass(slots=True)
class DockContext:
    """Objects that all parts of a dock share, and the colours of the present theme."""

    layers: Layers
    commands: ClusterCommands
    failures: TaskFailures
    show: Callable[[CatalogueEntry], None]
    """Moves the view to the place of an entry."""
    colours: DockColours
