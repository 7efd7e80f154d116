"""The arena: real segments, real kills, and nothing of a peer's offer believed."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_napari.stream.shm import Arena, ArenaError, ArenaReader
from dask_napari.stream.shm import arena as module
from dask_napari.stream.shm.arena import HEADER
from dask_napari.system import own_folder, prefix
from example_counts import examples

PAGE = 4096


def descriptors() -> int:
    """Descriptors of these tests' segments; others come and go with what is left to end."""
    found, ours = 0, (f"{prefix()}arenatest-", f"{prefix()}x-")
    for link in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # another thread's, closed meanwhile
            found += any(name in os.readlink(f"/proc/self/fd/{link}") for name in ours)
    return found


def mappings(name: str) -> int:
    return Path("/proc/self/maps").read_text().count(name)


@pytest.fixture
def arena() -> Iterator[Arena]:
    made = Arena.create("arenatest", 16 * PAGE)
    yield made
    made.close()


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    target = tmp_path / "small"
    target.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", target], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield target
    subprocess.run(["umount", target], check=True)


# -- the owner ---------------------------------------------------------------------------------


def test_what_the_owner_writes_the_reader_reads(arena):
    reader = ArenaReader.attach(arena.name, arena.size)
    slot = arena.allocate(1000)
    arena.view(slot)[:] = np.arange(1000) % 251
    seen = reader.view(slot.offset, slot.nbytes)
    assert (seen == np.arange(1000) % 251).all()
    assert reader.token == arena.token
    with pytest.raises(ValueError, match="read-only"):
        seen[0] = 1
    del seen
    reader.close()
    reader.close()


def test_the_segment_is_private_whole_and_well_named(arena):
    status = arena.path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_blocks * 512 >= arena.size, "not all of it is reserved"
    assert arena.name.startswith(f"{prefix()}arenatest-")
    assert arena.path.parent == own_folder(Path("/dev/shm"))


def test_the_umask_does_not_widen_what_others_may():
    before = os.umask(0)
    try:
        arena = Arena.create("arenatest", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(arena.path.stat().st_mode) == 0o600
    arena.close()


def test_after_unlink_nothing_is_left_and_both_ends_go_on(arena):
    reader = ArenaReader.attach(arena.name, arena.size)
    arena.unlink()
    arena.unlink()
    assert not arena.path.exists()
    with pytest.raises(ArenaError, match="not visible"):
        ArenaReader.attach(arena.name, arena.size)
    slot = arena.allocate(3)
    arena.view(slot)[:] = (1, 2, 3)
    assert reader.view(slot.offset, 3).tolist() == [1, 2, 3]
    reader.close()


def test_slots_are_aligned_bounded_and_reused_lowest_first(arena):
    slots = [arena.allocate(100) for _ in range(3)]
    assert [slot.offset for slot in slots] == [HEADER, HEADER + 128, HEADER + 256]
    assert arena.allocate(arena.capacity) is None
    assert arena.free(slots[0].offset, slots[0].generation)
    again = arena.allocate(64)
    assert again.offset == slots[0].offset
    assert again.generation > slots[2].generation


def test_only_the_present_use_of_a_slot_can_be_freed(arena):
    old = arena.allocate(100)
    assert arena.free(old.offset, old.generation)
    new = arena.allocate(100)
    assert new.offset == old.offset
    assert not arena.free(old.offset, old.generation), "a late message frees what is in use"
    assert not arena.free(new.offset + 64, new.generation)
    assert not arena.free(-1, new.generation)
    assert arena.free(new.offset, new.generation)
    assert arena.allocate(arena.capacity) is not None


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3 * PAGE)), max_size=40))
@settings(max_examples=examples(50))
def test_slots_never_share_bytes(steps):
    arena = Arena.create("arenatest", 8 * PAGE)
    reader = ArenaReader.attach(arena.name, arena.size)
    live = []
    for turn, (free, number) in enumerate(steps):
        if free and live:
            slot, _ = live.pop(number % len(live))
            assert arena.free(slot.offset, slot.generation)
        elif (slot := arena.allocate(number)) is not None:
            arena.view(slot)[:] = turn
            live.append((slot, turn))
        assert all((reader.view(s.offset, s.nbytes) == value).all() for s, value in live)
    assert reader.token == arena.token
    arena.close()
    reader.close()


