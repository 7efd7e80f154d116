"""The command line as a person uses it: real processes, exit codes and what is printed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import dask
import numpy as np
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster

from dask_napari.cli import main
from dask_napari.cli._listening import DEFAULT_LISTEN
from dask_napari.cli._settings_check import setting_faults
from dask_napari.model import Item
from dask_napari.stream import Control
from dask_napari.stream.auth import Security, is_local
from dask_napari.stream.send import Publisher
from headless import eventually

COMMAND = Path(sys.executable).with_name("dask-napari")


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *arguments],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        # Wide and plain, so that what is looked for is not broken over lines.
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1", **env},
    )


def test_help_names_all_commands_and_exit_codes():
    found = run("--help")
    assert found.returncode == 0
    for word in ("view", "record", "replay", "status", "demo", "doctor", "janitor", "Exit codes"):
        assert word in found.stdout


@pytest.mark.parametrize(
    "command", ["view", "record", "replay", "status", "demo", "doctor", "janitor"]
)
def test_each_command_has_help(command):
    found = CliRunner().invoke(main, [command, "--help"])
    assert found.exit_code == 0
    assert "Usage" in found.output


def test_version():
    assert re.fullmatch(r"dask-napari \d+\.\d+.*", run("--version").stdout.strip())


def test_wrong_usage_is_code_2():
    assert run("dance").returncode == 2


def test_doctor_looks_at_everything():
    found = run("doctor", "--json")
    checks = {finding["what"]: finding for finding in json.loads(found.stdout)}
    assert found.returncode == 0
    assert {"napari", "display", "shared memory", "port", "encryption"} <= checks.keys()
    assert checks["napari"]["state"] == checks["settings"]["state"] == "ok"
    assert checks["window"]["state"] == "ok"
    assert checks["window"]["found"].startswith("OpenGL")


def test_doctor_names_settings_and_asks_workers(client):
    set_wrong = {"DASK_DASK_NAPARI__ARENNA": "3", "DASK_DASK_NAPARI__QUEUE": "much"}
    with dask.config.set({"dask-napari.max-shapes": 0, "dask-napari.transport": "pigeon"}):
        faults = list(setting_faults())
    assert faults == [
        "dask-napari.transport='pigeon' is unknown; use auto, shared-memory, inline; set by"
        " dask.config.set",
        "dask-napari.max-shapes=0 is not a number from 1 on; set by dask.config.set",
    ]
    found = run("doctor", "--no-window", "--scheduler", client.scheduler.address, **set_wrong)
    assert found.returncode == 1
    assert "what to do" in found.stdout
    assert (
        "dask-napari.arenna is unknown; did you mean arena?; set by DASK_DASK_NAPARI__ARENNA"
        in found.stdout
    )
    assert "queue='much' is not a size; write it as in '64MiB'; set by" in found.stdout
    assert "workers can dial a viewer at" in found.stdout


def test_doctor_sees_a_taken_port():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody's viewer has it, which does as well
            taken.bind(("127.0.0.1", 5577))
            taken.listen()
        checks = {f["what"]: f for f in json.loads(run("doctor", "--json", "--no-window").stdout)}
    assert checks["port"]["state"] == "warning"


def test_janitor_lists_and_sweeps_what_a_dead_owner_left(tmp_path, monkeypatch):
    # A directory, in a place of its own: a segment would be swept by any viewer on this host.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    script = (
        "import os, signal\n"
        "from dask_napari.system._private_directories import RuntimeDirectory\n"
        "directory = RuntimeDirectory()\n"
        "print(directory.path, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob("dask-napari-*")
    listed = run("janitor")
    assert listed.returncode == 1
    assert left.name in listed.stdout.replace("\n", "")
    assert f"removed {left}" in run("janitor", "--sweep").stdout.replace("\n", "")
    assert not left.exists()
    assert left.name not in run("janitor").stdout.replace("\n", "")


def test_demo_fills_a_plate_and_saves_it(tmp_path):
    picture = tmp_path / "demo.png"
    found = run("demo", "--wells", "3", "--fields", "2", "--screenshot", str(picture))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "cells: 6 selected = 6 shown" in found.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_address_of_view_is_of_this_host_unless_told():
    assert is_local(DEFAULT_LISTEN)


def test_view_refuses_what_would_let_strangers_in():
    found = run("view", "--listen", "tcp://0.0.0.0:0")
    assert found.returncode == 2
    assert "--security-file" in found.stderr


@pytest.mark.parametrize(("display", "fault"), [("", "DISPLAY is not set"), (":77", "not answer")])
def test_view_says_what_to_do_without_a_screen(display, fault):
    found = run("view", "--listen", "tcp://127.0.0.1:0", DISPLAY=display, WAYLAND_DISPLAY="")
    assert found.returncode == 2, found.stderr
    assert fault in found.stderr
    assert "--web" in found.stderr
    assert "xvfb-run" in found.stderr


def test_view_in_a_browser_names_the_packages_that_are_missing(tmp_path):
    found = run("view", "--web", "--listen", "tcp://127.0.0.1:0", PATH=str(tmp_path))
    assert found.returncode == 2, found.stderr
    assert "tigervnc-standalone-server" in found.stderr
    assert "matchbox-window-manager" in found.stderr


def test_view_refuses_a_web_address_that_is_none():
    found = run("view", "--web", "localhost", "--listen", "tcp://127.0.0.1:0")
    assert found.returncode == 1
    assert "'localhost' is not a port" in found.stderr


def test_status_says_within_its_limit_that_no_viewer_is_there(tmp_path):
    Security.generate().save(tmp_path / "keys.json")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        found = run(
            "status", address, "--timeout", "1", "--security-file", str(tmp_path / "keys.json")
        )
    assert found.returncode == 1
    assert "the viewer does not answer" in found.stderr


HANGS = """
import sys, time
from dask_napari.viewer.app import run

