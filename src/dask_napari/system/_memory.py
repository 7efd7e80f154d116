"""Memory that processes share, and memory in huge pages."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Final

SHARED_MEMORY: Final = Path("/dev/shm")
"""Where Linux keeps shared memory, as files."""

PAGE_BYTES: Final = mmap.PAGESIZE