def test_closing_leaves_no_name_no_descriptor_and_no_mapping():
    before = descriptors()
    for _ in range(20):
        arena = Arena.create("arenatest", 4 * PAGE)
        reader = ArenaReader.attach(arena.name, arena.size)
        assert descriptors() <= before + 2, "one for each end"
        reader.close()
        arena.close()
        arena.close()
    assert descriptors() == before
    assert not mappings(arena.name)
    assert not arena.path.exists()
    assert arena.allocate(1) is None


def test_an_arena_that_is_forgotten_lets_go_of_its_memory():
    before = descriptors()
    arena = Arena.create("arenatest", 4 * PAGE)
    name, path = arena.name, arena.path
    del arena
    gc.collect()
    assert descriptors() == before
    assert not mappings(name)
    path.unlink(missing_ok=True)  # a janitor on this host may have been faster


def test_failures_leak_nothing(tmp_path):
    wrong = tmp_path / f"{prefix()}x-00000000"
    wrong.write_bytes(b"\0" * HEADER)
    wrong.chmod(0o600)
    before = descriptors()
    for _ in range(5):
        with pytest.raises(ArenaError):
            ArenaReader.attach(wrong.name, HEADER, tmp_path)
        with pytest.raises(ArenaError):
            ArenaReader.attach(wrong.name, HEADER + 1, tmp_path)
        with pytest.raises(ArenaError):
            Arena.create("arenatest", 1 << 60)
    assert descriptors() == before
    assert not list(own_folder(module.DIRECTORY, create=True).glob(f"{prefix()}arenatest-*"))


@pytest.mark.parametrize("end", ["owner", "reader"])
def test_views_outlive_the_end_that_made_them(arena, end):
    reader = ArenaReader.attach(arena.name, arena.size)
    slot = arena.allocate(8)
    arena.view(slot)[:] = 7
    view = arena.view(slot) if end == "owner" else reader.view(slot.offset, 8)
    reader.close()
    arena.close()
    assert (view == 7).all()
    assert mappings(arena.name) == 1
    del view
    assert not mappings(arena.name), "the mapping goes with the last view"
    with pytest.raises(ArenaError, match="outside"):
        reader.view(slot.offset, 8)


# -- no room -----------------------------------------------------------------------------------


def test_a_full_tmpfs_is_an_error_at_creation_and_leaves_nothing(small_tmpfs):
    with pytest.raises(ArenaError, match=r"no room for an arena of 2097152 bytes.*--shm-size") as e:
        Arena.create("arenatest", 2 << 20, small_tmpfs)
    assert e.value.errno == errno.ENOSPC
    assert not list(small_tmpfs.iterdir())


def test_what_was_reserved_can_be_written_even_when_the_rest_is_full(small_tmpfs):
    arena = Arena.create("arenatest", 512 << 10, small_tmpfs)
    with pytest.raises(OSError, match="No space"):
        (small_tmpfs / "other").write_bytes(b"x" * (1 << 20))
    slot = arena.allocate(arena.capacity)
    arena.view(slot)[:] = 1  # a SIGBUS if it were not there
    assert arena.view(slot).all()
    arena.close()


def test_an_absent_directory_is_an_error_with_the_remedy(tmp_path):
    with pytest.raises(ArenaError, match=r"No such file.*mount a tmpfs.*inline") as e:
        Arena.create("arenatest", PAGE, tmp_path / "absent")
    assert e.value.errno == errno.ENOENT


def test_a_read_only_directory_is_an_error_with_the_remedy(small_tmpfs):
    subprocess.run(["mount", "-o", "remount,ro", small_tmpfs], check=True)
    with pytest.raises(ArenaError, match=r"Read-only.*mount a tmpfs"):
        Arena.create("arenatest", PAGE, small_tmpfs)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ArenaError, match="Permission denied"):
        Arena.create("arenatest", PAGE, tmp_path)


@pytest.mark.parametrize("owner", ["a/b", "", "../x", "x" * 100, "é", "a\n", "a b"])
def test_owners_that_are_no_names_are_refused(owner):
    with pytest.raises(ValueError, match="owner="):
        Arena.create(owner, PAGE)


@pytest.mark.parametrize("nbytes", [0, -5])
def test_sizes_that_are_none_are_refused(nbytes):
    with pytest.raises(ValueError, match=f"arena of {nbytes} bytes"):
        Arena.create("arenatest", nbytes)


