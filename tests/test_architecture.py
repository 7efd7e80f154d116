"""The house: which room may import which, one name per thing, and plain first lines.

What is not done yet stands in a table per room, with the number of cases that are left. A number
may only fall; a room without cases must leave its table.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "dask_napari"

# Rooms and sub-rooms, and the rooms that each may import. A sub-room may import the loose modules
# of the room that it is in; the face of a room may import all of its sub-rooms.
MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "catalog": {"model"},
    "placement": {"model"},
    "coerce": {"model", "placement", "system"},
    "tap": {"model", "placement", "coerce"},
    "system": set(),
    "config": set(),
    "_version": set(),
    "conventions": {"placement"},
    "batches": {"model", "placement", "coerce", "stream.send"},
    "openhcs": {"model", "coerce", "tap", "config", "stream.auth", "stream.send"},
    "stream": {"model", "stream.wire", "stream.auth", "stream.send", "stream.receive"},
    "stream.wire": {"model", "system"},
    "stream.shm": {"system"},
    "stream.auth": {"system"},
    "stream.send": {"model", "system", "stream.wire", "stream.shm", "stream.auth"},
    "stream.receive": {"model", "system", "stream.wire", "stream.shm", "stream.auth"},
    "sink": {
        "model",
        "placement",
        "coerce",
        "tap",
        "config",
        "stream.wire",
        "stream.auth",
        "stream.send",
    },
    "live": {
        "model",
        "placement",
        "tap",
        "config",
        "record",
        "sink",
        "stream",
        "stream.auth",
        "stream.send",
        "stream.receive",
        "stream.shm",
        "system",
    },
    "canvas": {"model", "catalog"},
    "canvas.pixels": {"model", "catalog", "canvas"},
    "canvas.elements": {"model", "catalog", "canvas"},
    "viewer": {"model", "canvas", "catalog", "system", "stream.auth", "viewer.app"},
    "viewer.camera": {"canvas"},
    "viewer.web": {"system", "stream.auth"},
    "viewer.storage": {"model", "system", "catalog", "stream.receive"},
    "viewer.layers": {
        "model",
        "canvas",
        "canvas.pixels",
        "canvas.elements",
        "catalog",
        "config",
        "viewer",
        "viewer.camera",
        "viewer.storage",
    },
    "viewer.dock": {"model", "catalog", "stream.receive", "viewer.layers", "viewer.storage"},
    "viewer.app": {
        "model",
        "canvas",
        "canvas.pixels",
        "catalog",
        "config",
        "live",  # imported where a cluster is attached alone: a viewer needs no Dask to receive
        "record",
        "system",
        "stream.auth",
        "stream.receive",
        "stream.shm",
        "viewer",
        "viewer.dock",
        "viewer.layers",
        "viewer.storage",
    },
    "record": {"model", "catalog", "system", "stream.send", "stream.receive"},
    "fiji": {"model", "system", "stream.receive"},
    "relay": {"model", "system", "stream.send", "stream.receive"},
    "cli": {
        "model",
        "stream",
        "fiji",
        "config",
        "system",
        "live",
        "record",
        "tap",
        "stream.auth",
        "stream.receive",
        "stream.shm",
        "viewer",
        "viewer.app",
        "viewer.web",
    },
    "__main__": {"cli"},
    "preload": {"config", "sink", "tap", "stream.auth"},
    # The face of the whole; it gives users their names.
    "": {"model", "batches", "conventions", "live", "sink", "stream", "stream.auth", "tap"},
}

NOT_YET_ALLOWED: dict[str, int] = {}
"""Imports from rooms that a room must not import."""

NOT_YET_BY_THE_FACE: dict[str, int] = {}
"""Imports of private modules of another room."""

NOT_YET_UNIQUE: set[str] = set()
"""Names of files and classes that stand twice in the tree."""


class Module(NamedTuple):
    """A module of the package: its dotted name below the package, and its syntax tree."""

    name: str
    room: str
    tree: ast.Module
    is_face: bool


class Imported(NamedTuple):
    """A module, or a name of it, that a module imports."""

    by: Module
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.by.name}:{self.line} imports {self.name}"


@cache
def modules() -> dict[str, Module]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        is_face = parts[-1] == "__init__"
        parts = parts[:-1] if is_face else parts
        name = ".".join(parts)
        found[name] = Module(name, room_of(name), ast.parse(path.read_text()), is_face)
    return found


def room_of(name: str) -> str:
    """Return the room or sub-room that a module, or a name of one, lies in."""
    parts = name.split(".")
    sub_room = ".".join(parts[:2])
    return sub_room if sub_room in MAY_IMPORT else parts[0]


def top(room: str) -> str:
    return room.partition(".")[0]


def imports() -> Iterator[Imported]:
    """All imports, those within functions and those for annotations too."""
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.module, f"{module.name}:{node.lineno} has a relative import"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from (Imported(module, node.lineno, name) for name in names)


def own_imports() -> Iterator[tuple[Imported, str]]:
    """Imports of this package's modules and names, each with its name below the package."""
    for each in imports():
        package, _, name = each.name.partition(".")
        if package == "dask_napari":
            yield each, name


