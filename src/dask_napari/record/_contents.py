"""The images of a record, and the items that lie there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from dask_napari.model import PIXEL_KINDS, Item
from dask_napari.record._files import (
    ELEMENTS,
    PART,
    check_entries,
    check_inside,
    new_name,
    read_attributes,
    remove,
)
from dask_napari.record._image import Image
from dask_napari.record._journal import JournalLine, JournalReader, RunPlace
from dask_napari.record._ome_zarr import KEY, family_of

# Nobody opens more images one by one, and each takes memory. More items lie among the elements.
IMAGES_LIMIT: Final = 4096


class RecordedItem(NamedTuple):
    """Number of an item's line, and its files; there may be a million."""

    id: int
    files: tuple[str, ...]


class Contents:
    """Images and items of a record that is written.

    Files that a killed recorder left, and no line of the journal names, are removed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images: dict[str, Image] = {}
        self.items: dict[RunPlace, RecordedItem] = {}
        self._families: dict[bytes, list[Image]] = {}
        self._orders: dict[tuple[str, str, frozenset[str]], tuple[str, ...]] = {}
        check_entries(root)
        lines = JournalReader(root)
        self.last: int = lines.last
        for line in lines:
            self.items[line.place] = RecordedItem(line.id, tuple(self._files(line)))
        for path in list(self._strays()):
            remove(path)

    def __repr__(self) -> str:
        return f"<Contents {self.root}: {len(self.items)} items, {len(self.images)} images>"

    def _files(self, line: JournalLine) -> Iterator[str]:
        """Yield the files of an item from a journal, whose image is opened."""
        if line.file:
            yield line.file
        if line.image:
            check_inside(self.root, line.image)
            name = line.image.partition("/")[0]
            image = self.images.get(name) or self._admit(name, Image.open(self.root, line.image))
            image.learn(line)
            for file, _ in image.chunks(line.start, line.shape):
                yield f"{image.path}/{file}"

    def _strays(self) -> Iterator[Path]:
        """Yield files and folders that a killed recorder left, and images without items."""
        files = {self.root / file for item in self.items.values() for file in item.files}
        for folder in filter(Path.is_dir, self.root.iterdir()):
            image = self.images.get(folder.name)
            if image is None and "image" in read_attributes(folder).get(KEY, ()):
                yield folder
            elif image or folder.name == ELEMENTS:
                for path in (*folder.iterdir(), *(image.folder.iterdir() if image else ())):
                    if path.name.startswith("c.") or path.suffix == ".npz":
                        if path not in files:
                            yield path
                    elif image and path.is_dir() and path != image.folder:
                        yield path
        yield from self.root.rglob(f".*{PART}")

    def _admit(self, name: str, image: Image) -> Image:
        self.images[name] = image
        family = image.info.family
        self._families.setdefault(msgspec.json.encode(family), []).append(image)
        order = (*(name for axis in family.axes for name in axis.names), *family.meta.position)
        self._orders.setdefault((family.meta.layer, family.meta.part, frozenset(order)), order)
        return image

    def image(self, item: Item, fill: float = 0.0, *, create: bool = True) -> Image | None:
        """Return an image that has room for an item, a new one if need be. Raises OSError.

        Axes of positions are in the order in which the first item of their layer named them.
        """
        if item.kind not in PIXEL_KINDS:
            return None
        key = item.layer, item.part, frozenset(item.at)
        family = family_of(item, self._orders.setdefault(key, tuple(item.at)))
        if family is None:
            return None
        images = self._families.get(msgspec.json.encode(family), ())
        image = next((image for image in images if image.fits(item)), None)
        create = create and len(self.images) < IMAGES_LIMIT and Image.can_begin_with(item)
        if image is None and create:
            values = map(str, family.meta.position.values())
            taken = {"OME", ELEMENTS, "zarr", *(path.name for path in self.root.iterdir())}
            run = [] if item.run == 1 else [f"run {item.run}"]
            name = new_name(" ".join([item.name, *values, *run]), taken)
            image = self._admit(name, Image.create(self.root, name, item, family, fill))
        return image
