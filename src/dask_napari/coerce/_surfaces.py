"""Surfaces: triangles between vertices, with a value each if they have some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dask_napari.coerce._coerced import Coerced, Hints
from dask_napari.coerce._host_arrays import coordinates, from_lists, to_host
from dask_napari.model import AnyArray, Refusal, reachable


def surface(value: object, hints: Hints) -> list[Coerced]:
    """Make a surface.

    Examples
    --------
    >>> (made,) = surface(([[0, 0, 0], [0, 1, 0], [1, 0, 0]], [[0, 1, 2]]), Hints())
    >>> made.arrays["faces"].tolist()
    [[0, 1, 2]]
    """
    given = _apart(value)
    vertices = coordinates(given[0], "vertices")
    if not vertices.size:
        vertices = vertices.reshape(0, vertices.shape[1] if vertices.ndim == 2 else 3)
    if vertices.ndim != 2 or not 2 <= vertices.shape[1] <= 32:
        raise Refusal(
            "dimensions", f"vertices of a surface need shape (v, D), and came with {vertices.shape}"
        )
    if not reachable(vertices).all():
        raise Refusal("not finite", "a surface has vertices that are not finite, or beyond 2**31")
    arrays = {"faces": _faces(given[1], len(vertices))}
    if len(given) > 2 and given[2] is not None:
        arrays["values"] = _values(given[2], len(vertices))
    if hints.features is not None:
        hints.note("features of surfaces are left out")
    return [Coerced("surface", vertices, arrays, vertices.shape[1])]


def _apart(value: Any) -> tuple[Any, ...]:
    if isinstance(value, tuple | list) and len(value) in (2, 3):
        return tuple(value)
    if isinstance(value, tuple) and len(value) == 4:  # vertices, faces, normals, values
        return value[0], value[1], value[3]
    if isinstance(value, Mapping) and {"vertices", "faces"} <= value.keys():
        return value["vertices"], value["faces"], value.get("values")
    if hasattr(value, "vertices") and hasattr(value, "faces") and not isinstance(value, type):
        return value.vertices, value.faces
    raise Refusal(
        "not a surface",
        f"a {type(value).__name__} is no surface; return (vertices, faces) or (vertices, faces,"
        " values)",
    )


def _faces(given: Any, count: int) -> AnyArray:
    faces = from_lists(given, "faces") if isinstance(given, list | tuple) else to_host(given)
    if not faces.size:
        return np.empty((0, 3), np.uint32)
    if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1] not in (3, 4):
        raise Refusal(
            "faces",
            "faces need whole numbers in shape (f, 3); these have dtype"
            f" {faces.dtype} and shape {faces.shape}",
        )
    if int(faces.min()) < 0 or int(faces.max()) >= count:
        raise Refusal("faces", f"faces name vertices {faces.min()} to {faces.max()} of {count}")
    if faces.shape[1] == 4:
        faces = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
    return faces.astype(np.uint32 if count < 1 << 32 else np.int64, copy=False)


def _values(given: Any, count: int) -> AnyArray:
    values = coordinates(given, "values")
    if values.shape != (count,):
        raise Refusal(
            "values", f"values of shape {values.shape} for {count} vertices; give one each"
        )
    return values
