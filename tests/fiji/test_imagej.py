"""Fiji's viewer with a process at its other end: ImageJ itself where it is installed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from dask_napari.fiji import FijiViewer, ImageJPrograms, MissingImageJ
from dask_napari.model import Item, LayerSpec
from dask_napari.stream.send import Publisher
from headless import eventually

ADDRESS = "tcp://127.0.0.1:*"


def imagej() -> ImageJPrograms | None:
    with contextlib.suppress(MissingImageJ):
        return ImageJPrograms.find()
    return None


needs_imagej = pytest.mark.skipif(imagej() is None, reason="ImageJ or javac is not installed")


class Driven(ImageJPrograms):
    """ImageJ that also carries out macros of the test, which lie in a folder."""

    folder: Path

    def command(self, classes: Path, file: str) -> list[str]:
        *command, macro = super().command(classes, file)
        ask, part, answer = (f'"{self.folder}/{name}"' for name in ("ask", "part", "answer"))
        return [
            *command,
            f"{macro} while (true) {{ if (File.exists({ask})) {{ text = File.openAsString({ask});"
            f" a = File.delete({ask}); found = eval(text); File.saveString(found, {part});"
            f" a = File.rename({part}, {answer}); }} wait(5); }}",
        ]

    def ask(self, macro: str) -> list[str]:
        (self.folder / "question").write_text(macro)
        (self.folder / "question").rename(self.folder / "ask")
        answer = self.folder / "answer"
        eventually(answer.exists, macro)
        found = answer.read_text().split()
        answer.unlink()
        return found


class Session:
    """A viewer in a thread of its own, and a publisher."""

    def __init__(self, viewer: FijiViewer) -> None:
        self.viewer = viewer
        self.publisher = Publisher(viewer.receiver.addresses, name="me")
        self.sent = 0
        self.thread = threading.Thread(target=viewer.run, daemon=True)
        self.publisher.start()
        self.thread.start()

    def put(self, *items: Item) -> None:
        for item in items:
            self.publisher.put(item)
        self.sent += len(items)

        def settled():
            total = self.viewer.receiver.ledger().total
            return total.selected >= self.sent and not total.pending and not total.sent

        eventually(settled, self.viewer.receiver.ledger)

    def close(self) -> None:
        self.publisher.close(10)
        self.viewer.ended.set()
        self.thread.join()
        self.viewer.close()
        assert self.viewer.receiver.ledger().balanced


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    found = imagej()
    assert found is not None
    driven = Driven(found.jar, found.launcher, found.java, found.javac)
    object.__setattr__(driven, "folder", tmp_path_factory.mktemp("macros"))
    return driven


@pytest.fixture(scope="module")
def session(programs, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", f"-Duser.home={home}")  # no preferences of this user
        viewer = FijiViewer(ADDRESS, programs)
    session = Session(viewer)
    yield session
    session.close()


def image(value: int, layer: str, **at: object) -> Item:
    return Item(layer, "image", np.full((48, 64), value, "u2"), at)


def dimensions(programs: Driven, title: str) -> list[str]:
    return programs.ask(
        f'selectWindow("{title}"); Stack.getDimensions(w, h, c, z, t);'
        ' return "" + c + " " + z + " " + t + " " + bitDepth;'
    )


@needs_imagej
def test_a_hyperstack_grows_and_the_user_keeps_contrast_and_place(session, programs):
    spec = LayerSpec("raw", "image", {"channel": "layer"})
    session.publisher.declare([spec])
    session.put(*(image(100 * t + c, "raw", t=t, channel=c) for t in (4, 5) for c in (0, 1)))
    assert dimensions(programs, "raw") == ["2", "1", "2", "16"]
    programs.ask(
        'selectWindow("raw"); Stack.setPosition(2, 1, 1); setMinAndMax(7, 777); return "";'
    )
    session.put(*(image(100 * t + c, "raw", t=t, channel=c) for t in (0, 1) for c in (0, 1)))
    assert dimensions(programs, "raw") == ["2", "1", "4", "16"]
    look = (
        'selectWindow("raw"); Stack.getPosition(c, z, t); getMinAndMax(low, high);'
        ' return "" + c + " " + t + " " + low + " " + high + " " + getPixel(5, 5);'
    )
    assert programs.ask(look) == ["2", "3", "7", "777", "401"], "frame 4 was looked at"
    session.put(image(999, "raw", t=4, channel=1))
    assert programs.ask(look)[-1] == "999", "replaced where it is seen"


@needs_imagej
def test_rois_are_in_the_manager_at_their_frames(session, programs):
    def spots(*ts: int) -> list[Item]:
        return [Item("spots", "points", np.array([[3.0, 9.0], [4, 8]]), {"u": t}) for t in ts]

    session.put(image(1, "ground", u=5), *spots(5))
    box = np.array([[0.0, 0], [0, 9], [4, 9], [4, 0]])
    arrays = {"offsets": np.array([0, 4]), "types": np.array([2])}
    session.put(image(1, "ground", u=2), Item("cells", "shapes", box, {"u": 5}, arrays=arrays))
    look = (
        'selectWindow("ground"); s = ""; for (i = 0; i < roiManager("count"); i++) {'
        ' roiManager("select", i); Roi.getPosition(c, z, t); Roi.getFloatBounds(x, y, w, h);'
        ' s = s + Roi.getType + " " + t + " " + maxOf(t, getSliceNumber) + " " + x + " " + w + " ";'
        " } return s;"
    )
    assert programs.ask(look) == ["point", "2", "2", "8", "1", "oval", "2", "2", "0.5", "9"]
    drawn = (
        'selectWindow("ground"); s = ""; for (i = 0; i < Overlay.size; i++) {'
        ' Overlay.activateSelection(i); Roi.getPosition(c, z, t); s = s + maxOf(z, t) + " "; }'
        " return s;"
    )
    assert programs.ask(drawn) == ["2", "2"], "and are drawn there alone"
    session.put(*spots(5, 1))
    assert programs.ask('return "" + roiManager("count");') == ["3"], "a place has its last ROIs"


@needs_imagej
@pytest.mark.drops("window-closed")
def test_a_closed_window_is_in_the_ledger_and_stays_closed(session, programs):
    session.put(image(1, "closing", t=0), image(2, "closing", t=1))
    programs.ask('selectWindow("closing"); close(); return "";')

    def tally():
        return session.viewer.receiver.ledger()["closing"]

    eventually(lambda: tally().dropped["window-closed"] == 2, tally)
    session.put(image(3, "closing", t=2))
    eventually(lambda: tally().dropped["window-closed"] == 3, tally)
    assert programs.ask('return "" + isOpen("closing");') == ["0"]


@needs_imagej
def test_names_of_a_stream_are_text_to_imagej(session, programs):
    name = 'a"); File.saveString("x", "' + str(programs.folder / "broken") + '"); //\n\t'
    session.put(image(1, name, **{'t"\n': 0}))
    assert not (programs.folder / "broken").exists()
    assert session.viewer.receiver.ledger()[name].shown == 1


@needs_imagej
def test_imagej_ends_with_a_command_that_is_killed(tmp_path):
    environment = {**os.environ, "JAVA_TOOL_OPTIONS": f"-Duser.home={tmp_path}"}
    command = [sys.executable, "-c", "from dask_napari.cli import main; main()", "fiji"]
    command += ["--listen", ADDRESS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("Ctrl-C ends both" in line for line in lines)
        (java,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGKILL)
    assert psutil.wait_procs([java], timeout=30)[0]


# -- without ImageJ ------------------------------------------------------------------------------

STAND_IN = textwrap.dedent(
    """
    import sys
    print("@dask-napari ready\\t0", flush=True)
    for line in sys.stdin:
        command, *fields = line.rstrip("\\n").split("\\t")
        if command == "done":
            last = int(fields[0])
            if MODE == "answers":
                print(f"some plugin says hello\\n@dask-napari shown\\t{last}", flush=True)
            if MODE == "fails":
                print(f"@dask-napari failed\\t{last}\\tOutOfMemoryError", flush=True)
            if MODE == "ends":
                break
    """
)


class StandIn(ImageJPrograms):
    """A process that answers as the plugin does, in one of some modes."""

    mode = "answers"

    def compile(self, folder: Path) -> None:
        pass

    def command(self, classes: Path, file: str) -> list[str]:
        return [sys.executable, "-c", f"MODE = {self.mode!r}\n{STAND_IN}"]


def stand_in(mode: str) -> FijiViewer:
    programs = StandIn(Path("ij.jar"), None, Path("java"), Path("javac"))
    object.__setattr__(programs, "mode", mode)
    return FijiViewer(ADDRESS, programs)


def test_each_item_is_shown_once_imagej_says_so():
    session = Session(stand_in("answers"))
    session.put(*(image(t, "raw", t=t) for t in range(200)))
    session.close()
    assert session.viewer.receiver.ledger()["raw"].shown == 200


@pytest.mark.drops("ImageJ failed", "no vectors in ImageJ")
def test_what_imagej_does_not_show_is_dropped_with_the_reason():
    session = Session(stand_in("fails"))
    session.put(image(0, "raw", t=0), Item("v", "vectors", np.zeros((1, 2, 2)), {"t": 0}))
    session.close()
    ledger = session.viewer.receiver.ledger()
    assert ledger["raw"].dropped == {"ImageJ failed": 1}
    assert ledger["v"].dropped == {"no vectors in ImageJ": 1}


@pytest.mark.drops("viewer-gone")
@pytest.mark.parametrize("mode", ["is silent", "ends"])
def test_nobody_waits_for_an_imagej_that_hangs_or_has_ended(mode):
    session = Session(stand_in(mode))
    for t in range(300):
        session.publisher.put(image(t, "raw", t=t))
    if mode == "ends":
        session.thread.join()
    else:
        eventually(lambda: "64 items told, 236 waiting" in repr(session.viewer), session.viewer)
    session.close()


def test_missing_programs_are_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingImageJ, match="apt install imagej"):
        ImageJPrograms.find()
    with pytest.raises(MissingImageJ, match="does not exist"):
        ImageJPrograms.find(tmp_path / "Fiji")
    for name in ("ImageJ-linux64", "jars/ij-1.54f.jar", "java/linux/jdk8/bin/java"):
        path = tmp_path / "Fiji.app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(MissingImageJ, match="no javac"):
        ImageJPrograms.find(tmp_path / "Fiji.app")
    (path.parent / "javac").touch()
    found = ImageJPrograms.find(tmp_path / "Fiji.app")
    assert found.jar.name == "ij-1.54f.jar"
    assert found.command(Path("classes"), "/dev/fd/7") == [
        str(tmp_path / "Fiji.app/ImageJ-linux64"),
        *("--class-path", "classes", "-eval", 'call("DaskNapari.start", "/dev/fd/7");'),
    ]