def compare(cases: dict[str, list[str]], known: dict[str, int]) -> None:
    """Compare the cases of each room with the number that is known of it."""
    problems = []
    for room in sorted({*cases, *known}):
        found = cases.get(room, [])
        if len(found) > known.get(room, 0):
            more = "\n  ".join(found)
            problems.append(f"{room}: {len(found)} of {known.get(room, 0)} allowed:\n  {more}")
        elif not found and room in known:
            problems.append(f"{room} has no case left: take it off the table")
    assert not problems, "\n".join(problems)


def test_rooms_import_one_way():
    cases = defaultdict(list)
    for each, name in own_imports():
        room, other = each.by.room, room_of(name)
        if room == other or other == "_version" or (each.by.is_face and top(other) == room):
            continue
        if other not in MAY_IMPORT[room]:
            cases[top(room)].append(str(each))
    compare(cases, NOT_YET_ALLOWED)


def test_the_table_of_rooms_has_no_circle():
    for room in MAY_IMPORT:
        reached, todo = set(), list(MAY_IMPORT[room])
        while todo:
            other = todo.pop()
            if other not in reached:
                reached.add(other)
                todo += MAY_IMPORT[other]
        # The entry point of the viewer is a loose module beside those that its sub-rooms use.
        assert room not in reached or room.startswith("viewer"), room


def test_rooms_are_imported_by_their_faces():
    cases = defaultdict(list)
    for each, name in own_imports():
        room, other = each.by.room, room_of(name)
        if room == other or other == "_version":
            continue
        inner = name.removeprefix(other).split(".")
        # A sub-room is inside of its room, and uses the modules there.
        if any(part.startswith("_") for part in inner) and top(room) != other:
            cases[top(room)].append(str(each))
    compare(cases, NOT_YET_BY_THE_FACE)


def test_names_of_files_and_classes_are_unique():
    places = defaultdict(list)
    for module in modules().values():
        base = module.name.rpartition(".")[2]
        if not module.is_face and base != "__main__":
            places[f"{base.lstrip('_')}.py"].append(module.name)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module.name)
    twice = {name: where for name, where in places.items() if len(where) > 1}
    assert twice.keys() <= NOT_YET_UNIQUE, twice
    assert twice.keys() >= NOT_YET_UNIQUE, "take off: " + str(NOT_YET_UNIQUE - twice.keys())


# -- internals of Dask and napari ----------------------------------------------------------------

PUBLIC_OF_DASK = {
    "distributed.Client",
    "distributed.LocalCluster",
    "distributed.Scheduler",
    "distributed.SchedulerPlugin",
    "distributed.Worker",
    "distributed.WorkerPlugin",
    "distributed.as_completed",
    # A type for annotations.
    "distributed.worker_state_machine.TaskState",
}

DASK_ATTRIBUTES = {
    "annotations",
    "run_spec",
    "startstops",
    "memory_manager",
    "monitor",
    "_execute_subgraph",
    "_preload_modules",
    "fast",
    "slow",
    "stream_comms",
    "scheduler_comm",
    "security_kwargs",
}
"""Attributes of Dask's that it does not document for plugins."""

INSIDE_OF_DASK = {"sink.dask_internals", "sink.scheduler_internals"}
"""Modules that know Dask's internals: those of workers and clients, and those of the scheduler."""

NOT_YET_INTERNAL_TO_DASK: dict[str, int] = {}
NOT_YET_INTERNAL_TO_NAPARI: dict[str, int] = {}


def is_state(node: ast.Attribute) -> bool:
    """Return whether an attribute is one of a state machine: ``worker.state.tasks``."""
    return isinstance(node.value, ast.Attribute) and node.value.attr == "state"


def own_private_names() -> set[str]:
    """Private names that this package defines itself."""
    found = set()
    for module in modules().values():
        for node in ast.walk(module.tree):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found.add(name)
                case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                    found.add(name)
                case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                    found.add(name)
                case ast.Constant(value=str() as name):  # __slots__
                    found.add(name)
                case _:
                    pass
    return found


def test_only_two_modules_know_the_insides_of_dask():
    cases = defaultdict(list)
    for each in imports():
        if each.by.name in INSIDE_OF_DASK or each.name in PUBLIC_OF_DASK:
            continue
        if each.name.startswith(("distributed.", "dask._")):
            cases[top(each.by.room)].append(str(each))
    for module in modules().values():
        if module.room != "sink" or module.name in INSIDE_OF_DASK:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and (node.attr in DASK_ATTRIBUTES or is_state(node)):
                cases["sink"].append(f"{module.name}:{node.lineno} uses .{node.attr}")
    compare(cases, NOT_YET_INTERNAL_TO_DASK)


