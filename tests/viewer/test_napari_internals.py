"""Two modules know the insides of napari: names with an underscore, and modules that have one."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image, Points, Shapes, Vectors

from dask_napari.viewer.napari_internals import color_feature, current_color, keep_no_level

VIEWER = Path(__file__).parents[2] / "src" / "dask_napari" / "viewer"

MODULES = sorted(path for path in VIEWER.rglob("*.py") if not path.name.startswith("napari_"))

PRIVATE = re.compile(r"_[a-z]|__wrapped__")


def private_uses(tree: ast.AST, own: set[str]) -> Iterator[tuple[int, str]]:
    """Yield private names of others that a module uses, and the lines where it does."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if PRIVATE.match(name) and name not in own:
                yield node.lineno, name
            case ast.Call(func=ast.Name(id="getattr" | "setattr" | "hasattr"), args=[_, text, *_]):
                start = text.values[0] if isinstance(text, ast.JoinedStr) else text
                if isinstance(start, ast.Constant) and str(start.value).startswith("_"):
                    yield node.lineno, start.value
            case ast.ImportFrom(module=str() as module, names=names):
                for name in (f"{module}.{alias.name}" for alias in names):
                    if re.match(r"(napari|vispy)\b.*\._", name):
                        yield node.lineno, name
            case ast.Import(names=names):
                for alias in names:
                    if re.match(r"(napari|vispy)\b.*\._", alias.name):
                        yield node.lineno, alias.name


@functools.cache
def own_private_names() -> set[str]:
    """Private names that classes and modules of the viewer define."""
    found = set()
    for path in VIEWER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                    found.add(name)
                case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                    found.add(name)
    return found - overridden()


def overridden() -> set[str]:
    """Private names of napari's that its layers have."""
    return {name for layer in (Image, Points, Shapes, Vectors) for name in dir(layer)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(VIEWER)))
def test_private_names_of_napari_stand_in_two_modules(path):
    own = own_private_names()
    assert list(private_uses(ast.parse(path.read_text()), own)) == []


def test_the_search_finds_what_it_is_for():
    source = """
from napari._qt import qt_viewer
import napari.layers._x
layer._update_dims()
getattr(layer, f"_{part}_color")
hasattr(viewer, "__wrapped__")
layers[0]._data = self._mine
super()._extent_data
make()._slice
"""
    assert {name for _, name in private_uses(ast.parse(source), set())} == {
        "napari._qt.qt_viewer",
        "napari.layers._x",
        "_update_dims",
        "_",
        "__wrapped__",
        "_data",
        "_extent_data",
        "_slice",
    }


# -- napari behaves as that module says -----------------------------------------------------------


def elements():
    square = np.array([[0, 0], [0, 3], [3, 3], [3, 0]], float)
    yield Points(np.zeros((2, 2)), features={"area": [1.0, 2.0]}), "face"
    yield Shapes([square, square + 5], features={"area": [1.0, 2.0]}), "face"
    yield Vectors(np.zeros((2, 2, 2)), features={"area": [1.0, 2.0]}), "edge"


@pytest.mark.parametrize(("layer", "part"), list(elements()), ids=str)
def test_the_color_of_new_elements_and_the_feature_that_colors_stand_for(layer, part):
    assert color_feature(layer, part) is None
    setattr(layer, f"{part}_color", "red")
    assert np.asarray(current_color(layer, part)).shape == (4,)
    setattr(layer, f"{part}_color", "area")
    assert color_feature(layer, part) == "area"


def test_a_pyramid_is_read_again():
    levels = [np.zeros((64, 64), "u1"), np.zeros((32, 32), "u1")]
    layer = Image(levels, multiscale=True)
    keep_no_level(layer)
    for value in (9, 0):
        levels[1][:] = value
        layer.refresh()
        assert layer._slice.thumbnail.raw.max() == value
    layer.data = [np.zeros((64, 64), "u1"), np.zeros((32, 32), "u1")]
    layer.data[1][:] = 5
    layer.refresh()
    assert layer._slice.thumbnail.raw.max() == 5
