"""Surfaces: triangles between vertices, with a value each if they have some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from dask_napari.coerce._host_arrays import coordinates, from_lists, is_array, to_host
from dask_napari.coerce._layer_arrays import CoercionContext, LayerArrays
from dask_napari.coerce._output_kind import OutputKind
from dask_napari.model import AXES_LIMIT, AnyArray, Conversion, Refusal, reachable


def surface(value: object, context: CoercionContext) -> list[LayerArrays]:
    """Make a surface of ``(vertices, faces)``, ``(vertices, faces, values)`` or a mesh.

    A mesh is an object with attributes ``vertices`` and ``faces``, a mapping with these keys, or
    the tuple that ``skimage.measure.marching_cubes`` returns. Quadrangles become two triangles.
    """
    given_vertices, given_faces, given_values = _fields(value)
    if isinstance(value, tuple) and len(value) == 4:
        context.note(Conversion.NORMALS)
    vertices = coordinates(given_vertices, "vertices")
    if not vertices.size:
        vertices = vertices.reshape(0, vertices.shape[1] if vertices.ndim == 2 else 3)
    if vertices.ndim != 2 or not 2 <= vertices.shape[1] <= AXES_LIMIT:
        raise Refusal(
            "dimensions",
            f"vertices of a surface need shape (v, D); these have shape {vertices.shape}",
        )
    usable: AnyArray = np.all(reachable(vertices), axis=1)
    if len(vertices) and not usable.any():
        raise Refusal("not finite", "a surface has no vertex that is finite, and within 2**31")
    arrays = {"faces": _faces(given_faces, usable, context)}
    if not usable.all():
        # No face names them; values stay one a vertex.
        vertices = np.where(usable[:, np.newaxis], vertices, vertices[usable][0])
    if given_values is not None:
        arrays["values"] = _values(given_values, len(vertices))
    if context.features is not None:
        context.note(Conversion.SURFACE_FEATURES)
    return [LayerArrays("surface", vertices, arrays, vertices.shape[1])]


def _are_meshes(values: Sequence[Any]) -> bool:
    return isinstance(values, list) and all(map(_is_mesh, values))


def _is_mesh(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) in (2, 3, 4) and is_array(value[0])
    return hasattr(value, "vertices") and hasattr(value, "faces")


def _has_mesh_keys(value: Mapping[Any, Any]) -> bool:
    return {"vertices", "faces"} <= value.keys()


SURFACE: Final = OutputKind(
    surface, are_several=_are_meshes, is_single=_has_mesh_keys, is_features=lambda value: False
)


def _fields(value: Any) -> tuple[Any, Any, Any]:
    if isinstance(value, tuple | list) and len(value) in (2, 3):
        return value[0], value[1], value[2] if len(value) == 3 else None
    if isinstance(value, tuple) and len(value) == 4:  # vertices, faces, normals, values
        return value[0], value[1], value[3]
    if isinstance(value, Mapping) and _has_mesh_keys(value):
        return value["vertices"], value["faces"], value.get("values")
    if hasattr(value, "vertices") and hasattr(value, "faces") and not isinstance(value, type):
        return value.vertices, value.faces, None
    raise Refusal(
        "not a surface",
        f"a {type(value).__name__} cannot be shown as a surface; return (vertices, faces) or"
        " (vertices, faces, values)",
    )


def _faces(given: Any, usable: AnyArray, context: CoercionContext) -> AnyArray:
    """Return the triangles of faces between usable vertices."""
    count = len(usable)
    faces = from_lists(given, "faces") if isinstance(given, list | tuple) else to_host(given)
    if not faces.size:
        return np.empty((0, 3), np.uint32)
    if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1] not in (3, 4):
        raise Refusal(
            "faces",
            f"faces need whole numbers in shape (f, 3); these have dtype {faces.dtype} and shape"
            f" {faces.shape}",
        )
    kept: AnyArray = np.all((faces >= 0) & (faces < count), axis=1)
    if not kept.any():
        raise Refusal(
            "faces", f"faces name vertices {faces.min()} to {faces.max()}; there are {count}"
        )
    kept[kept] = usable[faces[kept]].all(axis=1)
    context.leave_out(
        "faces", len(faces) - int(kept.sum()), len(faces), "vertices that are missing or not finite"
    )
    faces = faces[kept]
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
