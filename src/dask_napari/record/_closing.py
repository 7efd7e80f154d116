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
from dask_napari.record._journal import JournalLine, JournalReader
from dask_napari.record._reader import read_item
from dask_napari.record._record_group import check_record, write_attributes
from dask_napari.record._store import Store

logger = logging.getLogger(__name__)


def finish(store: Store) -> None:
    """Sort the images of a record, and write their metadata. Raises OSError."""
    # Chunks that came before the one that told the size of all others.
    for line in [line for line in JournalReader(store.path) if store.contents.has_image_for(line)]:
        store.put([read_item(store.path, line)])
    store.reload()  # without coordinates whose items were replaced
    try:
        _sort(store)
    except OSError as error:
        logger.warning("%s: images are left unsorted: %s", store.path, error)
    store.reload()  # which removes the arrays that are in no line
    for image in store.contents.images.values():
        image.describe()
    write_attributes(store.path, check_record(store.path), store.contents.images)


def _sort(store: Store) -> None:
    """Link the chunks of images into sorted arrays, and replace the journal. Raises OSError."""
    images: dict[str, Image] = {}
    arrays: dict[str, tuple[str, list[dict[int, int]]]] = {}
    for image in store.contents.images.values():
        orders = image.orders()
        if orders == [[*range(length)] for length in image.array.shape]:
            continue
        folder = image.array.folder.with_name(str(int(image.array.folder.name) + 1))
        remove(folder)  # of a recorder that was killed here
        folder.mkdir()
        image.array.copy_metadata(folder, [len(order) for order in orders])
        images[image.path] = image
        indices = [{old: new for new, old in enumerate(order)} for order in orders]
        arrays[image.path] = f"{folder.parent.name}/{folder.name}", indices

    def moved(line: JournalLine) -> JournalLine:
        if line.image not in arrays:
            return line
        path, indices = arrays[line.image]
        start = tuple(new[at] for new, at in zip(indices, line.start, strict=True))
        return replace(line, image=path, start=start)

    lines = JournalReader(store.path)
    for line in lines:
        if line.image in images:
            new, chunks = moved(line), images[line.image].chunks
            both = chunks(line.start, line.shape), chunks(new.start, line.shape)
            for (old_name, _), (new_name, _) in zip(*both, strict=True):
                os.link(store.path / line.image / old_name, store.path / new.image / new_name)
    if images:
        store.journal.replace(map(moved, lines))
