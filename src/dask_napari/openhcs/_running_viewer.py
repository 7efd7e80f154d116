"""A viewer that runs already, as OpenHCS manages viewers."""

from __future__ import annotations

import importlib
from typing import Any


class RunningViewer:
    """Viewer of dask-napari at a port, in OpenHCS's list of viewers.

    OpenHCS opens a window of its own at a port for which it knows no viewer. It asks those that it
    knows whether they run, and has them clear what they show; runs do that in dask-napari.
    """

    is_running = True

    def __init__(self, port: int) -> None:
        self.port = port

    def __repr__(self) -> str:
        return f"<RunningViewer at port {self.port}>"

    @property
    def persistence_mode(self) -> Any:
        """Mode in which OpenHCS leaves the viewer open at the end of a pipeline."""
        protocol = importlib.import_module("openhcs.runtime.viewer_protocol")
        return protocol.ViewerPersistenceMode.PERSISTENT

    def start(self) -> None:
        """Do nothing: the viewer runs."""

    start_viewer = start

    def wait_for_ready(self, timeout: float = 0.0) -> bool:
        """Return that the viewer can be sent to: what is sent before it opens waits."""
        return True

    def clear_viewer_state(self) -> bool:
        """Return that a pipeline may begin: its images replace those at their places."""
        return True

    def settle_viewer_state(self, timeout: float = 0.0, **progress: Any) -> bool:
        """Return that a pipeline may end: the backend delivers what is queued."""
        return True

    def stop(self, timeout: float = 0.0) -> None:
        """Do nothing: the viewer is the user's."""

    stop_viewer = force_stop = rollback_failed_bootstrap = stop


def announce_viewer(port: int, viewer_type: str) -> None:
    """Tell OpenHCS in this process that a viewer runs at a port."""
    manager = importlib.import_module("zmqruntime").ViewerStateManager.get_instance()
    manager.get_or_create_viewer(
        viewer_type, port, factory=lambda: RunningViewer(port), wait_for_ready=False
    )