NAPARI_MODULES = "viewer.napari_internals", "viewer.napari_shortcuts"


def test_only_one_module_knows_the_insides_of_napari():
    cases = defaultdict(list)
    for each in imports():
        if each.by.name not in NAPARI_MODULES and re.match(r"napari\b.*\._", each.name):
            cases[top(each.by.room)].append(str(each))
    own = own_private_names()
    for module in modules().values():
        if top(module.room) != "viewer" or module.name in NAPARI_MODULES:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr):
                if node.attr not in own:
                    cases["viewer"].append(f"{module.name}:{node.lineno} uses .{node.attr}")
            elif isinstance(node, ast.Attribute) and node.attr in ("qt_viewer", "_qt_viewer"):
                cases["viewer"].append(f"{module.name}:{node.lineno} uses .{node.attr}")
    compare(cases, NOT_YET_INTERNAL_TO_NAPARI)


# -- English ---------------------------------------------------------------------------------------

RIDDLES = re.compile(
    r"^(The same|What |Whatever|Everything|It |They |As |Of |Where |That |Whether )"
    r"|\bis no [a-z]+|\bis none of\b|\bof which\b|\bin hands\b"
)

NOT_YET_PLAIN: dict[str, int] = {}
"""First lines of docstrings that begin with a pronoun, or say what something is not."""


def definitions() -> Iterator[tuple[Module, str, ast.AST]]:
    for module in modules().values():
        yield module, module.name or "dask_napari", module.tree
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, f"{module.name}:{node.lineno} {node.name}", node


def test_first_lines_are_plain():
    cases = defaultdict(list)
    for module, name, node in definitions():
        first = (ast.get_docstring(node) or "").partition("\n")[0]  # type: ignore[arg-type]
        if RIDDLES.search(first):
            cases[top(module.room)].append(f"{name}: {first}")
    compare(cases, NOT_YET_PLAIN)


# -- what a debugger shows -------------------------------------------------------------------------

STATEFUL_ROOMS = {"stream", "sink", "live", "viewer", "canvas", "record", "fiji"}

NOT_YET_SHOWN: dict[str, int] = {}
"""Classes with state whose instances a debugger shows by their addresses."""


def sets_private_attributes(node: ast.ClassDef) -> bool:
    """Return whether the ``__init__`` of a class sets private attributes."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            return any(
                isinstance(each, ast.Attribute)
                and isinstance(each.ctx, ast.Store)
                and isinstance(each.value, ast.Name)
                and each.value.id == "self"
                and each.attr.startswith("_")
                for each in ast.walk(method)
            )
    return False


def has_repr(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    """Return whether a class, or one of ours that it extends, defines ``__repr__``."""
    if any(isinstance(each, ast.FunctionDef) and each.name == "__repr__" for each in node.body):
        return True
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return any(has_repr(classes[base], classes) for base in bases if base in classes)


def test_classes_with_state_have_a_repr():
    found = [
        (module, node)
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    ]
    classes = {node.name: node for _, node in found}
    cases = defaultdict(list)
    for module, node in found:
        room = top(module.room)
        if room not in STATEFUL_ROOMS or not sets_private_attributes(node):
            continue
        # Classes in lower case are used like functions; nobody keeps an instance.
        if not has_repr(node, classes) and not node.name.islower():
            cases[room].append(f"{module.name}:{node.lineno} {node.name}")
    compare(cases, NOT_YET_SHOWN)


# -- types -----------------------------------------------------------------------------------------


def names_of_faces() -> set[str]:
    """Names that the faces of rooms give to others."""
    found = set()
    for module in modules().values():
        for node in module.tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=names)):
                    found |= {name.value for name in names if isinstance(name, ast.Constant)}
                case _:
                    pass
    return found


def untyped_attributes(node: ast.ClassDef) -> Iterator[str]:
    """Public attributes that an ``__init__`` sets, of types that checkers have to guess."""
    declared = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}
    for method in node.body:
        if not isinstance(method, ast.FunctionDef) or method.name != "__init__":
            continue
        parameters = {each.arg for each in (*method.args.args, *method.args.kwonlyargs)}
        for each in ast.walk(method):
            if not isinstance(each, ast.Assign):
                continue
            if isinstance(each.value, ast.Name) and each.value.id in parameters:
                continue
            for target in each.targets:
                match target:
                    case ast.Attribute(value=ast.Name(id="self"), attr=name):
                        if not name.startswith("_") and name not in declared:
                            yield name
                    case _:
                        pass


def test_attributes_of_the_faces_classes_have_types():
    """As ``pyright --verifytypes dask_napari`` asks, which would need a node of its own."""
    exported = names_of_faces()
    assert "Receiver" in exported
    found = [
        f"{module.name}:{node.lineno} {node.name}.{name}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and node.name in exported
        for name in untyped_attributes(node)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_the_map_is_of_rooms_that_are_there(room):
    planned = {"catalog", "relay"}
    assert room in planned or any(module.room == room for module in modules().values())
