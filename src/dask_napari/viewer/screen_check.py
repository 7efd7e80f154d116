"""The refusal to open a window where Qt would abort the process; needs no napari to say so."""

from __future__ import annotations

from pathlib import Path

from dask_napari.system import screen_fault


class NoScreen(OSError):
    """No window can open; the text says why and what to do."""


def check_screen() -> None:
    """Raise NoScreen without a screen that answers, or without the libraries that Qt needs."""
    from qtpy.QtCore import QLibraryInfo

    fault = screen_fault(Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)))
    if not fault:
        return
    if "library" in fault:
        remedy = (
            "Install it; on Debian and Ubuntu: apt-get install libxcb-cursor0 libxcb-icccm4 "
            "libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-xinerama0 libxkbcommon-x11-0"
        )
    else:
        remedy = (
            "Open the viewer on a desktop or through `ssh -X`, in a browser with "
            "`dask-napari view --web`, or out of sight with `xvfb-run -a`."
        )
    raise NoScreen(f"{fault}. {remedy}")
