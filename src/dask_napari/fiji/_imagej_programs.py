"""ImageJ or Fiji on this host, and the compiler for the plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PLUGIN: Final = "DaskNapari"
NAMES: Final = ("fiji", "fiji-linux-x64", "ImageJ-linux64", "imagej", "ImageJ")
"""Programs on the ``PATH``: Fiji as its users link it, its launchers, and ImageJ."""

DEBIAN_JAR: Final = Path("/usr/share/java/ij.jar")
COMPILE_TIMEOUT: Final = 120.0
"""Seconds; it takes two on an idle core."""

INSTALL: Final = (
    "install ImageJ and a Java compiler (Debian: apt install imagej default-jdk-headless), or "
    "Fiji from fiji.sc, and give its launcher: --imagej PATH"
)


class MissingImageJ(OSError):
    """ImageJ, or the compiler for the plugin, is not installed; the message says how to."""


@dataclass(frozen=True)
class ImageJPrograms:
    """Programs that start ImageJ with the plugin.

    Attributes
    ----------
    jar : Path
        ImageJ itself.
    launcher : Path or None
        Fiji's launcher; None for ImageJ alone, which Java starts.
    java : Path
    javac : Path
    """

    jar: Path
    launcher: Path | None
    java: Path
    javac: Path

    @classmethod
    def find(cls, imagej: Path | None = None) -> ImageJPrograms:
        """Look for ImageJ at a path, or on the ``PATH``. Raises MissingImageJ."""
        found = imagej or next((Path(p) for p in map(shutil.which, NAMES) if p), None)
        if found is None:
            raise MissingImageJ(f"no {', '.join(NAMES[:4])} on the PATH: {INSTALL}")
        if not found.exists():
            raise MissingImageJ(f"{found} does not exist: {INSTALL}")
        found = found.resolve()
        folder = found if found.is_dir() else found.parent
        if found.suffix == ".jar":
            jar, launcher = found, None
        elif jars := sorted(folder.glob("jars/ij-1*.jar")):
            jar = jars[-1]
            launcher = found if found.is_file() else _launcher(folder)
        else:
            jar, launcher = folder / "ij.jar", None
            if not jar.exists() and found.is_file() and DEBIAN_JAR.exists():
                jar = DEBIAN_JAR  # of Debian's script, which leaves no room for a class path
        if not jar.exists():
            raise MissingImageJ(f"no ij.jar beside {found}: {INSTALL}")
        own = [folder, *folder.glob("java/*/*"), *folder.glob("jre"), *folder.glob("java/*/*/jre")]
        java = _program("java", own)
        return cls(jar, launcher, java, _program("javac", own))

    def compile(self, folder: Path) -> None:
        """Compile the plugin into a folder. Raises OSError."""
        source = Path(__file__).with_name(f"{PLUGIN}.java")
        # Classes for Java 8, which Fiji brought for long.
        options = ["-source", "8", "-target", "8", "-Xlint:-options", "-encoding", "UTF-8"]
        command = [str(self.javac), *options, "-cp", str(self.jar), "-d", str(folder), str(source)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT, check=False
        )
        if done.returncode:
            raise OSError(f"the plugin for ImageJ does not compile: {done.stderr[-2000:]}")

    def command(self, classes: Path, file: str) -> list[str]:
        """Return the command line of ImageJ, with the plugin of a folder reading a file.

        The macro is a constant of ours: nothing of a stream is in it.
        """
        macro = f'call("{PLUGIN}.start", "{file}");'
        if self.launcher is not None:
            return [str(self.launcher), "--class-path", str(classes), "-eval", macro]
        home = Path.home() / ".imagej"  # the plugins of Debian's users
        folder = home if self.jar == DEBIAN_JAR and home.is_dir() else self.jar.parent
        # Port 0: no socket on which other programs may send macros.
        return [
            *(str(self.java), "-cp", f"{self.jar}{os.pathsep}{classes}", "ij.ImageJ"),
            *("-ijpath", str(folder), "-port0", "-eval", macro),
        ]


def _launcher(folder: Path) -> Path:
    found = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if found is None:
        raise MissingImageJ(f"no launcher of Fiji in {folder}: give the path of the launcher")
    return found


def _program(name: str, folders: list[Path]) -> Path:
    """Return a program of Java: ImageJ's own, that of ``JAVA_HOME``, or on the ``PATH``."""

    def candidates() -> Iterator[Path]:
        homes = [*folders, *filter(None, [Path(os.environ.get("JAVA_HOME", ""))])]
        for home in homes:
            if (home / "bin" / name).is_file():
                yield home / "bin" / name
        if found := shutil.which(name):
            yield Path(found)

    program = next(candidates(), None)
    if program is None:
        raise MissingImageJ(f"no {name} for ImageJ's plugin: {INSTALL}")
    return program
