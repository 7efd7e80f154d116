"""Have dask_napari take this host for Windows, as far as Linux can pretend.

`dask_napari.system` picks its calls for Windows, with a stand-in for ``msvcrt``; and what Windows
lacks is refused to modules of ours wherever they call it.
"""

import fcntl
import importlib.util
import os
import subprocess
import sys
import types

PLATFORM = "dask_napari.system._platform"

LACKING = (
    *("getuid", "fork", "pread", "preadv", "pwrite", "statvfs", "posix_fallocate"),
    *("memfd_create", "register_at_fork", "mkfifo", "setsid"),
)
"""Functions of ``os`` that Windows does not have."""


def _locking(descriptor, mode, nbytes):
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _refused(name, function):
    def call(*arguments, **options):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.partition(".")[0] == "dask_napari":
            raise AttributeError(f"module 'os' has no attribute {name!r} on Windows: {caller}")
        return function(*arguments, **options)

    return call


class WindowsFinder:
    """Import the module that picks the calls of a system as if this were Windows."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != PLATFORM:
            return None
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            real, sys.platform = sys.platform, "win32"
            msvcrt = types.ModuleType("msvcrt")
            msvcrt.LK_NBLCK, msvcrt.locking = 2, _locking
            sys.modules["msvcrt"] = msvcrt
            os.O_BINARY = subprocess.CREATE_NEW_PROCESS_GROUP = 0
            try:
                execute(module)
            finally:
                sys.platform = real
                del sys.modules["msvcrt"], os.O_BINARY
            for lacking in LACKING:
                setattr(os, lacking, _refused(lacking, getattr(os, lacking)))

        spec.loader.exec_module = exec_module
        return spec


def install() -> None:
    sys.meta_path.insert(0, WindowsFinder)
