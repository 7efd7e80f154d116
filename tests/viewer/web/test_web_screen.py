"""The screen in a browser: its programs, who gets in, and that nothing stays behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from dask_napari.stream.auth import Security
from dask_napari.viewer.web import MissingPrograms, WebAddress, WebScreen, web_password
from dask_napari.viewer.web._programs import Programs
from headless import eventually


@pytest.fixture(scope="module", autouse=True)
def programs():
    try:
        return Programs.find()
    except MissingPrograms as error:
        pytest.skip(str(error))


def address() -> WebAddress:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return WebAddress.parse(str(free.getsockname()[1]), "password")


def test_the_page_is_there_and_its_vnc_asks_for_the_password():
    with WebScreen(address()) as screen:
        with urllib.request.urlopen(f"http://127.0.0.1:{screen.address.port}/") as page:
            assert b"vnc.html" in page.read()
        with urllib.request.urlopen(f"http://127.0.0.1:{screen.address.port}/vnc.html") as page:
            assert b"noVNC" in page.read()
        folder = Path(screen.environment["XAUTHORITY"]).parent
        assert folder.stat().st_mode & 0o077 == 0
        with socket.socket(socket.AF_UNIX) as vnc:
            vnc.connect(str(folder / "vnc.sock"))
            assert vnc.recv(12).startswith(b"RFB 003.")
            vnc.sendall(b"RFB 003.008\n")
            assert vnc.recv(10) == bytes([1, 2])  # one way to get in: VNC authentication
        # Programs of this user get in with the cookie, others do not.
        asked = [
            sys.executable,
            "-c",
            "from dask_napari.system import screen_fault as f; print(f())",
        ]
        env = {**os.environ, "QT_QPA_PLATFORM": "xcb", "WAYLAND_DISPLAY": ""}
        let_in = subprocess.check_output(asked, env={**env, **screen.environment}, text=True)
        assert let_in == "\n"
        stranger = {**env, **screen.environment, "XAUTHORITY": "/dev/null"}
        assert "does not let this user in" in subprocess.check_output(
            asked, env=stranger, text=True
        )
    assert not folder.exists()


OPENS = """
import sys, time
from dask_napari.viewer.web import WebAddress, WebScreen
screen = WebScreen(WebAddress.parse(sys.argv[1], "password"))
print(*(child.pid for child in screen._children), flush=True)
time.sleep(100)
"""


def test_its_programs_end_with_a_viewer_that_is_killed():
    viewer = subprocess.Popen(
        [sys.executable, "-c", OPENS, str(address().port)], stdout=subprocess.PIPE, text=True
    )
    assert viewer.stdout is not None
    children = [int(word) for word in viewer.stdout.readline().split()]
    assert len(children) == 3
    viewer.send_signal(signal.SIGKILL)
    viewer.communicate()
    eventually(lambda: not any(running(child) for child in children), children)


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"{port}: Address already in use.*take another port"):
            WebScreen(WebAddress.parse(str(port), "password"))


def test_a_password_lasts_as_long_as_the_keys_do():
    keys = Security.generate()
    assert web_password(keys) == web_password(keys) != web_password(Security.generate())
    assert len(web_password(keys)) == 8
    assert web_password(None) != web_password(None)
    assert web_password(keys.client()) != web_password(keys)
