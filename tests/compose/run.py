"""Run ``docker-compose.yml`` for real, as people do, and look at it with a browser.

``make compose-test`` runs it; it takes some minutes. ``--engine FOLDER`` uses an engine that
``tests/compose/engine make FOLDER`` has made, without it that of this host.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from compose.stack import PROJECT, Browser, NoEngine, Stack, eventually

NO_ENGINE = """\
No Docker engine answers here. Start one, or make one from Debian's packages, as root:
  tests/compose/engine make FOLDER
  make compose-test ENGINE=FOLDER
  tests/compose/engine remove FOLDER"""

LIMITS = {"dask-napari-worker": 450e6, "dask-napari-viewer": 1.6e9}
"""Bytes of the images."""

ALL = ("--profile", "job", "--profile", "desktop")

OURS = ("--filter", f"label=com.docker.compose.project={PROJECT}")
"""Of the engine's objects, those of this test."""

CANVAS = (slice(60, 780), slice(400, 1050))
"""Rows and columns of napari's canvas in a page of the browser's size."""

LIST_COLUMN, LIST_TOP, OPACITY_ROW = 80, 350, 104
"""A column of pixels that crosses napari's list of layers, whose top is below a row, and the row of
the slider of the opacity."""

ROW, HANDLE = (66, 74, 84), (86, 96, 108)
"""Colors of napari's dark theme: layers in the list, the handle of a slider."""


