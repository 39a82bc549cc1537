"""Photographs with captions in COCO's JSON (Chen et al. 2015)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, Final, final

from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.core.paths import typed
from rnnx.tasks.data.captioning.listing import Listed, Listing, checked
from rnnx.tasks.data.captioning.photographs import Photographs
from rnnx.tasks.data.captioning.stored import folder
from rnnx.tasks.parts.files.contained_path import inside
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.given import refuse_unreadable
from rnnx.tasks.parts.files.json_text import parsed
from rnnx.tasks.parts.files.text import read_text

SHOWN: Final = 60  # characters of an entry that is refused
NAMES: Final = {int: "an integer", str: "a text"}


@final
@dataclass(kw_only=True, eq=False)
class Coco(Photographs):
    """A JSON file of captions and a folder of photographs for each split.

    The file is an object with ``images``, each with ``id`` and ``file_name``, and ``annotations``, each with
    ``image_id`` and ``caption``. The folder may be the same for several splits.

    Args:
        train: The captions of the training images, ``captions_train2014.json``.
        train_images: The folder of the training images, ``train2014``.
        valid: The captions of the validation images.
        valid_images: The folder of the validation images.
        test: The captions of the test images.
        test_images: The folder of the test images.
    """

    train: str
    train_images: str
    valid: str
    valid_images: str
    test: str
    test_images: str

    def listing(self, split: Split) -> Listing:
        """The images of a file, in its order.

        Raises:
            UsageError: nothing can be read from a file, or the folder does not exist.
            InputError: the file is no such JSON, or an entry is wrong.
        """
        refuse_unreadable([("train", self.train), ("valid", self.valid), ("test", self.test)])
        path, root = {
            "train": (self.train, self.train_images),
            "valid": (self.valid, self.valid_images),
            "test": (self.test, self.test_images),
        }[split]
        return self._listing(typed(path), folder(f"{split}_images", root))

    def _listing(self, path: Path, root: Path) -> Listing:
        images, annotations = _content(path)
        faults, listed = Faults(path, self.skip), dict[int, Listed]()
        for number, image in enumerate(images):
            with faults:
                name = _value(path, f"images[{number}]", image, "file_name", str)
                key = _value(path, f"images[{number}]", image, "id", int)
                if key in listed:
                    raise InputError(path, f"images[{number}]: another image has the id {key}")
                place = inside(root, name, path)
                listed[key] = Listed(self.reader(place), [], path, place=str(place))
        wrong = Faults(path, self.skip)
        for number, annotation in enumerate(annotations):
            with wrong:
                key = _value(path, f"annotations[{number}]", annotation, "image_id", int)
                caption = _value(path, f"annotations[{number}]", annotation, "caption", str)
                if key not in listed:
                    raise InputError(path, f"annotations[{number}]: no image has the id {key}")
                listed[key].captions.append(checked(caption, f"{path}: annotations[{number}]"))
        wrong.report(len(annotations), "captions")
        return Listing(faults, len(images), list(listed.values()))


def _content(path: Path) -> tuple[list[Any], list[Any]]:
    """The images and the annotations of a file."""
    content: Any = parsed(read_text(path), path)
    keys = content if isinstance(content, dict) else {}
    images, annotations = keys.get("images"), keys.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise InputError(
            path, f"expected an object with the lists 'images' and 'annotations', got {_short(content)}"
        )
    return images, annotations


def _value(path: Path, place: str, entry: Any, key: str, kind: type) -> Any:
    """What an entry has under a key."""
    value = entry.get(key) if isinstance(entry, dict) else None
    if type(value) is not kind:
        raise InputError(path, f"{place}: expected {NAMES[kind]} under '{key}', got {_short(entry)}")
    return value


def _short(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), SHOWN, placeholder="...")
