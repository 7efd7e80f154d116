"""Locks, private directories, files and memory, which differ between operating systems."""

from __future__ import annotations

from dask_napari.system._child_process import start_child
from dask_napari.system._disk import (
    file_system,
    punch_hole,
    read_at,
    read_bytes,
    unnamed_file,
    write_at,
)
from dask_napari.system._end_watch import EndWatch
from dask_napari.system._mapped_copy import copy_mapped
from dask_napari.system._memory import PAGE_BYTES, SHARED_MEMORY
from dask_napari.system._platform import (
    APART,
    HAS_IPC,
    after_fork,
    allocated_bytes,
    answers,
    free_bytes,
    is_closed,
    is_own,
    map_file,
    never_block,
    private_memory,
    reserve,
)
from dask_napari.system._private_directories import (
    IPC_LIMIT,
    RuntimeDirectory,
    bases,
    meeting_places,
    private_directories,
)
from dask_napari.system._screen import screen_fault
from dask_napari.system._user_files import (
    UntrustedFileError,
    create_own,
    is_own_alone,
    lock,
    open_own,
    open_regular,
    own_folder,
    own_paths,
    prefix,
    still_named,
)
from dask_napari.system._wakeup import Wakeup

__all__ = [
    "APART",
    "HAS_IPC",
    "IPC_LIMIT",
    "PAGE_BYTES",
    "SHARED_MEMORY",
    "EndWatch",
    "RuntimeDirectory",
    "UntrustedFileError",
    "Wakeup",
    "after_fork",
    "allocated_bytes",
    "answers",
    "bases",
    "copy_mapped",
    "create_own",
    "file_system",
    "free_bytes",
    "is_closed",
    "is_own",
    "is_own_alone",
    "lock",
    "map_file",
    "meeting_places",
    "never_block",
    "open_own",
    "open_regular",
    "own_folder",
    "own_paths",
    "prefix",
    "private_directories",
    "private_memory",
    "punch_hole",
    "read_at",
    "read_bytes",
    "reserve",
    "screen_fault",
    "start_child",
    "still_named",
    "unnamed_file",
    "write_at",
]
