"""A port to another operating system touches the room `system` only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "dask_napari"

# Calls, modules and flags that other systems do not have, or have otherwise.
NAMES = {
    *("fcntl", "ctypes", "msvcrt", "resource"),
    *("getuid", "pread", "preadv", "pwrite", "statvfs", "fstatvfs", "posix_fallocate"),
    *(
        "memfd_create",
        "set_blocking",
        "register_at_fork",
        "fork",
        "disk_partitions",
        "st_uid",
        "st_blocks",
    ),
    *("pass_fds", "preexec_fn", "start_new_session", "creationflags", "AF_UNIX"),
    *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_TMPFILE", "O_BINARY"),
}
FLAGS = re.compile(r"(MAP|PROT|MADV|LOCK|RLIMIT)_[A-Z_]+")
PLACES = re.compile(r"/(proc|dev/shm|run/user)\b")


def named(path: Path) -> set[str]:
    """Names of the system in a module, and places of it; docstrings aside."""
    tree = ast.parse(path.read_text())
    documents = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=module, names=names):
                found |= {str(module), *(alias.name for alias in names)}
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.keyword(arg=str(name)):
                found.add(name)
            case ast.Constant(value=str(text)) if id(node) not in documents:
                found |= {place[0] for place in PLACES.finditer(text)}
    return {n for n in found if n in NAMES or FLAGS.fullmatch(n) or PLACES.match(n)}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(SOURCE.rglob("*.py")) if path.parent.name != "system"],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_what_differs_between_systems_is_named_in_one_room(path):
    assert named(path) == set()


def test_the_room_names_them():
    found = set().union(*(named(path) for path in (SOURCE / "system").glob("*.py")))
    assert found >= {"fcntl", "getuid", "ctypes", "MADV_HUGEPAGE", "/dev/shm", "pwrite", "msvcrt"}
