"""The private directory of a receiver's socket."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import zmq

from dask_napari.stream.auth import reachable
from dask_napari.system import (
    IPC_LIMIT,
    RuntimeDirectory,
    _private_directories,
    bases,
    lock,
    prefix,
)


def test_only_this_user_can_enter_and_closing_removes_all(tmp_path):
    with RuntimeDirectory(tmp_path) as directory:
        assert directory.path.name.startswith(prefix())
        assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
        (directory.path / "left").write_text("behind")
    assert not directory.path.exists()
    directory.close()


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_from_which_others_can_move_it_away_is_passed_over(tmp_path, caplog, mode):
    loose, sticky = tmp_path / "loose", tmp_path / "sticky"
    loose.mkdir()
    loose.chmod(mode)
    sticky.mkdir()
    sticky.chmod(0o1777)
    with RuntimeDirectory(loose, sticky) as directory:
        assert directory.path.parent.parent == sticky
    assert f"chmod +t {loose}" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"others can write to .*loose"):
        RuntimeDirectory(loose)
    assert not list(loose.iterdir())


def test_it_is_locked_while_it_is_open(tmp_path):
    with RuntimeDirectory(tmp_path) as directory:
        descriptor = os.open(directory.path, os.O_RDONLY)
        assert not lock(descriptor)
        assert not lock(descriptor, shared=True)
        os.close(descriptor)


def test_no_descriptor_is_left(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        RuntimeDirectory(tmp_path).close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_zeromq_binds_there(tmp_path):
    with RuntimeDirectory() as directory, zmq.Context() as context:
        address = directory.socket("receiver")
        assert not reachable(address)
        with context.socket(zmq.ROUTER) as socket:
            socket.bind(address)
            assert reachable(address)


def test_a_path_too_long_for_a_socket_is_refused_with_the_remedy(tmp_path):
    deep = tmp_path / ("x" * IPC_LIMIT)
    deep.mkdir(mode=0o700)
    with (
        RuntimeDirectory(deep) as directory,
        pytest.raises(ValueError, match=r"longer than 107 bytes.*XDG_RUNTIME_DIR"),
    ):
        directory.socket("receiver")


def test_the_limit_is_the_systems(tmp_path, monkeypatch):
    with RuntimeDirectory() as directory, zmq.Context() as context:
        spare = IPC_LIMIT - len(directory.socket("").removeprefix("ipc://"))
        longest = directory.socket("n" * spare)
        with pytest.raises(ValueError, match="longer"):
            directory.socket("n" * (spare + 1))
        with context.socket(zmq.ROUTER) as socket:
            socket.bind(longest)
            with pytest.raises(zmq.ZMQError):
                socket.bind(longest + "n")


@pytest.mark.parametrize("lost", ["before it is opened", "before it is locked"])
def test_a_janitor_that_comes_first_is_survived(tmp_path, monkeypatch, lost):
    made: list[Path] = []
    mkdir, take = Path.mkdir, _private_directories.lock

    def mkdir_then_lose(path: Path, *args: int, **options: int) -> None:
        mkdir(path, *args, **options)
        made.append(path)
        if lost == "before it is opened" and len(made) == 1:
            path.rmdir()

    def lock_late(descriptor: int) -> bool:
        if lost == "before it is locked" and len(made) == 1:
            made[0].rmdir()
        return take(descriptor)

    monkeypatch.setattr(Path, "mkdir", mkdir_then_lose)
    monkeypatch.setattr(_private_directories, "lock", lock_late)
    with RuntimeDirectory(tmp_path) as directory:
        assert [directory.path] == made[1:] == list(tmp_path.iterdir())


def test_the_runtime_directory_is_the_best_base_if_it_is_usable(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session = Path(f"/run/user/{os.getuid()}")
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(mine))
    everywhere = _private_directories.meeting_places.__wrapped__  # the suite has its own
    monkeypatch.setattr(_private_directories, "meeting_places", everywhere)
    assert bases() == [mine, tmp_path, session, Path("/tmp")]
    for unusable in (tmp_path / "absent", tmp_path / "file", Path("relative"), Path()):
        (tmp_path / "file").touch()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(unusable))
        assert bases()[0] == tmp_path
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert bases()[0] == tmp_path


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give directories away")
def test_another_users_runtime_directory_is_not_used(tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(theirs))
    assert theirs not in bases()


def test_only_sockets_of_this_user_are_reachable(tmp_path):
    (tmp_path / "file").touch()
    assert not reachable(f"ipc://{tmp_path}/file")
    assert not reachable(f"ipc://{tmp_path}/absent")
    assert not reachable("ipc:///a\0b")
    assert reachable("tcp://10.1.2.3:1")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give sockets away")
def test_another_users_socket_is_not_reachable():
    with (
        RuntimeDirectory() as directory,
        zmq.Context() as context,
        context.socket(zmq.ROUTER) as socket,
    ):
        address = directory.socket("receiver")
        socket.bind(address)
        os.chown(address.removeprefix("ipc://"), 12345, 12345)
        assert not reachable(address)


def test_without_any_directory_the_error_names_the_remedy(monkeypatch):
    def none() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.gettempdir", none)
    monkeypatch.setattr(_private_directories, "meeting_places", list)
    with pytest.raises(FileNotFoundError, match="TMPDIR"):
        RuntimeDirectory()
