"""The end of a record: chunks in their images, and images in the order of their coordinates.

While a record grows, nothing is moved: each item gets the next index. At the end, the chunks of an
image whose coordinates are not in order get names in a second array, by hard links, which copy
nothing. The journal that names the new arrays then replaces the old one in one step, and only after
that are the old arrays removed. So whatever ends the process, all items are there, sorted or not;
closing the record again does what is left to do.
"""

from __future__ import annotations

import logging
import os

from msgspec.structs import replace

from dask_napari.record._files import remove
from dask_napari.record._image import Image
from dask_napari.record._journal import ImageRegion, JournalLine, JournalReader
from dask_napari.record._reader import read_item
from dask_napari.record._record_group import check_record, write_attributes
from dask_napari.record._store import Store

logger = logging.getLogger(__name__)


def finish(store: Store) -> None:
    """Sort the images of a record and bring their metadata up to date.

    Raises
    ------
    OSError
        If the disk does not take it; all items are there as before.
    """
    # Chunks that came before the one that told the size of all others.
    for line in [line for line in JournalReader(store.path) if store.contents.has_image_for(line)]:
        store.put([read_item(store.path, line)])
    store.reload()  # without coordinates whose items were replaced
    if unsorted := [image for image in store.contents.images.values() if image.order()]:
        try:
            _sort(store, unsorted)
        except OSError as error:
            logger.warning("%s: images are left unsorted: %s", store.path, error)
        store.reload()  # which removes the arrays that are in no line
    for image in store.contents.images.values():
        image.describe()
    write_attributes(store.path, check_record(store.path), store.contents.images)


def _sort(store: Store, images: list[Image]) -> None:
    """Link the chunks of images into sorted arrays, and replace the journal. Raises OSError."""
    paths: dict[str, str] = {}
    indices: dict[str, dict[int, dict[int, int]]] = {}
    for image in images:
        folder = image.array.folder.with_name(str(int(image.array.folder.name) + 1))
        remove(folder)  # of a recorder that was killed here
        folder.mkdir()
        orders = image.order()
        shape = [len(orders.get(dim, range(n))) for dim, n in enumerate(image.array.shape)]
        image.array.copy_metadata(folder, shape)
        paths[image.path] = f"{folder.parent.name}/{folder.name}"
        indices[image.path] = {
            dim: {old: new for new, old in enumerate(order)} for dim, order in orders.items()
        }

    def moved(line: JournalLine) -> JournalLine:
        if line.image is None or line.image.path not in paths:
            return line
        start = list(line.image.start)
        for dim, new in indices[line.image.path].items():
            start[dim] = new[start[dim]]
        region = ImageRegion(paths[line.image.path], tuple(start), line.image.order)
        return replace(line, image=region)

    lines, by_path = JournalReader(store.path), {image.path: image for image in images}
    for line in lines:
        if line.image and (region := moved(line).image) and region != line.image:
            image = by_path[line.image.path]
            old, new = (image.chunks(each.start, line.shape) for each in (line.image, region))
            for (old_name, _), (new_name, _) in zip(old, new, strict=True):
                os.link(image.array.folder / old_name, store.path / region.path / new_name)
    store.journal.replace(map(moved, lines))
