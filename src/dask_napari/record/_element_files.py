"""Arrays of items that no image holds: a file of arrays (``.npz``) for each item."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FOLDER: Final = "elements"


def encode_arrays(arrays: list[npt.NDArray[Any]], *, compress: bool) -> memoryview:
    """Return the content of a file of arrays.

    Arrays are numbered, since names of features may be any text; the journal has the names.
    """
    file = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(file, *arrays)
    return file.getbuffer()


def read_arrays(path: Path) -> list[npt.NDArray[Any]]:
    """Return the arrays of a file. Raises OSError, ValueError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[f"arr_{number}"] for number in range(len(file.files))]
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
