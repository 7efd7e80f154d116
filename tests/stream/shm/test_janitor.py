"""The janitor: what a killed process left goes, what is in use or not ours stays."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from dask_napari.stream.shm import Arena, ArenaError, ArenaReader, janitor
from dask_napari.stream.shm import arena as arenas
from dask_napari.system import RuntimeDirectory, _private_directories, open_own, own_folder, prefix


@pytest.fixture
def shm(tmp_path, monkeypatch) -> Path:
    """Stands in for /dev/shm, so that nothing of this machine's is counted."""
    folder = tmp_path / "shm"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(arenas, "DIRECTORY", folder)
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(_private_directories, "meeting_places", list)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir(mode=0o700)
    return folder


def killed(code: str, *arguments: object) -> None:
    """Run code that waits at its end, and kill it there."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"{code}\nprint('ready', flush=True)\ninput()",
            *map(str, arguments),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()


ARENA = """
import sys
from pathlib import Path
from dask_napari.stream.shm.arena import Arena
arena = Arena.create("killed", 1 << 20, Path(sys.argv[1]))
"""

DIRECTORY = """
from dask_napari.system import RuntimeDirectory
directory = RuntimeDirectory()
(directory.path / "receiver.sock").touch()
"""


def test_the_segment_of_a_killed_owner_is_swept(shm, home):
    killed(ARENA, shm)
    (left,) = janitor.find()
    assert (left.kind, left.alive) == ("segment", False)
    assert left.nbytes >= 1 << 20
    assert 0 <= left.age < 60
    assert [swept.path for swept in janitor.sweep()] == [left.path]
    assert not list(shm.iterdir())
    assert janitor.sweep() == janitor.find() == []


def test_who_had_attached_reads_on_after_the_sweep(shm, home):
    killed(ARENA, shm)
    (left,) = janitor.find()
    reader = ArenaReader.attach(left.path.name, left.path.stat().st_size, shm)
    janitor.sweep()
    assert reader.view(arenas.HEADER, 1 << 20).nbytes == 1 << 20
    reader.close()


def test_the_directory_of_a_killed_owner_is_swept_wherever_it_was(shm, home, monkeypatch):
    killed(DIRECTORY)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("TMPDIR", str(home.parent / "tmp"))
    killed(DIRECTORY)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    found = janitor.find()
    assert [(left.kind, left.alive) for left in found] == [("directory", False)] * 2
    assert {left.path.parent for left in found} == {home, home.parent / "tmp"}
    assert [left.path for left in janitor.sweep()] == [left.path for left in found]
    assert not list(home.iterdir())


def test_what_is_in_use_is_found_and_never_swept(shm, home):
    arena = Arena.create("live", 1 << 16, shm)
    with RuntimeDirectory() as directory:
        assert [(left.path, left.alive) for left in janitor.find()] == [
            (arena.path, True),
            (directory.path, True),
        ]
        assert janitor.sweep() == []
        assert arena.path.exists()
        assert directory.path.exists()
    arena.close()
    assert janitor.find() == []


def test_an_owner_in_another_process_is_spared(shm, home):
    child = subprocess.Popen(
        [sys.executable, "-c", f"{ARENA}\nprint(arena.path, flush=True)\ninput()", shm],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    path = Path(child.stdout.readline().strip())
    assert janitor.sweep() == []
    assert path.exists()
    child.communicate("\n")
    assert [left.path for left in janitor.sweep()] == [path]


def test_readers_do_not_keep_a_dead_owners_segment(shm, home):
    arena = Arena.create("test", 1 << 16, shm)
    reader = ArenaReader.attach(arena.name, arena.size, shm)
    unlink, arena.unlink = arena.unlink, lambda: None
    arena.close()  # as a crash would: the name stays
    assert len(janitor.sweep()) == 1
    reader.close()
    unlink()


def test_what_is_not_an_arena_by_name_or_kind_stays(shm, home):
    other = f"dask-napari-{os.getuid() + 1}-x-00000000"
    names = [f"{prefix()}results", f"{prefix()}x-0000000g", "psm_00000000", other]
    for name in names:
        (shm / name).write_text("precious")
        (home / name).mkdir()
    (shm / f"{prefix()}x-00000000").mkdir()
    (shm / f"{prefix()}x-00000001").symlink_to(shm / names[0])
    os.mkfifo(shm / f"{prefix()}x-00000002")
    (home / f"{prefix()}{'0' * 12}").write_text("a file")
    (home / f"{prefix()}{'1' * 12}").symlink_to(home / names[0])
    before = sorted(home.parent.rglob("*"))
    assert janitor.find() == janitor.sweep() == []
    assert sorted(home.parent.rglob("*")) == before


def test_a_directory_is_emptied_without_following_links(shm, home):
    precious = home.parent / "precious"
    precious.mkdir()
    (precious / "data").touch()
    left = home / f"{prefix()}{'a' * 12}"
    left.mkdir(mode=0o700)
    (left / "link").symlink_to(precious)
    assert [found.path for found in janitor.sweep()] == [left]
    assert (precious / "data").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_another_users_leftovers_are_not_touched(shm, home):
    path = shm / f"{prefix()}x-00000000"
    path.touch()
    os.chown(path, 12345, 12345)
    assert janitor.find() == janitor.sweep() == []
    assert path.exists()


@pytest.mark.parametrize("squatters", ["none", "names", "our folder", "a link to it"])
def test_what_others_put_into_a_shared_folder_is_not_looked_at(shm, home, monkeypatch, squatters):
    """Each name that looks like ours would cost the receiver's thread some time, every second."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    shared = Path(tempfile.gettempdir())
    for folder in (shm, shared):
        folder.chmod(0o1777)
        ours = folder / f"dask-napari-{os.getuid()}"
        if squatters == "our folder":
            ours.mkdir()
            ours.chmod(0o777)
        elif squatters == "a link to it":
            (folder / "elsewhere").mkdir()
            ours.symlink_to(folder / "elsewhere")
    if squatters in ("our folder", "a link to it"):
        with pytest.raises(FileNotFoundError, match=r"set XDG_RUNTIME_DIR.*this user alone"):
            RuntimeDirectory()
        with pytest.raises(ArenaError, match="this user alone"):
            Arena.create("live", 1 << 16)
        with RuntimeDirectory(shared, home) as directory:
            assert directory.path.parent == home
        assert janitor.sweep() == []
        return
    for number in range(1000 if squatters == "names" else 0):
        (shm / f"{prefix()}x-{number:08x}").touch(0o600)
        (shared / f"{prefix()}{number:012x}").mkdir(0o700)
    opened: list[object] = []
    monkeypatch.setattr(
        janitor, "open_own", lambda path, **how: opened.append(path) or open_own(path, **how)
    )
    arena = Arena.create("live", 1 << 16)
    ArenaReader.attach(arena.name, arena.size).close()
    with RuntimeDirectory() as directory:
        assert directory.path.parent == own_folder(shared)
        assert janitor.sweep() == []
        assert opened == [arena.path, directory.path]
        assert stat.S_IMODE(arena.path.parent.stat().st_mode) == 0o700
    arena.close()


def test_absent_folders_are_empty_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(arenas, "DIRECTORY", tmp_path / "absent")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    assert janitor.find() == janitor.sweep() == []


def test_creation_survives_janitors_that_never_rest(shm, home):
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            janitor.sweep()
            janitor.find()

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        for _ in range(50):
            arena = Arena.create("race", 4096, shm)
            with RuntimeDirectory() as directory:
                assert arena.path.exists()
                assert directory.path.exists()
                ArenaReader.attach(arena.name, arena.size, shm).close()
            arena.close()
    finally:
        stop.set()
        for sweeper in sweepers:
            sweeper.join()
    assert not list(shm.iterdir())
    assert not list(home.iterdir())


def test_looking_leaves_no_descriptor(shm, home):
    killed(ARENA, shm)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        janitor.find()
    janitor.sweep()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_cannot_be_looked_at_is_passed_over(shm, home, monkeypatch):
    dead = Arena.create("dead", 1 << 12)

    def no_locks(*arguments: object, **options: bool) -> str:
        raise OSError("no locks available")

    with monkeypatch.context() as patch:
        patch.setattr(janitor, "lock", no_locks)
        patch.setattr("tempfile.gettempdir", no_locks)
        assert janitor.sweep() == []
    dead.close()
