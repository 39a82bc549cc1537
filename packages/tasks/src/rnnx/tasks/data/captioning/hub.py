"""Images with captions from the Hugging Face hub, or from local parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rnnx.core.data import Split
from rnnx.tasks.data.captioning.listing import Listed, Listing, checked
from rnnx.tasks.data.captioning.photographs import Photographs
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.hub import image_file, read_images
from rnnx.tasks.parts.files.on_hub import OnHub
from rnnx.tasks.parts.files.photograph import photograph


@final
@dataclass(kw_only=True, eq=False)
class Hub(OnHub, Photographs):
    """Any data set of the ``datasets`` library with images, such as ``jxie/flickr8k``.

    A caption column holds a text, or a list of texts, in each row; with several columns, the captions of all
    are the image's. Errors count rows from 1.

    Args:
        image: The column of the image.
        caption: The column of the captions, or a list of columns such as [caption_0, caption_1].
    """

    image: str = "image"
    caption: str | tuple[str, ...] = "caption"

    def listing(self, split: Split) -> Listing:
        """The rows of a split.

        Raises:
            UsageError: there is no such data set, configuration, split or column.
            InputError: a row is wrong.
            RunError: the hub cannot be reached.
        """
        columns = (self.caption,) if isinstance(self.caption, str) else self.caption
        images, texts = read_images(self.hub_split(split), ("image", self.image), ("caption", columns))
        faults, listed = Faults(str(self.hub_split(split)), self.skip), list[Listed]()
        for row, captions in enumerate(texts, 1):
            with faults:
                found = [checked(caption, faults.path, row) for caption in captions]
                read = partial(_read, images, row, self.path, str(faults.path), self.channels, self.side)
                listed.append(Listed(read, found, faults.path, row))
        return Listing(faults, len(texts), listed)


def _read(
    images: Sequence[Any], row: int, path: str, name: str, channels: int, side: int
) -> NDArray[np.uint8]:
    place = f"{name}:{row}"
    file = image_file(images[row - 1], path, place)
    return photograph(file, place, channels, (side, side))[np.newaxis]
