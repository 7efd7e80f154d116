"""The images of a record, and the items that lie there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from dask_napari.model import PIXEL_KINDS, Item, PlaceKey
from dask_napari.record._disk import PART, remove
from dask_napari.record._element_files import FOLDER
from dask_napari.record._file_names import FileNames
from dask_napari.record._image import Image
from dask_napari.record._image_family import ImageFamily, family_of
from dask_napari.record._journal import JournalReader
from dask_napari.record._journal_lines import JournalLine

IMAGES_LIMIT: Final = 4096
"""Images of a record; nobody opens more of them one by one, and each takes memory. What would need
another one lies among the elements."""


class RecordedItem(NamedTuple):
    """Number of an item's line, and its files; there may be a million."""

    id: int
    files: tuple[str, ...]


class Contents:
    """Images and items of a record that is written.

    Parameters
    ----------
    root : Path
        The record. Files that a recorder which was killed left, and no line names, are removed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images: dict[str, Image] = {}
        self.items: dict[PlaceKey, RecordedItem] = {}
        self._families: dict[ImageFamily, list[Image]] = {}
        self._orders: dict[tuple[str, str, frozenset[str]], tuple[str, ...]] = {}
        self._names = FileNames()
        for name in ("OME", FOLDER, "zarr", *(path.name for path in root.iterdir())):
            self._names.reserve(name)
        lines = JournalReader(root)
        self.last = lines.last
        for line in lines:
            self.items[line.slot] = RecordedItem(line.id, tuple(self._files(line)))
        for path in list(self._strays()):
            remove(path)

    def __repr__(self) -> str:
        return f"<Contents {self.root}: {len(self.items)} items, {len(self.images)} images>"

    def _files(self, line: JournalLine) -> Iterator[str]:
        """Yield the files of an item from a journal, whose image is opened."""
        if line.file:
            yield line.file
        if line.image is None:
            return
        name = Path(line.image.path).parent.name
        if name not in self.images:
            self._admit(name, Image.open(self.root, line.image.path))
        image = self.images[name]
        image.learn(line, line.image)
        for file, _ in image.chunks(line.image.start, line.shape):
            yield f"{image.path}/{file}"

    def _strays(self) -> Iterator[Path]:
        """Yield files and folders that a killed recorder left, and images without items."""
        files = {self.root / file for item in self.items.values() for file in item.files}
        for folder in self.root.iterdir():
            image = self.images.get(folder.name)
            if folder.name.endswith(PART) or (image is None and Image.is_in(folder)):
                yield folder
            elif image or folder.name == FOLDER:
                for path in (*folder.iterdir(), *(image.array.folder.iterdir() if image else ())):
                    data = path.name.startswith("c.") or path.suffix == ".npz"
                    other = image and path.parent == folder and path != image.array.folder
                    if (
                        path.name.endswith(PART)
                        or (data and path not in files)
                        or (other and path.is_dir())
                    ):
                        yield path

    def _admit(self, name: str, image: Image) -> None:
        self.images[name] = image
        family = image.info.family
        self._families.setdefault(family, []).append(image)
        order = [name for axis in family.axes for name in axis.names]
        order += [name for name, _ in family.split]
        self._orders.setdefault((family.layer, family.part, frozenset(order)), tuple(order))

    # -- places ------------------------------------------------------------------------------

    def family(self, item: Item) -> ImageFamily | None:
        """Return the family of an item's image, None if OME-Zarr cannot hold it.

        Axes are in the order in which the first item of their layer named them.
        """
        if item.kind not in PIXEL_KINDS:
            return None
        key = item.layer, item.part, frozenset(item.at)
        return family_of(item, self._orders.setdefault(key, tuple(item.at)))

    def image_for(self, item: Item, family: ImageFamily) -> Image | None:
        """Return an image that has room for an item, None if none has."""
        return next((each for each in self._families.get(family, ()) if each.fits(item)), None)

    def new_image(self, item: Item, family: ImageFamily, fill: float) -> Image | None:
        """Create an image that begins with an item; None if none can. Raises OSError."""
        if len(self.images) >= IMAGES_LIMIT or not Image.can_begin_with(item):
            return None
        name = self._names.new(family.name)
        image = Image.create(self.root, name, item, family, fill)
        self._admit(name, image)
        return image

    def has_image_for(self, line: JournalLine) -> bool:
        """Return whether an item beside the images has room in one of them by now."""
        if line.image is not None:
            return False
        item = line.item(np.broadcast_to(np.zeros((), line.dtype), line.shape), {})
        family = self.family(item)
        return family is not None and self.image_for(item, family) is not None

    def remove(self, item: RecordedItem, keep: Collection[str] = ()) -> None:
        """Remove the files of an item that is gone, but for those of another."""
        for file in item.files:
            if file not in keep:
                remove(self.root / file)