class Run:
    """The steps, in their order; each has a limit of time and prints what it saw."""

    def __init__(self, stack: Stack, pictures: Path) -> None:
        self.stack = stack
        self.pictures = pictures
        self.passed = 0
        self.figures: dict[str, str] = {}

    def ok(self, text: str) -> None:
        self.passed += 1
        print(f"ok {self.passed:2}  {text}", flush=True)

    def figure(self, name: str, value: str) -> None:
        self.figures[name] = value

    # -- images ------------------------------------------------------------------------------

    def images(self) -> None:
        stack = self.stack
        stack.compose(*ALL, "config", "--quiet")
        self.ok("the compose file is valid")
        self.figure("build, first", f"{self._build():.0f} s")
        for image, limit in LIMITS.items():
            size = int(stack.docker("image", "inspect", image, "--format", "{{.Size}}").stdout)
            assert size <= limit, (image, size)
            self.figure(f"{image}", f"{size / 1e6:,.0f} MB")
            user = stack.docker("run", "--rm", image, "id", "-u").stdout.strip()
            assert user == "1000", user
        find = "from importlib.util import find_spec as f; print(f('napari'), f('PyQt6'))"
        found = stack.docker("run", "--rm", "dask-napari-worker", "python", "-c", find).stdout
        assert found.strip() == "None None", found
        self.ok("two images of the right size, without root, the worker's without napari")
        source = stack.copy / "src" / "dask_napari" / "_version.py"
        source.write_text(source.read_text() + "\n# changed\n")
        took = self._build()
        assert took < 60, took
        self.figure("build after a change of the source", f"{took:.0f} s")
        self.ok("a change of the source costs seconds")

    def _build(self) -> float:
        began = time.monotonic()
        self.stack.compose("build", limit=1800)
        return time.monotonic() - began

    # -- a viewer in a browser ---------------------------------------------------------------

    def up(self) -> None:
        stack = self.stack
        for image in LIMITS:  # as on a host that has none yet, but for the cache
            stack.docker("rmi", "--force", image)
        began = time.monotonic()
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "180", limit=300)
        self.figure("`up` until all are healthy", f"{time.monotonic() - began:.0f} s")
        assert len(stack.names("worker")) == 4
        self.ok("a scheduler, four workers and a viewer are up and healthy")
        published = stack.docker("ps", *OURS, "--format", "{{.Ports}}").stdout
        hosts = set(re.findall(r"(\S+):\d+->", published))
        assert hosts == {"127.0.0.1"}, published
        self.ok("all ports are those of this host alone")
        assert len(self._links()) == 1, stack.log("viewer")

    def _links(self) -> list[str]:
        return re.findall(r"http://localhost:6080/#password=\w{8}", self.stack.log("viewer"))

    @functools.cached_property
    def browser(self) -> Browser:
        """A browser with the page open."""
        browser = Browser(self.stack)
        browser.ask("open", self._links()[-1])
        eventually("the page connects", lambda: browser.ask("connected"))
        browser.ask("rest", 4)
        return browser

    def page(self) -> None:
        stranger = Browser(self.stack)
        stranger.ask("open", "http://localhost:6080/")
        eventually("the page asks for the password", lambda: stranger.ask("asks_for_password"))
        stranger.close()
        self.ok("the page asks for a password")
        browser = self.browser
        frames, nbytes = browser.ask("rest", 6)
        self.figure("page at rest", _rate(frames, nbytes, 6))
        before = self._picture(browser, "before")
        job = self.stack.begin_job()
        job.reach("4 of 24")
        frames, nbytes = browser.ask("rest", 6)
        self.figure("page while images arrive", _rate(frames, nbytes, 6))
        code, text = job.end(300)
        assert code == 0, text
        assert "stain: 48 selected = 48 shown" in text, text
        assert "cells: 24 selected = 24 shown" in text, text
        self.ok("a job on real images ends with its ledger: 48 images, 24 masks, 24 tables shown")
        assert len(self.stack.names("worker")) == 4
        status = self.stack.status()
        assert status.startswith("4 workers by shared-memory"), status
        self.ok("four workers by shared memory")
        browser.ask("rest", 2)
        after = self._picture(browser, "plate")
        changed = _changed(before, after)
        assert changed > 0.15, changed
        self.ok(f"the page shows it: {changed:.0%} of the canvas is another")
        self._touch(browser, after)

    def _touch(self, browser: Browser, before: np.ndarray) -> None:
        """Choose each layer by a click, and drag the handle of its opacity."""
        page, times = before, []
        layers = len(_layer_rows(page))
        assert layers >= 4, layers  # two stains, cells, markers
        for number in range(layers):
            rows = _layer_rows(page)
            assert len(rows) == layers, rows
            times.append(browser.ask("click", LIST_COLUMN, rows[number]))
            browser.ask("park")  # what is under the pointer has another color
            browser.ask("rest", 2)
            # The list moves: it is as high and wide as the controls of the layer leave it.
            page = self._picture(browser, "chosen")
            handle = _opacity_handle(page)
            browser.ask("drag", handle, OPACITY_ROW, handle - 100, OPACITY_ROW)
        self.figure("from a click to its picture", f"{np.median(times):.0f} ms, median")
        browser.ask("park")
        browser.ask("rest", 3)
        after = self._picture(browser, "slider")
        changed = _changed(before, after)
        assert changed > 0.05, changed
        self.ok(f"clicks, and sliders moved by the mouse, change {changed:.0%} of the canvas")

    def _picture(self, browser: Browser, name: str) -> np.ndarray:
        path = self.pictures / f"{name}.png"
        browser.ask("picture", path)
        return iio.imread(path)[..., :3]

    # -- what goes wrong ---------------------------------------------------------------------

    def failures(self) -> None:
        stack = self.stack
        job = stack.begin_job()
        job.reach("3 of 24")
        worker = stack.names("worker")[0]
        kill = "import psutil; psutil.Process(1).children()[0].kill()"
        stack.docker("exec", worker, "python", "-c", kill, check=False)  # ends with its container
        job.reach("6 of 24")
        began = time.monotonic()
        viewer = stack.names("viewer")[0]
        stack.compose("stop", "viewer")
        took = time.monotonic() - began
        assert stack.inspect(viewer, ".State.ExitCode") == "0"
        self.figure("`stop viewer` while images arrive", f"{took:.1f} s")
        job.reach("10 of 24")
        stack.compose("start", "viewer")
        code, text = job.end(300)
        assert code == 0, text
        for shown in ("stain: .* = 48 shown", "cells: .* = 24 shown", "marker: .* = 24 shown"):
            assert re.search(shown, text), text
        self.figure("ledger after a worker was killed and the viewer started anew", _ledger(text))
        self.ok("a worker killed, the viewer stopped and started: all is shown")
        eventually("the worker is back", lambda: len(stack.names("worker")) == 4)
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "120", limit=130)
        self.ok("the worker has come back by itself")
        eventually("the page is back", lambda: self.browser.ask("connected"))
        self.browser.ask("rest", 5)
        assert not self.browser.ask("asks_for_password")
        self._picture(self.browser, "back")
        self.ok("the page connects again by itself")

    def missing(self) -> None:
        stack = self.stack
        stack.compose("stop", "viewer")
        began = time.monotonic()
        done = self._short_job("--timeout", "8")
        assert done.returncode == 1, done
        assert "not shown: the viewer does not answer" in done.stderr, done.stderr
        took = time.monotonic() - began
        self.ok(f"without a viewer a job says so and ends with 1, after {took:.0f} s")
        stack.compose("start", "viewer")
        stack.compose("up", "--detach", "--no-deps", "--scale", "worker=0", "worker")
        done = self._short_job("--timeout", "8")
        assert done.returncode == 1, done
        assert "no worker is there" in done.stderr, done.stderr
        self.ok("without a worker, too")
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "180", limit=200)

    def _short_job(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = (
            "python examples/compose_job.py tcp://scheduler:8786 tcp://viewer:5577 --data /data "
            "--security-file /keys/viewer.json.client --wells 1 --fields 1"
        )
        return self.stack.job(*command.split(), *words, check=False)

    def apart(self) -> None:
        """A worker with a /dev/shm of its own, as on another host."""
        stack = self.stack
        stack.docker(
            *("run", "--detach", "--name", f"{PROJECT}-apart", "--network", f"{PROJECT}_default"),
            *("--init", "--shm-size", "1g", "--volume", f"{PROJECT}_data:/data"),
            "dask-napari-worker",
            *["dask", "worker", "tcp://scheduler:8786", "--nthreads", "1"],
        )
        try:
            self._until_status(r"1 worker by inline, 4 workers by shared-memory")
            assert self._short_job().returncode == 0
            self.browser.ask("rest", 3)
            self._picture(self.browser, "apart")
            log = stack.docker("logs", f"{PROJECT}-apart")
            assert "ERROR" not in log.stdout + log.stderr
            assert "without shared memory" not in log.stdout + log.stderr
        finally:
            stack.docker("rm", "--force", f"{PROJECT}-apart")
        self.ok("a worker apart sends inline, without a word of error")

    def _until_status(self, pattern: str) -> None:
        assert self._short_job().returncode == 0  # registers the sink, if the cluster is a new one
        eventually(pattern, lambda: re.match(pattern, self.stack.status()))

    # -- a screen of this host ---------------------------------------------------------------

    def desktop(self) -> None:
        stack = self.stack
        done = stack.compose(
            "run", "--rm", "--no-deps", "-T", "--env", "DISPLAY=", "desktop", check=False
        )
        assert done.returncode == 2, done
        assert "there is no screen" in done.stderr, done.stderr
        self.ok("without a screen the desktop's viewer says so and ends with 2")
        read, write = os.pipe()
        screen = subprocess.Popen(
            [
                "Xvfb",
                "-displayfd",
                str(write),
                "-ac",
                "-screen",
                "0",
                "1400x860x24",
                "-nolisten",
                "tcp",
            ],
            pass_fds=(write,),
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        try:
            with os.fdopen(read) as pipe:
                display = f":{pipe.readline().strip()}"
            up = ("up", "--detach", "--wait", "--wait-timeout", "120")
            stack.compose(*up, "desktop", limit=130, DISPLAY=display)
            done = stack.job(VIEWER="desktop")
            assert "cells: 24 selected = 24 shown" in done.stdout, done.stdout
            status = stack.status("desktop")
            assert re.match("[45] workers by shared-memory", status), status
            self.figure("desktop", status.splitlines()[0])
            picture = self.pictures / "desktop.png"
            from PIL import ImageGrab

            ImageGrab.grab(xdisplay=display).save(picture)
            assert len(np.unique(iio.imread(picture)[CANVAS])) > 100
            self.ok("the desktop's viewer shows a job on the X server of this host")
            stack.compose("--profile", "desktop", "stop", "desktop")
        finally:
            screen.terminate()
            screen.wait()

    def down(self) -> None:
        stack = self.stack
        self.browser.close()
        stack.compose(*ALL, "down", "--volumes", limit=120)
        left = "".join(
            stack.docker(*words, "--quiet", *OURS).stdout
            for words in (["ps", "--all"], ["volume", "ls"], ["network", "ls"])
        )
        assert not left, left
        self.ok("`down -v` leaves nothing")


def _layer_rows(page: np.ndarray) -> list[int]:
    """Return the middles of the layers in napari's list, from the top."""
    column = page[:, LIST_COLUMN]
    found = _is(column, ROW) | (column[:, 2] > 180)  # the chosen one is blue
    found[:LIST_TOP] = False
    edges = np.flatnonzero(np.diff(np.pad(found.astype(int), 1)))
    return [int(a + b) // 2 for a, b in edges.reshape(-1, 2) if 20 < b - a < 40]


def _opacity_handle(page: np.ndarray) -> int:
    """Return the column of the handle, which is higher than its groove."""
    return int(np.median(100 + np.flatnonzero(_is(page[OPACITY_ROW - 6, 100:360], HANDLE))))


def _is(pixels: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.abs(pixels.astype(int) - color).max(axis=-1) < 12


def _changed(before: np.ndarray, after: np.ndarray) -> float:
    """Return the part of the canvas whose pixels differ visibly."""
    difference = np.abs(before[CANVAS].astype(int) - after[CANVAS].astype(int)).max(axis=-1)
    return float((difference > 16).mean())


def _rate(frames: int, nbytes: int, seconds: float) -> str:
    return f"{frames / seconds:.0f} updates/s, {nbytes / seconds / 1e3:.0f} kB/s"


def _ledger(text: str) -> str:
    return "; ".join(line for line in text.splitlines() if " selected = " in line)


STEPS = ("images", "up", "page", "failures", "missing", "apart", "desktop", "down")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", type=Path, help="folder of `tests/compose/engine make`")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the pages")
    parser.add_argument("--begin", choices=STEPS, default=STEPS[0], help="begin with this step")
    parser.add_argument("--keep", action="store_true", help="leave the containers and the engine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dask-napari-compose-") as folder:
        stack = Stack(Path(folder), options.engine and options.engine.resolve())
        try:
            stack.start()
        except NoEngine:
            print(NO_ENGINE, file=sys.stderr)
            return 2
        pictures = options.pictures or Path(folder) / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        run = Run(stack, pictures.resolve())
        began = time.monotonic()
        try:
            for step in STEPS[STEPS.index(options.begin) :]:
                getattr(run, step)()
        except BaseException:
            for service in ("viewer", "worker", "scheduler"):
                print(f"-- {service}\n{stack.log(service)[-3000:]}", file=sys.stderr)
            raise
        finally:
            if not options.keep:
                stack.compose(*ALL, "down", "--volumes", check=False)
                stack.stop()
        run.figure("all steps", f"{(time.monotonic() - began) / 60:.0f} minutes")
        print("\n| | |\n|---|---|")
        for name, value in run.figures.items():
            print(f"| {name} | {value} |")
        print(f"\n{run.passed} passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
