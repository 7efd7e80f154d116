"""The containers of ``docker-compose.yml``, and the engine that runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ENGINE = Path(__file__).with_name("engine")
PARTS = (".dockerignore", "LICENSE", "README.md", "docker", "docker-compose.yml", "examples")
PARTS += ("pyproject.toml", "src")
PROJECT = "dask-napari-test"


class NoEngine(Exception):
    """There is no Docker engine to be had."""


class Stack:
    """Run compose commands on a copy of the repository, by this host's engine or one of our own.

    The engine of our own lives in ``folder``; what it publishes is reached from its network alone.
    """

    def __init__(self, copy: Path, folder: Path | None) -> None:
        self.copy = copy
        self.folder = folder
        self.inside: list[str] = []
        self.environment = {**os.environ, "COMPOSE_PROJECT_NAME": PROJECT, "WORKERS": "4"}
        self.environment["COMPOSE_PROGRESS"] = "quiet"
        for name in PARTS:
            path = ROOT / name
            if path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(path, copy / name, ignore=ignored)
            else:
                shutil.copy2(path, copy / name)

    def start(self) -> None:
        if self.folder is None:
            if not shutil.which("docker") or self.docker("info", check=False).returncode:
                raise NoEngine
            return
        root = self.folder / "engine"
        self.environment["DOCKER_HOST"] = f"unix://{root}/run/docker.sock"
        self.environment["DOCKER_CONFIG"] = str(self.folder / "config")
        self.environment["PATH"] += f":{root}/usr/bin"
        if not (self.folder / "state").exists():
            subprocess.run([ENGINE, "start", self.folder], check=True)
        inner = (self.folder / "state" / "inner").read_text().strip()
        self.inside = ["nsenter", "--target", inner, "--net"]

    def stop(self) -> None:
        if self.folder is not None:
            subprocess.run([ENGINE, "stop", self.folder], check=True)

    def docker(
        self, *words: str, limit: float = 60, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["docker", *words],
            cwd=self.copy,
            env={**self.environment, **env},
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"docker {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def compose(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.docker("compose", *words, **options)

    def job(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.compose("run", "--rm", "-T", "job", *words, **{"limit": 300, **options})

    def begin_job(self, *words: str) -> Job:
        return Job(
            subprocess.Popen(
                ["docker", "compose", "run", "--rm", "-T", "job", *words],
                cwd=self.copy,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    def names(self, service: str) -> list[str]:
        """Return the containers of a service that run."""
        return self.compose("ps", "--quiet", service).stdout.split()

    def inspect(self, container: str, what: str) -> str:
        return self.docker("inspect", container, "--format", f"{{{{{what}}}}}").stdout.strip()

    def status(self, viewer: str = "viewer") -> str:
        keys = f"/keys/{viewer}.json.client"
        return self.compose(
            "exec", "-T", viewer, "dask-napari", "status", "--security-file", keys
        ).stdout

    def log(self, service: str) -> str:
        return self.compose("logs", "--no-color", "--no-log-prefix", service).stdout


class Job:
    """A job under way, by the lines that it prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def reach(self, line: str) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.lines.append(text.rstrip())
            if text.startswith(line):
                return
        raise AssertionError(f"the job ended before {line!r}: {self.end(10)}")

    def end(self, limit: float) -> tuple[int, str]:
        out, errors = self.process.communicate(timeout=limit)
        return self.process.returncode, "\n".join([*self.lines, out, errors])


class Browser:
    """Chromium at the web page of the viewer, in a process where its port is reached."""

    def __init__(self, stack: Stack) -> None:
        self._process = subprocess.Popen(
            [*stack.inside, sys.executable, Path(__file__).with_name("browse.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, *map(_plain, arguments)]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the browser ended at {name}"
        return json.loads(answer)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def eventually(what: str, condition: Callable[[], object], limit: float = 60) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit} s: {what}"
        time.sleep(0.5)
