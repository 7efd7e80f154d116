"""The screen that a window needs: tried before Qt is, which aborts the process without one."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dask_napari.system._platform import answers


def screen_fault(
    qt_plugins: Path | None = None, environment: Mapping[str, str] = os.environ
) -> str:
    """Return why Qt cannot open a window here; empty if it can, or if that cannot be told.

    ``qt_plugins`` is the folder of Qt's plugins; the libraries that they need are tried, too.

    >>> screen_fault(environment={"QT_QPA_PLATFORM": "offscreen"})
    ''
    """
    platform = environment.get("QT_QPA_PLATFORM", "xcb").partition(":")[0]
    if sys.platform == "darwin" or sys.platform == "win32":
        return ""
    if platform != "xcb" or _wayland_answers(environment):
        return ""
    display = environment.get("DISPLAY")
    if not display:
        return "there is no screen: DISPLAY is not set"
    if not _x_answers(display):
        return f"the screen DISPLAY={display} does not answer, or does not let this user in"
    plugin = qt_plugins and qt_plugins / "platforms" / "libqxcb.so"
    if plugin and plugin.exists():
        try:
            ctypes.CDLL(str(plugin), mode=os.RTLD_LAZY)
        except OSError as error:
            return f"Qt lacks a library to open windows with: {error}"
    return ""


def _x_answers(display: str) -> bool:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # not known: Qt may bring its own
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(display.encode(), None))
    if not xcb.xcb_connection_has_error(connection):
        return True  # kept: Xvfb resets when its last client goes, and turns away Qt meanwhile
    xcb.xcb_disconnect(connection)
    return False


def _wayland_answers(environment: Mapping[str, str]) -> bool:
    name = environment.get("WAYLAND_DISPLAY")
    return name is not None and answers(f"{environment.get('XDG_RUNTIME_DIR', '/')}/{name}")
