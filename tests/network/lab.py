"""Hosts of our own on one machine: each with a network, a name, processes and /dev/shm of its own.

Every host is a process that holds unnamed namespaces and waits on a pipe from this one. When the
pipe closes, however this process ends, the kernel kills what runs in the host's process
namespace and takes its devices and mounts away: nothing is ever left to be cleaned up by name.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

NAMESPACES = ("net", "uts", "ipc", "mnt")

SHM_SIZE = "256m"
"""Of each host's /dev/shm; two arenas and then some."""


@cache
def why_not() -> str:
    """Why there can be no hosts here, or nothing."""
    for tool in ("ip", "unshare", "nsenter"):
        if not shutil.which(tool):
            return f"needs the command {tool} (Debian: iproute2, util-linux)"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "needs /dev/net/tun, which this user cannot open"
    ask = ["unshare", "--net", "--mount", "--pid", "--fork", "ip", "link", "set", "lo", "up"]
    done = subprocess.run(ask, capture_output=True, text=True)
    if done.returncode:
        return f"namespaces are not permitted here: {done.stderr.strip()}"
    return ""


class Talk:
    """A child process that answers each line of JSON with one."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log
        self._buffer = b""
        self._selector = selectors.DefaultSelector()
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ)

    def read(self, timeout: float = 60.0) -> dict[str, Any]:
        """The next line that it says."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            ready = left > 0 and self._selector.select(left)
            part = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            if not part:
                what = "ended" if ready else f"said nothing for {timeout} s"
                raise AssertionError(f"{self._log.stem} {what}:\n{self.log()}")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{self._log.stem}: {answer['error']}\n{self.log()}")
        return answer

    def ask(self, op: str = "", timeout: float = 60.0, **arguments: Any) -> dict[str, Any]:
        """Ask it and wait for the answer."""
        self.tell(op, **arguments)
        return self.read(timeout)

    def tell(self, op: str = "", **arguments: Any) -> None:
        """Ask it, and read the answer later."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"op": op, **arguments} if op else arguments) + "\n")
        self.process.stdin.flush()

    def log(self) -> str:
        """The end of what it wrote to standard error."""
        return self._log.read_text()[-4000:]

    def close(self, timeout: float = 20.0) -> int:
        """Let it end by closing its input; its exit code."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            return self.process.wait(timeout)
        finally:
            self._selector.close()
            if self.process.stdout is not None:
                self.process.stdout.close()