def test_a_janitor_between_open_and_lock_is_survived(monkeypatch):
    looks = iter([False, True])
    lock = module.lock
    monkeypatch.setattr(module, "lock", lambda descriptor: next(looks) and lock(descriptor))
    before = descriptors()
    arena = Arena.create("arenatest", PAGE)
    assert [
        path.name
        for path in own_folder(module.DIRECTORY, create=True).glob(f"{prefix()}arenatest-*")
    ] == [arena.name]
    assert descriptors() == before + 1
    arena.close()


# -- a peer's offer is not believed --------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../etc/passwd",
        "/etc/passwd",
        "dask-napari-0-x-00000000/../../etc/passwd",
        "psm_12345678",
        "dask-napari-0-x-00000000\n",
        "dask-napari-0-x-00000000\0",
        "dask-napari-\u0661-x-00000000",  # a digit, but no ASCII one
        "dask-napari-0-" + "x" * 300 + "-00000000",
    ],
)
def test_foreign_names_are_refused_before_anything_is_opened(name):
    with pytest.raises(ArenaError, match="not the name of an arena"):
        ArenaReader.attach(name, HEADER)


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(ArenaError, match="not visible") as error:
        ArenaReader.attach(f"{prefix()}x-00000000", HEADER)
    assert error.value.errno == errno.ENOENT


def plant(path: Path, what: str, arena: Arena) -> None:
    if what == "link":
        path.symlink_to(arena.path)
    elif what == "pipe":
        os.mkfifo(path, 0o600)
    elif what == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"\0" * arena.size)
        path.chmod(0o644 if what == "open" else 0o600)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("link", "not visible"),
        ("pipe", "not a file"),
        ("directory", "not a file"),
        ("open", "open to other users"),
        ("zeros", "not an arena"),
    ],
)
def test_what_is_no_arena_is_refused(arena, tmp_path, what, message):
    path = tmp_path / f"{prefix()}x-00000000"
    plant(path, what, arena)
    with pytest.raises(ArenaError, match=message):
        ArenaReader.attach(path.name, arena.size, tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_another_users_segment_is_refused(arena):
    os.chown(arena.path, 12345, 12345)
    with pytest.raises(ArenaError, match="another user"):
        ArenaReader.attach(arena.name, arena.size)


@pytest.mark.parametrize("size", [-1, 0, 1, HEADER, 1 << 40])
def test_another_size_than_said_is_refused(arena, size):
    with pytest.raises(ArenaError, match="size"):
        ArenaReader.attach(arena.name, size)


def test_a_segment_smaller_than_its_header_is_refused(tmp_path):
    path = tmp_path / f"{prefix()}x-00000000"
    path.write_bytes(module.MAGIC)
    path.chmod(0o600)
    with pytest.raises(ArenaError, match="size"):
        ArenaReader.attach(path.name, len(module.MAGIC), tmp_path)


@pytest.mark.parametrize(
    ("offset", "nbytes"),
    [(0, 1), (HEADER - 1, 1), (-1, 1), (HEADER, -1), (HEADER, 1 << 62), (1 << 62, 1)],
)
def test_a_reader_never_leaves_the_slots(arena, offset, nbytes):
    reader = ArenaReader.attach(arena.name, arena.size)
    with pytest.raises(ArenaError, match="outside"):
        reader.view(offset, nbytes)
    assert reader.view(HEADER, arena.size - HEADER).nbytes == arena.capacity
    with pytest.raises(ArenaError, match="outside"):
        reader.view(HEADER, arena.size - HEADER + 1)
    reader.close()


# -- an owner that is killed -----------------------------------------------------------------------

OWNER = textwrap.dedent(
    """
    import sys
    from dask_napari.stream.shm.arena import Arena
    arena = Arena.create("killed", 1 << 20)
    slot = arena.allocate(4)
    arena.view(slot)[:] = (1, 2, 3, 4)
    print(arena.name, arena.size, slot.offset, flush=True)
    for line in sys.stdin:
        arena.unlink()
        print("unlinked", flush=True)
    """
)


def test_after_a_kill_the_reader_reads_on_and_nothing_remains():
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    name, size, offset = owner.stdout.readline().split()
    reader = ArenaReader.attach(name, int(size))
    owner.stdin.write("unlink\n")
    owner.stdin.flush()
    assert owner.stdout.readline() == "unlinked\n"
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    assert reader.view(int(offset), 4).tolist() == [1, 2, 3, 4]
    assert not list(own_folder(module.DIRECTORY, create=True).glob(f"{prefix()}killed-*"))
    reader.close()
    assert not mappings(name)
