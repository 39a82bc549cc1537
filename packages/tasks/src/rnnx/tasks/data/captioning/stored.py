"""Images with captions that lie somewhere: each of them is read and checked before a run starts."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from numpy.typing import NDArray

from rnnx.core.data import SPLITS, Split
from rnnx.core.errors import InputError, UsageError
from rnnx.core.paths import typed
from rnnx.tasks.data.captioning.captioned import Captioned
from rnnx.tasks.data.captioning.image import CaptionedImage
from rnnx.tasks.data.captioning.listing import Listed, Listing


@dataclass(kw_only=True, eq=False)
class Stored(Captioned, ABC):
    """Images with captions in files; a source says what its files name.

    Args:
        skip: Whether images and captions that cannot be used are left out and counted; else they stop the
            run.
    """

    skip: bool = False

    @abstractmethod
    def listing(self, split: Split) -> Listing:
        """Reads what the files of a split name, without looking at the images.

        Raises:
            UsageError: a file or a folder does not exist.
            InputError: a file is wrong.
        """

    @abstractmethod
    def reader(self, place: Path) -> Callable[[], NDArray[Any]]:
        """What reads the image at a place; see :class:`CaptionedImage`."""

    @final
    def captioned(self) -> dict[Split, list[CaptionedImage]]:
        """Reads every image once, and keeps none of them in memory.

        Raises:
            UsageError: a file or a folder does not exist.
            InputError: a file is wrong; or an image is not there, has no caption, is there twice, cannot be
                read, or is of another shape than the first.
        """
        listings = {split: self.listing(split) for split in SPLITS}
        seen: dict[Path, Listed] = {}
        found: dict[Split, list[CaptionedImage]] = {split: [] for split in SPLITS}
        shapes: dict[tuple[int, ...], Listed] = {}
        for split, (faults, total, images) in listings.items():
            if not total:
                raise InputError(faults.path, f"expected {split} images, and there is none")
            for image in images:
                with faults:
                    _require_whole(image)
                    _require_once(image, seen)
                    _require_alike(image, shapes)
                    found[split].append(CaptionedImage(image.read, image.captions, image.place))
            faults.report(total, f"{split} images")
        return found


def folder(option: str, path: str) -> Path:
    """A folder that an option names.

    Raises:
        UsageError: there is none.

    Example:
        >>> folder("images", "no/such/place")
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: data.images: there is no folder 'no/such/place'; check the path
    """
    root = typed(path)
    if not root.is_dir():
        raise UsageError(f"data.{option}: there is no folder '{path}'; check the path")
    return root


def _require_whole(image: Listed) -> None:
    if image.place and not Path(image.place).is_file():
        raise InputError(image.path, f"there is no file '{image.place}'", image.line)
    if not image.captions:
        what = f"'{image.place}'" if image.place else "the image"
        raise InputError(image.path, f"there is no caption of {what}; give one", image.line)


def _require_once(image: Listed, seen: dict[Path, Listed]) -> None:
    if not image.place:
        return
    other = seen.setdefault(Path(image.place).resolve(), image)
    if other is not image:
        where = other.path if other.line is None else f"{other.path}:{other.line}"
        raise InputError(image.path, f"'{image.place}' is in '{where}' already; leave one out", image.line)


def _require_alike(image: Listed, shapes: dict[tuple[int, ...], Listed]) -> None:
    """Reads the image; the first one's shape is that of all."""
    shape = image.read().shape[1:]
    if not shapes:
        shapes[shape] = image
    if shape not in shapes:
        ((expected, first),) = shapes.items()
        raise InputError(
            image.place, f"expected {expected[0]} features, as '{first.place}' has, got {shape[0]}"
        )