class Host:
    """A machine of its own; made by :meth:`Lab.host`."""

    def __init__(self, lab: Lab, name: str, number: int, hostname: str, shm: Host | None) -> None:
        self.lab = lab
        self.name = name
        self.address = f"10.77.{number}.2"
        self.tmp = lab.tmp / name
        self.tmp.mkdir()
        # A host that shares memory starts from the mounts of the other, so that both see the
        # same tmpfs; all the rest is its own.
        mount = "" if shm else f"mount -t tmpfs -o size={SHM_SIZE} tmpfs /dev/shm && "
        script = f"{mount}hostname {hostname} && ip link set lo up && echo ready && exec cat"
        command = ["unshare", "--net", "--uts", "--ipc", "--mount", "--pid", "--fork"]
        command += ["--kill-child", "--mount-proc", "sh", "-c", script]
        if shm is not None:
            command = ["nsenter", f"--mount=/proc/{shm.pid}/ns/mnt", "--", *command]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._holder.pid
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"host {name} did not come up")
        self.spaces = {os.readlink(f"/proc/{self.pid}/ns/{kind}") for kind in ("net", "uts", "mnt")}

    def _enter(self) -> list[str]:
        spaces = [f"--{n if n != 'mnt' else 'mount'}=/proc/{self.pid}/ns/{n}" for n in NAMESPACES]
        return ["nsenter", *spaces, f"--pid=/proc/{self.pid}/ns/pid_for_children", "--"]

    def run(self, *command: str) -> str:
        """Run a command on this host and return what it prints."""
        done = subprocess.run([*self._enter(), *command], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def start(self, role: str, *arguments: str, env: dict[str, str] | None = None) -> Talk:
        """Start a part of ``ends.py`` on this host."""
        path = [str(ROOT / "src"), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "TMPDIR": str(self.tmp),
            "DASK_DISTRIBUTED__WORKER__DAEMON": "True",
            **(env or {}),
        }
        environment.pop("XDG_RUNTIME_DIR", None)
        return self.lab.talk(
            f"{self.name}-{role}",
            [*self._enter(), sys.executable, str(HERE / "ends.py"), role, *arguments],
            environment,
        )

    def left(self) -> list[str]:
        """What dask-napari has in memory and on disk of this host, but for its user's folder."""
        name = "dask-napari-*-*"
        segments = self.run("find", "/dev/shm", "-name", name).split()
        return [*segments, *(str(path) for path in Path(self.tmp).rglob(name))]

    def sockets(self) -> int:
        """Established TCP connections of this host."""
        return len(self.run("ss", "-Htn", "state", "established").splitlines())

    def close(self) -> None:
        """Kill everything on the host."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait(20)


class Lab:
    """Some hosts and the router between them.

    A context manager; at its end everything is gone, also if this process is killed.

    Examples
    --------
    >>> with Lab() as lab:  # doctest: +SKIP
    ...     worker, viewer = lab.host("worker"), lab.host("viewer", cable=True)
    ...     lab.cables["viewer"].ask(rate=10e6, delay=0.05, loss=0.01)
    """

    def __init__(self) -> None:
        self.tmp = Path(tempfile.mkdtemp(prefix="lab-"))
        self.hosts: dict[str, Host] = {}
        self.cables: dict[str, Talk] = {}
        self._talks: list[Talk] = []
        self._spaces: set[str] = set()
        try:
            self.router = self._host("router")
            self.router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            # An address that never answers, not even that it is not there.
            self.blackhole = "10.77.250.2"
            self.router.run("ip", "route", "add", "blackhole", self.blackhole)
        except BaseException:
            self.close()
            raise

    def _host(self, name: str, hostname: str = "", shm: Host | None = None) -> Host:
        host = Host(self, name, len(self.hosts) + 1, hostname or name, shm)
        self.hosts[name] = host
        self._spaces |= host.spaces
        return host

    def host(
        self, name: str, *, hostname: str = "", shm: Host | None = None, cable: bool = False
    ) -> Host:
        """Add a host.

        Parameters
        ----------
        name : str
            For us.
        hostname : str
            What it takes itself for; ``name`` if not given.
        shm : Host, optional
            Whose /dev/shm it sees; its own if not given.
        cable : bool
            Whether it is reached through a cable that can be impaired, see :attr:`cables`.
        """
        host = self._host(name, hostname, shm)
        near, far = "eth0", f"to-{len(self.hosts)}"
        gateway = host.address[:-1] + "1"
        if cable:
            pids = (str(host.pid), near, str(self.router.pid), far)
            command = [sys.executable, str(HERE / "link.py"), *pids]
            self.cables[name] = self.talk(f"{name}-cable", command, dict(os.environ))
        else:
            add = ["ip", "link", "add", near, "netns", str(host.pid), "type", "veth"]
            add += ["peer", "name", far, "netns", str(self.router.pid)]
            subprocess.run(add, check=True)
        for end, device, own, other in (
            (host, near, host.address, gateway),
            (self.router, far, gateway, host.address),
        ):
            end.run("ip", "address", "add", own, "peer", other, "dev", device)
            end.run("ip", "link", "set", device, "up")
        host.run("ip", "route", "add", "default", "via", gateway)
        return host

    def talk(self, name: str, command: list[str], env: dict[str, str]) -> Talk:
        """Start a process that speaks JSON and wait until it is ready."""
        log = self.tmp / f"{name}-{len(self._talks)}.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=env,
            )
        talk = Talk(process, log)
        self._talks.append(talk)
        talk.read()
        return talk

    def left(self) -> list[str]:
        """Processes that are still in one of the namespaces."""
        return [f"{pid} {name}" for pid, name, spaces in _processes() if spaces & self._spaces]

    def close(self) -> None:
        """Take everything down; may be called again."""
        for host in reversed(self.hosts.values()):
            host.close()
        for talk in self._talks:
            with contextlib.suppress(subprocess.TimeoutExpired):
                talk.close()
        shutil.rmtree(self.tmp, ignore_errors=True)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _processes() -> Iterator[tuple[int, str, set[str]]]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                spaces = {os.readlink(f"/proc/{entry}/ns/{kind}") for kind in ("net", "uts", "mnt")}
                yield int(entry), Path(f"/proc/{entry}/comm").read_text().strip(), spaces
