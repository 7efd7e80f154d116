"""``dask-napari doctor``: check that a host has all that a viewer or a worker needs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Final, Literal

import click
import zmq

from dask_napari import config
from dask_napari.cli._output import print_table
from dask_napari.stream.shm import arena, janitor
from dask_napari.system import screen_fault

DEFAULT_PORT: Final = 5577
EXTRAS: Final = {
    "napari": "for a viewer: pip install 'dask-napari[all]'",
    "zarr": "for records: pip install 'dask-napari[record]'",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    state: Literal["ok", "warning", "bad"]
    found: str
    remedy: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Check display, shared memory, ports and versions, and say what to do.

    Exit code 1 says that something is bad.
    """
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        print_table(("check", "", "found", "what to do"), [astuple(each) for each in findings])
    if any(finding.state == "bad" for finding in findings):
        raise click.exceptions.Exit(1)


def examine() -> Iterator[Finding]:
    """Run all checks, one after the other."""
    yield _python()
    yield from map(_version, ("dask", "distributed", "numpy", "pyzmq", *EXTRAS))
    yield _qt()
    yield _curve()
    yield _display()
    yield _shared_memory()
    yield _port()
    yield _left_over()


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
