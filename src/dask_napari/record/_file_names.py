"""Names of files and groups for whatever layers are called."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 60
"""Characters of a name; a layer may have a thousand, and file systems end at 255 bytes."""

_OTHER = re.compile(r"[^\w.+-]+", re.ASCII)


class FileNames:
    """Make names that no other has, on file systems that do not tell capital letters, too.

    Examples
    --------
    >>> names = FileNames()
    >>> names.new("../raw/DAPI µm"), names.new("raw"), names.new("Raw"), names.new("...")
    ('raw_DAPI_um', 'raw', 'Raw.2', 'layer')
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def reserve(self, name: str) -> None:
        """Nothing else is to be called so."""
        self._taken.add(name.casefold())

    def new(self, label: str) -> str:
        """A name that reminds of a label."""
        plain = unicodedata.normalize("NFKD", label.replace("µ", "u").replace("μ", "u"))
        plain = plain.encode("ascii", "ignore").decode()
        base = _OTHER.sub("_", plain)[:LONGEST].strip("._-") or "layer"
        name, number = base, self._last.get(base.casefold(), 1)
        while name.casefold() in self._taken:
            number += 1
            name = f"{base}.{number}"
        self._last[base.casefold()] = number
        self.reserve(name)
        return name
