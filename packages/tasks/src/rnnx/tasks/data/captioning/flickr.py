"""Captions as Flickr8k has them (Hodosh et al. 2013), and the images of each split."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.core.paths import typed
from rnnx.tasks.data.captioning.listing import Listed, Listing, checked
from rnnx.tasks.data.captioning.stored import Stored
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.given import refuse_unreadable
from rnnx.tasks.parts.files.text import read_lines, whole_number


@dataclass(kw_only=True, eq=False)
class Flickr(Stored, ABC):
    """A file of captions, and a list of images for each split; a source says where the images are.

    A line of the captions is ``NAME.jpg#0``, a tab and a caption, with another number for each caption of an
    image; a line of a list is ``NAME.jpg``. Captions of images that no list names are not used, and empty
    lines do not count.

    Args:
        captions: The file of captions, ``Flickr8k.token.txt``.
        train: The list of the training images, ``Flickr_8k.trainImages.txt``.
        valid: The list of the validation images, ``Flickr_8k.devImages.txt``.
        test: The list of the test images, ``Flickr_8k.testImages.txt``.
    """

    captions: str
    train: str
    valid: str
    test: str

    @abstractmethod
    def place(self, name: str, path: Path, line: int) -> Path:
        """Where the image is.

        Args:
            name: Its name.
            path: The file that names it.
            line: Its line there.

        Raises:
            UsageError: there is no folder of images.
            InputError: the name leads out of it.
        """

    @final
    def listing(self, split: Split) -> Listing:
        lists: dict[Split, str] = {"train": self.train, "valid": self.valid, "test": self.test}
        refuse_unreadable([*lists.items(), ("captions", self.captions)])
        path = typed(lists[split])
        faults, names, images = Faults(path, self.skip), _lines(path), list[Listed]()
        for line, text in names:
            with faults:
                name = text.strip()
                place = self.place(name, path, line)
                captions = self._captions.get(name, [])
                images.append(Listed(self.reader(place), captions, path, line, str(place)))
        return Listing(faults, len(names), images)

    @cached_property
    def _captions(self) -> dict[str, list[str]]:
        """The captions of each image, in the order of their numbers."""
        path = typed(self.captions)
        faults, lines = Faults(path, self.skip), _lines(path)
        found: dict[str, dict[int, str]] = {}
        for line, text in lines:
            with faults:
                name, number, caption = _parsed(path, line, text)
                if number in found.get(name, {}):
                    raise InputError(
                        path, f"'{name}#{number}' stands in a line above; give it another number", line
                    )
                found.setdefault(name, {})[number] = caption
        faults.report(len(lines), "captions")
        return {name: [caption for _, caption in sorted(some.items())] for name, some in found.items()}


def _lines(path: Path) -> list[tuple[int, str]]:
    return [(line, text) for line, text in enumerate(read_lines(path), 1) if text.strip()]


def _parsed(path: Path, line: int, text: str) -> tuple[str, int, str]:
    head, tab, caption = text.partition("\t")
    name, _, last = head.rpartition("#")
    number = whole_number(last)
    if not tab or not name or number is None:
        raise InputError(path, f"expected NAME.jpg#0, a tab and a caption, got {text!r}", line)
    return name, number, checked(caption, path, line)
