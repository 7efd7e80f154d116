"""The programs of the web screen: where they are, and which packages have those that are not."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NOVNC: Final = (Path("/usr/share/novnc"), Path("/usr/local/share/novnc"))
"""Folders into which packages put noVNC."""

PACKAGES: Final = {
    "Xvnc": "tigervnc-standalone-server",
    "vncpasswd": "tigervnc-tools",
    "matchbox-window-manager": "matchbox-window-manager",
    "websockify": "websockify",
    "noVNC": "novnc",
}
"""Debian's and Ubuntu's names; the only window manager that is tested is the one named here."""


class MissingPrograms(OSError):
    """Programs of the web screen are not installed; the text says which, and their packages."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Commands, and the folder of noVNC's page."""

    xvnc: str
    vncpasswd: str
    window_manager: str
    websockify: tuple[str, ...]
    novnc: Path

    @classmethod
    def find(cls) -> Programs:
        """Find all programs; MissingPrograms says what to install."""
        found = {name: shutil.which(name) for name in PACKAGES}
        found["noVNC"] = next((str(path) for path in NOVNC if (path / "vnc.html").exists()), None)
        websockify: tuple[str, ...] = (found["websockify"] or "",)
        if importlib.util.find_spec("websockify"):  # from pip, perhaps outside of the PATH
            websockify = (sys.executable, "-m", "websockify")
            found["websockify"] = sys.executable
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise MissingPrograms(
                f"a viewer in a browser needs {', '.join(missing)}, which this host lacks; on "
                "Debian and Ubuntu: apt-get install --no-install-recommends "
                + " ".join(PACKAGES[name] for name in missing)
            )
        return cls(
            found["Xvnc"] or "",
            found["vncpasswd"] or "",
            found["matchbox-window-manager"] or "",
            websockify,
            Path(found["noVNC"] or ""),
        )