def hang(receiver):
    print("listening", receiver.addresses[0], flush=True)
    time.sleep(100)

run(["ipc://*"], on_ready=hang)
"""


def test_a_viewer_whose_window_hangs_ends_on_sigterm(tmp_path):
    tmp_path.chmod(0o700)
    viewer = subprocess.Popen(
        [sys.executable, "-c", HANGS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    try:
        assert viewer.stdout is not None
        socket_path = Path(viewer.stdout.readline().split("ipc://")[1].strip())
        assert socket_path.is_relative_to(tmp_path)
        assert socket_path.exists()
        viewer.send_signal(signal.SIGTERM)
        # A second for the window and half of one for the receiver, on a machine that others use.
        assert viewer.wait(timeout=8) == 0
        assert not socket_path.parent.exists()
    finally:
        viewer.kill()
        viewer.communicate()


def test_view_says_what_is_wrong_with_an_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = run("view", "--listen", f"tcp://127.0.0.1:{taken.getsockname()[1]}")
    assert found.returncode == 1
    assert "taken by another program" in found.stderr


def test_view_shows_what_a_publisher_with_its_keys_sends(tmp_path):
    keys = tmp_path / "keys.json"
    viewer = subprocess.Popen(
        [str(COMMAND), "view", "--listen", "tcp://0.0.0.0:0", "--security-file", str(keys)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = ""
        assert viewer.stderr is not None
        while "listening on tcp" not in line:
            line = viewer.stderr.readline()
            assert line, "the viewer ended"
        address = line.split()[-1].replace("0.0.0.0", "127.0.0.1")
        security = Security.load(tmp_path / "keys.json.client")
        assert security.server_secret == ""
        control = Control([address], security=security)
        with Publisher(address, name="me", security=security) as publisher:
            publisher.put(Item("raw", "image", np.ones((8, 8), "u1"), {"t": 0}))
            eventually(lambda: publisher.state == "connected")
            asked = run("status", address, "--security-file", str(tmp_path / "keys.json.client"))
            assert asked.returncode == 0, asked.stderr
            assert asked.stdout.startswith("1 worker by shared-memory\nraw: 1 selected = ")
            unknown = run("status", address, "--timeout", "2", XDG_RUNTIME_DIR=str(tmp_path))
            assert unknown.returncode == 1
            assert "keys" in unknown.stderr
        deadline = time.monotonic() + 60
        while not control.ledger().total.shown:
            assert time.monotonic() < deadline, control.ledger()
        control.close()
        viewer.send_signal(signal.SIGTERM)
        assert viewer.wait(timeout=60) == 0
    finally:
        viewer.kill()
        viewer.communicate()


def test_view_listens_on_this_host_alone_and_lets_only_its_own_user_in(tmp_path):
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    tmp_path.chmod(0o700)
    viewer = subprocess.Popen(
        [str(COMMAND), "view", "--listen", "tcp://127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        line = ""
        assert viewer.stderr is not None
        while "listening on tcp" not in line:
            line = viewer.stderr.readline()
            assert line, "the viewer ended"
        address = line.split()[-1]
        ask = (
            "import sys\n"
            "from dask_napari.stream import Control, Security, ViewerGone\n"
            "keys = Security.generate() if sys.argv[2:] else None\n"
            "try:\n"
            "    asked = Control(sys.argv[1:2], security=keys, timeout=2).request('screenshot')\n"
            "    print(len(asked['png']) > 1000)\n"
            "except ViewerGone as error:\n"
            "    print(error)\n"
        )

        def asked(*how: str) -> str:
            done = subprocess.run(
                [sys.executable, "-c", ask, address, *how],
                capture_output=True,
                text=True,
                timeout=100,
                env=env,
                check=True,
            )
            return done.stdout

        assert asked() == "True\n"
        assert "does not answer" in asked("as a stranger")
        viewer.send_signal(signal.SIGTERM)
        assert viewer.wait(timeout=60) == 0
        assert not list(tmp_path.iterdir())
    finally:
        viewer.kill()
        viewer.communicate()


def test_view_attaches_a_cluster_and_leaves_it():
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):

        def sinks(dask_worker: object) -> list[str]:
            return [name for name in dask_worker.plugins if name.startswith("dask-napari")]

        viewer = subprocess.Popen([str(COMMAND), "view", "--scheduler", cluster.scheduler_address])
        try:
            eventually(lambda: any(client.run(sinks).values()))
            viewer.send_signal(signal.SIGTERM)
            assert viewer.wait(timeout=60) == 0
            # At the latest when the scheduler sees that the viewer's client is gone.
            eventually(lambda: not any(client.run(sinks).values()))
        finally:
            viewer.kill()
            viewer.communicate()


@pytest.mark.parametrize("command", ["record", "replay"])
def test_records_say_what_to_install_where_zarr_is_missing(command, tmp_path):
    # Found first by Python, and found to be nothing.
    blind = "import sys; sys.modules['zarr'] = None; from dask_napari.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", blind, command, str(tmp_path / "run.zarr")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'dask-napari[record]'" in done.stderr
