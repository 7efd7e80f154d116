"""Run a part of the suite with other versions of Dask, napari, Qt and Python.

Those are the last three minor lines of distributed and of napari, together, and the lowest versions
that pyproject.toml declares; one environment has the tools whose outputs are shown, and others have
releases of OpenHCS and PolyStore, whose backend `dask_napari.openhcs` replaces. Pythons from
3.11 on that are on the ``PATH``, and both bindings of Qt, take turns. Each environment takes
minutes; the exit code is 1 if the tests fail in one of them.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

LINES = 3
"""Minor lines of each library: its users' clusters are rarely newer or older."""

SMOKE = (
    "tests/live/test_live.py",
    "tests/sink",
    "tests/viewer/test_viewer.py",
    "tests/viewer/test_napari_internals.py",
    "tests/viewer/layers/test_mosaic_layers.py",
    "tests/stream/test_stream.py",
    "tests/system/test_viewer_host.py",
)
"""What touches the internals of Dask and of napari, and a stream from end to end."""

TOOLS = ("tests/test_recipes.py", "tests/coerce")
"""What is skipped without the dependency group `tools`."""

WITHOUT_REQUIREMENTS = ("csbdeep", "stardist")
"""Tools of which a part is used that needs no TensorFlow, which they require."""

OPENHCS = ("tests/openhcs",)
"""What is skipped without PolyStore or OpenHCS."""

POLYSTORES = {
    "polystore": ["polystore"],
    "openhcs": ["openhcs"],  # and the PolyStore that it requires
    # The last with keywords in place of a request; it is of its time, and requires zarr 2.
    "polystore 0.1.9": ["polystore==0.1.9", "zmqruntime==0.1.11", "numcodecs<0.16"],
}
"""Requirements of the environments with PolyStore, by name."""

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass
class Environment:
    """Versions to try together."""

    name: str
    python: str
    pins: list[str] = field(default_factory=list)
    qt: str = "PyQt6"
    with_tools: bool = False
    extras: str = "viewer,record"
    tests: tuple[str, ...] = SMOKE


def lines(package: str) -> list[str]:
    """Return a requirement for the newest version of each of the last minor lines."""
    command = [sys.executable, "-m", "pip", "index", "versions", package]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    listed = re.search(r"Available versions: (.*)", text)
    assert listed, text
    newest: dict[str, str] = {}
    for version in listed[1].split(", "):
        newest.setdefault(".".join(version.split(".")[:2]), version)
    return list(newest.values())[:LINES]


def lowest() -> list[str]:
    """Return the lowest versions that are declared, of all that a viewer and a worker need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["viewer"], *extras["record"]]
    return [each.replace(">=", "==") for each in declared if ">=" in each]


def environments() -> Iterator[Environment]:
    pythons = [python for python in PYTHONS if _runs(python)]
    newest = zip(lines("distributed"), lines("napari"), strict=True)
    for number, (distributed, napari) in enumerate(newest):
        pins = [f"distributed=={distributed}", f"dask=={distributed}", f"napari=={napari}"]
        python, qt = pythons[-1 - number % len(pythons)], ("PyQt6", "PySide6")[number % 2]
        yield Environment(f"distributed {distributed}, napari {napari}", python, pins, qt)
    yield Environment("lowest declared", pythons[0], lowest())
    yield Environment("tools", pythons[0], with_tools=True, tests=TOOLS)
    for name, pins in POLYSTORES.items():
        yield Environment(name, pythons[0], pins, extras="viewer", tests=OPENHCS)


def _runs(python: str) -> bool:
    try:
        return not subprocess.run([f"python{python}", "-c", ""], capture_output=True).returncode
    except FileNotFoundError:
        return False


def run(environment: Environment, folder: Path) -> bool:
    """Make an environment and run the smoke tests in it; return whether they pass."""
    place = folder / re.sub(r"\W+", "-", environment.name)
    subprocess.run([f"python{environment.python}", "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--upgrade"]
    subprocess.run([*install, "pip>=25.1"], check=True)
    wanted = ["--editable", f"{ROOT}[{environment.extras}]", environment.qt, *environment.pins]
    groups = ["dev", "tools"] if environment.with_tools else ["dev"]
    for group in groups:
        wanted += ["--group", f"{ROOT}/pyproject.toml:{group}"]
    try:
        subprocess.run([*install, *wanted], check=True)
        if environment.with_tools:
            subprocess.run([*install, "--no-deps", *WITHOUT_REQUIREMENTS], check=True)
    except subprocess.CalledProcessError:
        return False
    # Each version warns of other things than the one that the suite is strict with.
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "default"]
    command += environment.tests
    # A variable, since both bindings may be there.
    env = {**os.environ, "QT_API": environment.qt.lower()}
    return not subprocess.run(command, cwd=ROOT, env=env).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help="environments of this name")
    options = parser.parse_args()
    chosen = [each for each in environments() if options.only in each.name]
    results = {}
    with tempfile.TemporaryDirectory(prefix="dn") as folder:
        for each in chosen:
            print(f"== {each.name}, Python {each.python}, {each.qt}", flush=True)
            results[each.name] = run(each, Path(folder))
    for name, passed in results.items():
        print(f"{'passed' if passed else 'FAILED'}: {name}")
    return not all(results.values())


if __name__ == "__main__":
    sys.exit(main())
