"""The screen: an X server that speaks VNC, a window manager, and noVNC's page over websockify."""

from __future__ import annotations

import os
import secrets
import select
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from dask_napari.system import RuntimeDirectory, start_child
from dask_napari.viewer.web._programs import Programs
from dask_napari.viewer.web._web_address import WebAddress

GEOMETRY: Final = "1400x860"
"""Pixels until a browser connects, which sets its own."""

START_TIMEOUT: Final = 30.0
"""Seconds for the X server to come up; it takes one on an idle host."""

CLOSE_TIMEOUT: Final = 1.0
"""Seconds for a program to end by itself."""

PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<title>dask-napari</title>
<script>
  // The socket is beside the page, also behind a proxy that puts it into a folder.
  const path = location.pathname.slice(1).replace(/[^/]*$/, "") + "websockify";
  location.replace("vnc.html" + (location.hash || "#") + "&autoconnect=true&reconnect=true" +
    "&reconnect_delay=1000&resize=remote&path=" + encodeURIComponent(path));
</script>
"""

_FAMILY_WILD: Final = 0xFFFF
"""Of addresses in a file of xauth: the cookie serves for all displays."""


def _authority_entry(cookie: bytes) -> bytes:
    """Return an entry as in a file of xauth, by which clients of the X server are let in."""
    fields = (b"", b"", b"MIT-MAGIC-COOKIE-1", cookie)  # any address, any display
    packed = b"".join(struct.pack(">H", len(field)) + field for field in fields)
    return struct.pack(">H", _FAMILY_WILD) + packed


def _check_port(address: WebAddress) -> None:
    """Raise OSError if another program has the port: it would answer in place of the page."""
    host = address.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, address.port), family=family).close()
    except OSError as error:
        raise OSError(
            f"the web page cannot be at {address.host}:{address.port}: {error.strerror}; take "
            f"another port, --web {address.port + 1}"
        ) from None


class WebScreen:
    """Run a screen that browsers show; the programs end with this process.

    The X server takes a display that is free. It and its VNC are reached by sockets of this user
    alone; what listens on the network is the page, which asks for the password. Raises
    MissingPrograms, or OSError if a program does not come up.
    """

    def __init__(self, address: WebAddress) -> None:
        self.address = address
        programs = Programs.find()
        _check_port(address)
        self._directory = RuntimeDirectory()
        self._folder = self._directory.path
        self._log = (self._folder / "log").open("w+b")
        self._children: list[subprocess.Popen[bytes]] = []
        try:
            self.environment: Mapping[str, str] = self._start_x(programs)
            self._start_page(programs)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<WebScreen at {self.address.host}:{self.address.port}>"

    def _start_x(self, programs: Programs) -> dict[str, str]:
        authority, password = self._folder / "xauthority", self._folder / "password"
        cookie = secrets.token_bytes(16)
        authority.write_bytes(_authority_entry(cookie))
        made = subprocess.run(
            [programs.vncpasswd, "-f"],
            input=self.address.password.encode() + b"\n",
            stdout=subprocess.PIPE,
            check=True,
        )
        password.write_bytes(made.stdout)
        read, write = os.pipe()
        with os.fdopen(read, "rb") as ready:
            try:
                options = ["-displayfd", str(write), "-auth", str(authority), "-geometry", GEOMETRY]
                options += ["-depth", "24", "-nolisten", "tcp", "-rfbport", "-1"]
                options += ["-rfbunixpath", self._vnc, "-SecurityTypes", "VncAuth"]
                options += ["-PasswordFile", str(password), "-AlwaysShared"]
                self._start([programs.xvnc, *options], keep=[write])
            finally:
                os.close(write)
            display = self._read_line(ready.fileno())
        environment = {"DISPLAY": f":{display}", "XAUTHORITY": str(authority)}
        # With a window manager dialogs get the keyboard, and napari the whole screen.
        manage = [programs.window_manager, "-use_titlebar", "no"]
        self._start(manage, environment={**os.environ, **environment})
        return environment

    @property
    def _vnc(self) -> str:
        return self._directory.socket("vnc").removeprefix("ipc://")

    def _start_page(self, programs: Programs) -> None:
        site = self._folder / "site"
        site.mkdir()
        for path in programs.novnc.iterdir():
            (site / path.name).symlink_to(path)
        (site / "index.html").write_text(PAGE)
        listen = f"{self.address.host}:{self.address.port}"
        self._start([*programs.websockify, "--web", str(site), "--unix-target", self._vnc, listen])
        deadline = time.monotonic() + START_TIMEOUT
        while self._children[-1].poll() is not None or not self._page_answers():
            if self._children[-1].poll() is not None or time.monotonic() > deadline:
                raise self._failed(f"the web page at {listen} does not come up")
            time.sleep(0.05)

    def _page_answers(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(self.address.host, self.address.host)
        try:
            socket.create_connection((host.strip("[]"), self.address.port), 1.0).close()
        except OSError:
            return False
        return True

    def _start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] = os.environ,
        keep: Sequence[int] = (),
    ) -> None:
        child = start_child(command, self._log, environment=environment, keep=keep)
        self._children.append(child)

    def _read_line(self, pipe: int) -> str:
        line = b""
        while not line.endswith(b"\n"):
            part = select.select([pipe], [], [], START_TIMEOUT)[0] and os.read(pipe, 100)
            if not part:
                raise self._failed("Xvnc does not come up")
            line += part
        return line.decode().strip()

    def _failed(self, what: str) -> OSError:
        self._log.seek(0)
        return OSError(f"{what}:\n{self._log.read()[-2000:].decode(errors='replace').strip()}")

    def close(self) -> None:
        """End the programs and remove their files; may be called again."""
        while self._children:
            child = self._children.pop()
            child.terminate()
            try:
                child.wait(CLOSE_TIMEOUT)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._log.close()
        self._directory.close()

    def __enter__(self) -> WebScreen:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
