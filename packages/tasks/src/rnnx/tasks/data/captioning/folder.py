"""Photographs in folders with metadata, as the ``datasets`` library's ``imagefolder`` has them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, final

from rnnx.core.data import Split
from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.captioning.listing import Listed, Listing, checked
from rnnx.tasks.data.captioning.photographs import Photographs
from rnnx.tasks.data.captioning.stored import folder
from rnnx.tasks.parts.files.comma_separated import read_rows
from rnnx.tasks.parts.files.contained_path import inside
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.image_file import is_image
from rnnx.tasks.parts.files.json_text import parsed
from rnnx.tasks.parts.files.text import read_lines

FOLDERS: Final[dict[Split, tuple[str, ...]]] = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
METADATA: Final = ("metadata.csv", "metadata.jsonl")


@final
@dataclass(kw_only=True, eq=False)
class Folder(Photographs):
    """A folder with a folder for each split: photographs, and a row of metadata for each caption.

    The folders are ``train``, ``valid`` (or ``validation``, ``val``, ``dev``) and ``test``. In each is
    ``metadata.csv``, with the names of the columns in its first line, or ``metadata.jsonl``, with an object
    on each line. The column ``file_name`` leads from there to the photograph. An image with several captions
    has several rows, or a list of captions in JSON lines.

    Args:
        path: The folder.
        caption: The column of the caption.
    """

    path: str
    caption: str = "text"

    def listing(self, split: Split) -> Listing:
        """The images of a split, in the order of their first rows.

        Raises:
            UsageError: a folder or a file does not exist.
            InputError: a row is wrong, or an image has none.
        """
        root = self._folder(split)
        path = _metadata(root)
        rows = _table(path) if path.suffix == ".csv" else _lines(path)
        faults, listed = Faults(path, self.skip), dict[Path, Listed]()
        for line, row in rows:
            with faults:
                place, captions = self._parsed(root, path, line, row)
                listed.setdefault(place, Listed(self.reader(place), [], path, line, str(place)))
                listed[place].captions.extend(captions)
        faults.report(len(rows), "rows")
        faults = Faults(path, self.skip)
        bare = [file for file in sorted(root.rglob("*")) if is_image(file) and file not in listed]
        for file in bare:
            with faults:
                raise InputError(path, f"expected a row for '{file}', and there is none")
        return Listing(faults, len(bare) + len(listed), list(listed.values()))

    def _folder(self, split: Split) -> Path:
        root = folder("path", self.path)
        there = [root / name for name in FOLDERS[split] if (root / name).is_dir()]
        if len(there) != 1:
            found = " and ".join(f"'{one.name}'" for one in there) or "none of them"
            raise UsageError(
                f"data.path: expected one folder {' or '.join(FOLDERS[split])} in '{self.path}', got {found}"
            )
        return there[0]

    def _parsed(self, root: Path, path: Path, line: int, row: Any) -> tuple[Path, list[str]]:
        """Where the image of a row is, and its captions."""
        if isinstance(row, str):
            row = parsed(row, path, line)
        columns = row if isinstance(row, dict) else {}
        name, found = columns.get("file_name"), columns.get(self.caption)
        captions: Any = [found] if isinstance(found, str) else found
        if not isinstance(name, str) or not _are_texts(captions) or None in columns:
            raise InputError(
                path, f"expected a text under 'file_name' and under '{self.caption}', got {row}", line
            )
        return inside(root, name, path, line), [checked(caption, path, line) for caption in captions]


def _metadata(root: Path) -> Path:
    there = [root / name for name in METADATA if (root / name).is_file()]
    if len(there) != 1:
        raise UsageError(
            f"data.path: expected one of {' and '.join(METADATA)} in '{root}', got {len(there)} of them"
        )
    return there[0]


def _table(path: Path) -> list[tuple[int, Any]]:
    """The rows of a comma-separated file, by the names in its first line, and the line each begins in."""
    (_, names), *rows = read_rows(path)
    return [(line, dict(zip_longest(names, fields))) for line, fields in rows if fields]


def _lines(path: Path) -> list[tuple[int, Any]]:
    return list(enumerate(read_lines(path), 1))


def _are_texts(captions: Any) -> bool:
    return isinstance(captions, list) and all(isinstance(caption, str) for caption in captions)
