"""``dask-napari doctor``: check that a host has all that a viewer or a worker needs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import click
import zmq

from dask_napari import config
from dask_napari.cli._output import print_table
from dask_napari.cli._settings_check import setting_faults
from dask_napari.fiji import ImageJPrograms, MissingImageJ
from dask_napari.stream.auth import host_and_port
from dask_napari.stream.shm import arena, janitor
from dask_napari.system import screen_fault

DEFAULT_PORT: Final = 5577
EXTRAS: Final = {
    "napari": "for a viewer: pip install 'dask-napari[all]'",
    "zarr": "for records: pip install 'dask-napari[record]'",
}


WINDOW: Final = """
import napari
from napari.qt import get_qapp
app = get_qapp()
viewer = napari.Viewer(show=False)
viewer.window._qt_viewer.canvas._scene_canvas.set_current()
from vispy.gloo import gl
renderer = gl.glGetParameter(gl.GL_RENDERER)
viewer.close()
print("OpenGL by", renderer)
"""
"""Program that makes a window and its OpenGL, and shows neither."""

WINDOW_TIMEOUT: Final = 60
"""Seconds; napari's first start on a slow disk takes 20."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    state: Literal["ok", "warning", "bad"]
    found: str
    remedy: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Ask the workers of this cluster, too, whether they can dial a viewer here.",
)
@click.option("--no-window", is_flag=True, help="Do not try to open one, which takes seconds.")
def doctor(as_json: bool, scheduler: str | None, no_window: bool) -> None:
    """Check settings, window, shared memory, ports and versions, and say what to do.

    Exit code 1 says that something is bad.
    """
    findings = list(examine(scheduler, window=not no_window))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        print_table(("check", "", "found", "what to do"), [astuple(each) for each in findings])
    if any(finding.state == "bad" for finding in findings):
        raise click.exceptions.Exit(1)


def examine(scheduler: str | None = None, *, window: bool = True) -> Iterator[Finding]:
    """Run all checks, one after the other."""
    yield _python()
    yield from map(_version, ("dask", "distributed", "numpy", "pyzmq", *EXTRAS))
    yield _qt()
    yield _curve()
    yield from _settings()
    display = _display()
    yield display
    if window and display.state == "ok" and find_spec("napari") is not None:
        yield _window()
    yield _imagej()
    yield _shared_memory()
    yield _port()
    yield _left_over()
    if scheduler is not None:
        yield _scheduler(scheduler)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", version)


def _version(name: str) -> Finding:
    try:
        return Finding(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        if name in EXTRAS:  # a worker does without
            return Finding(name, "warning", "missing", EXTRAS[name])
        return Finding(name, "bad", "missing", f"pip install {name}")


def _qt() -> Finding:
    for binding in ("PyQt6", "PySide6"):
        try:
            return Finding("Qt", "ok", f"{binding} {importlib.metadata.version(binding)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return Finding("Qt", "warning", "missing", "for a viewer: pip install PyQt6")


def _curve() -> Finding:
    found = f"ZeroMQ {zmq.zmq_version()}"
    if zmq.has("curve"):
        return Finding("encryption", "ok", f"{found} with CURVE")
    return Finding("encryption", "warning", f"{found} without CURVE", "pip install pyzmq anew")


def _display() -> Finding:
    fault = screen_fault()
    if not fault:
        display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY", "")
        return Finding("display", "ok", display)
    if shutil.which("xvfb-run"):
        return Finding("display", "warning", fault, "run with: xvfb-run -a ...")
    remedy = "install xvfb, use `view --web`, or view on another host"
    return Finding("display", "warning", f"{fault}; no Xvfb", remedy)


def _settings() -> Iterator[Finding]:
    faults = list(setting_faults())
    for fault in faults:
        yield Finding("settings", "bad", fault, "see docs/configuration.md")
    if not faults:
        yield Finding("settings", "ok", "all can be used")


def _window() -> Finding:
    """Open a window out of sight, in a process of its own, which Qt ends if it cannot."""
    command = [sys.executable, "-c", WINDOW]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WINDOW_TIMEOUT)
    except subprocess.TimeoutExpired:
        return Finding("window", "bad", f"none within {WINDOW_TIMEOUT} s", "see `napari --info`")
    if done.returncode == 0:
        return Finding("window", "ok", done.stdout.strip().splitlines()[-1])
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    why = lines[-1] if lines else f"ended with {done.returncode}"
    return Finding(
        "window", "bad", why, "see `napari --info`; without OpenGL, LIBGL_ALWAYS_SOFTWARE=1"
    )


def _scheduler(address: str) -> Finding:
    from dask_napari.live import ClusterAttachment  # takes a second, for Dask

    try:
        with contextlib.closing(ClusterAttachment(address)) as cluster:
            hosts = {host_and_port(a)[0] for a in cluster.endpoint().addresses if "://*" not in a}
    except (OSError, ValueError) as error:
        remedy = "docs/troubleshooting.md; for workers behind a tunnel, watch(listen=, advertise=)"
        return Finding("scheduler", "bad", str(error), remedy)
    return Finding("scheduler", "ok", f"workers can dial a viewer at {', '.join(sorted(hosts))}")


def _imagej() -> Finding:
    try:
        return Finding("ImageJ", "ok", str(ImageJPrograms.find().jar))
    except MissingImageJ as error:
        found, _, remedy = str(error).partition(": ")
        return Finding("ImageJ", "ok", found, f"for dask-napari fiji: {remedy}")


def _shared_memory() -> Finding:
    wanted = config.get_bytes("arena")
    directory = arena.DIRECTORY
    if not directory.is_dir():
        return Finding("shared memory", "warning", f"no {directory}", "items go inline, slower")
    free = shutil.disk_usage(directory).free
    found = f"{free / 1e6:,.0f} MB free in {directory}, {wanted / 1e6:,.0f} MB a worker wanted"
    try:
        arena.Arena.create("doctor", wanted).close()
    except OSError as error:
        return Finding(
            "shared memory",
            "warning",
            f"{found}; {error.strerror}",
            f"Docker: --shm-size 1g, or one tmpfs volume on {directory} of all containers; or set "
            "dask-napari.arena to less; items go inline meanwhile",
        )
    return Finding("shared memory", "ok", found)


def _port() -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return Finding(
                "port", "warning", f"{DEFAULT_PORT} is taken", "view --listen tcp://127.0.0.1:0"
            )
    return Finding("port", "ok", f"{DEFAULT_PORT} is free")


def _left_over() -> Finding:
    dead = [leftover.path for leftover in janitor.find() if not leftover.alive]
    if dead:
        paths = ", ".join(map(str, map(Path, dead)))
        return Finding("left over", "warning", paths, "dask-napari janitor --sweep")
    return Finding("left over", "ok", "nothing")
