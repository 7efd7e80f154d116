"""Arrays on disk: what is written comes back, what is freed is free, and nothing is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dask_napari.system import file_system
from dask_napari.viewer.storage._scratch import NoScratch, Scratch, disk_folder


def pattern(n: int, shape=(300, 500), dtype="uint16") -> np.ndarray:
    return (np.arange(np.prod(shape)).reshape(shape) * (n + 1)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64", "bool"])
def test_arrays_come_back_as_they_were(tmp_path, dtype):
    with Scratch(tmp_path, reserve=0, segment_bytes=1 << 20) as scratch:
        arrays = [pattern(n, dtype=dtype) for n in range(12)]
        arrays.append(arrays[0][::2, ::-3])  # not contiguous
        extents = [scratch.write(array) for array in arrays]
        for array, extent in zip(arrays, extents, strict=True):
            back = scratch.read(extent, np.empty(array.shape, array.dtype))
            np.testing.assert_array_equal(back, array)


def test_space_goes_back_to_the_disk_when_arrays_are_freed(tmp_path):
    with Scratch(tmp_path, reserve=0, segment_bytes=8 << 20) as scratch:
        extents = [scratch.write(pattern(n, (512, 512))) for n in range(40)]  # three files
        full = scratch.allocated
        assert scratch.nbytes == 40 * 512 * 1024
        assert full >= scratch.nbytes
        for extent in extents[1::2]:
            scratch.free(extent)
        # By holes in the files, as ext4, xfs, btrfs and tmpfs have them.
        if file_system(tmp_path) in {"ext4", "xfs", "btrfs", "tmpfs"}:
            assert scratch.allocated < 0.6 * full
        kept = scratch.read(extents[2], np.empty((512, 512), "uint16"))
        np.testing.assert_array_equal(kept, pattern(2, (512, 512)))
        for extent in extents[::2]:
            scratch.free(extent)
        assert scratch.nbytes == 0
        assert scratch.allocated <= 64 << 10
        again = scratch.write(pattern(7))
        np.testing.assert_array_equal(
            scratch.read(again, np.empty((300, 500), "uint16")), pattern(7)
        )


def test_the_files_have_no_name(tmp_path):
    with Scratch(tmp_path, reserve=0) as scratch:
        scratch.write(pattern(0))
        assert scratch.allocated > 0
        assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_process_that_is_killed(tmp_path):
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from dask_napari.viewer.storage._scratch import Scratch\n"
        "scratch = Scratch(Path(sys.argv[1]), reserve=0)\n"
        "scratch.write(np.ones(8 << 20, 'uint8'))\n"
        "print(scratch.allocated, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert int(process.stdout.readline()) >= 8 << 20
    files = [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
    assert any(name.startswith(str(tmp_path)) and "(deleted)" in name for name in files)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_room_on_the_disk_is_left_to_others(tmp_path):
    with Scratch(tmp_path, reserve=1 << 60) as scratch:
        with pytest.raises(OSError, match="left to others") as full:
            scratch.write(pattern(0))
        assert full.value.errno == errno.ENOSPC
        assert scratch.nbytes == scratch.allocated == 0


def test_an_error_half_way_leaves_nothing_and_the_next_write_is_whole(tmp_path):
    # A limit of the file's size fails as a full disk does: in the middle of a write.
    code = """
import resource, signal, sys, numpy as np
from pathlib import Path
from dask_napari.viewer.storage._scratch import Scratch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
scratch = Scratch(Path(sys.argv[1]), reserve=0)
first = scratch.write(np.full(1 << 20, 1, "uint8"))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, hard))
try:
    scratch.write(np.full(4 << 20, 2, "uint8"))
except OSError as error:
    print("failed", scratch.nbytes, scratch.allocated < 2 << 20)
small = scratch.write(np.full(1 << 20, 3, "uint8"))
print([int(scratch.read(e, np.empty(1 << 20, "uint8")).min()) for e in (first, small)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"failed {1 << 20} True", "[1, 3]"]


def test_memory_is_no_place_for_what_leaves_memory():
    if not Path("/dev/shm").is_dir():
        pytest.skip("no /dev/shm")
    assert file_system(Path("/dev/shm")) == "tmpfs"
    with pytest.raises(NoScratch, match="set TMPDIR"):
        disk_folder([Path("/dev/shm")])
