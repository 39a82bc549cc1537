"""Videos on disk as MS-TCN (Farha & Gall 2019) has them: labels, classes, and the videos of each split."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

import difflib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from numpy.typing import NDArray

from rnnx.core.bounds import Positive
from rnnx.core.data import Split
from rnnx.core.errors import InputError, UsageError
from rnnx.core.paths import typed
from rnnx.tasks.data.video.example import Video
from rnnx.tasks.data.video.videos import Videos
from rnnx.tasks.parts.files.contained_path import inside
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.text import read_lines, whole_number

ENDING: Final = ".txt"  # of a file of labels, and of a name in a bundle
NAMES_SHOWN: Final = 3


@final
class Entry(NamedTuple):
    """A line of a bundle.

    Attributes:
        name: The name of a video.
        bundle: The file.
        line: Its line, counted from 1.
    """

    name: str
    bundle: Path
    line: int

    def file(self, folder: Path, ending: str = "") -> Path:
        """The video's file in a folder.

        Raises:
            InputError: the name leads out of it.
        """
        return inside(folder, f"{self.name}{ending}", self.bundle, self.line)


@dataclass(kw_only=True, eq=False)
class Layout(Videos, ABC):
    """A folder with the labels of videos; a source says where in it the frames are.

    ``mapping.txt`` has the number and the name of a class on each line, such as ``3 pour``;
    ``groundTruth/VIDEO.txt`` the name of a class for each frame; ``splits/train.split1.bundle`` and
    ``splits/test.split1.bundle`` the videos to train and to test on, ``VIDEO.txt`` on each line.

    Args:
        path: The folder.
        split: The number of the split.
        valid: Names of training videos, or what they begin with, such as [S2_] for all of one person: those
            videos are for validation, and not trained on.
        skip: Whether a video that cannot be used is left out and counted; otherwise it ends the run.
    """

    path: str
    split: Positive = 1
    valid: tuple[str, ...]
    skip: bool = False

    @abstractmethod
    def place(self, entry: Entry) -> Path:
        """Where the frames of a video are.

        Raises:
            InputError: its name leads out of the folder.
        """

    @abstractmethod
    def read(self, place: Path) -> NDArray[Any]:
        """Reads the frames of a video, ``(T, ...)``.

        Raises:
            InputError: they cannot be used.
        """

    @property
    @final
    def root(self) -> Path:
        """The folder.

        Raises:
            UsageError: there is none.
        """
        root = typed(self.path)
        if not root.is_dir():
            raise UsageError(f"data.path: there is no folder '{self.path}'; check the path")
        return root

    @property
    @final
    def classes(self) -> list[str]:
        """Those of ``mapping.txt``.

        Raises:
            UsageError: there is no such file.
            InputError: its numbers are not 0, 1, 2 and so on, or its names are not all different.
        """
        return self._classes

    @final
    def videos(self) -> dict[Split, list[Video]]:
        """Reads the videos of each split.

        Raises:
            UsageError: a file or a split does not exist, or what is held out is none of the videos, or all.
            InputError: a file is wrong.
        """
        first: Video | None = None
        found: dict[Split, list[Video]] = {}
        for split, entries in self._entries().items():
            faults, found[split] = Faults(entries[0].bundle, self.skip), []
            for entry in entries:
                with faults:
                    video = self._video(entry)
                    first = first or video
                    _require_alike(video, first)
                    found[split].append(video)
            faults.report(len(entries), f"{split} videos")
        return found

    @cached_property
    def _classes(self) -> list[str]:
        path = self.root / "mapping.txt"
        names: dict[int, str] = {}
        for line, text in _lines(path):
            first, _, name = text.partition(" ")
            number = whole_number(first)
            if number is None or len(name.split()) != 1:
                raise InputError(path, f"expected a number and a name, such as '3 pour', got {text!r}", line)
            if number in names or name in names.values():
                raise InputError(
                    path, f"the number or the name of {text!r} stands in a line above; give it another", line
                )
            names[number] = name
        if sorted(names) != list(range(len(names))):
            numbers = ", ".join(map(str, sorted(names)))
            raise InputError(path, f"expected the numbers 0 to {len(names) - 1}, got {numbers}")
        return [names[number] for number in range(len(names))]

    def _entries(self) -> dict[Split, list[Entry]]:
        """What the bundles say, some of it held out for validation."""
        train, test = (_bundle(self.root / "splits", name, self.split) for name in ("train", "test"))
        seen: set[str] = set()
        for entry in (*train, *test):
            if entry.name in seen:
                raise InputError(
                    entry.bundle, f"'{entry.name}' is in the split a second time; leave one out", entry.line
                )
            seen.add(entry.name)
        beginnings = tuple(name.removesuffix(ENDING) for name in self.valid)
        names = ", ".join(entry.name for entry in train[:NAMES_SHOWN])
        problems = [
            f"data.valid: '{beginning}' begins no name in '{train[0].bundle}', which has {names}, ..."
            for beginning in beginnings
            if not any(entry.name.startswith(beginning) for entry in train)
        ]
        if problems:
            raise UsageError(*problems)
        valid = [entry for entry in train if entry.name.startswith(beginnings)]
        if len(valid) in (0, len(train)):
            raise UsageError(
                f"data.valid: {list(self.valid)} holds out {len(valid)} of {len(train)} training videos, "
                "expected some of them but not all"
            )
        return {"train": [entry for entry in train if entry not in valid], "valid": valid, "test": test}

    def _video(self, entry: Entry) -> Video:
        labels_file = entry.file(self.root / "groundTruth", ENDING)
        if not labels_file.is_file():
            raise InputError(entry.bundle, f"there is no '{labels_file}' for '{entry.name}'", entry.line)
        labels = self._labels(labels_file)
        place = self.place(entry)
        inputs = self.read(place)
        if len(inputs) != len(labels):
            raise InputError(
                labels_file,
                f"{len(labels)} labels, but '{place}' has {len(inputs)} frames; expected a label for each",
            )
        return Video(inputs, labels, str(place))

    def _labels(self, path: Path) -> list[int]:
        numbers = {name: number for number, name in enumerate(self.classes)}
        labels = []
        for line, name in _lines(path):
            if name not in numbers:
                alike = difflib.get_close_matches(name, numbers, 1)
                hint = f"did you mean '{alike[0]}'?" if alike else f"the classes are {', '.join(numbers)}"
                raise InputError(path, f"'{name}' is no class of '{self.root / 'mapping.txt'}'; {hint}", line)
            labels.append(numbers[name])
        return labels


def _bundle(folder: Path, part: str, split: int) -> list[Entry]:
    """The lines of a bundle that name a video."""
    path = folder / f"{part}.split{split}.bundle"
    if not path.is_file():
        there = sorted(file.name for file in folder.glob("*.bundle"))
        has = f"the folder has {', '.join(there)}" if there else "the folder has no bundle"
        raise UsageError(f"data.split: there is no '{path}'; {has}")
    return [Entry(name.removesuffix(ENDING), path, line) for line, name in _lines(path)]


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a file, numbered, without blanks around them; empty ones at its end do not count."""
    if not path.is_file():
        raise UsageError(f"data.path: expected a file '{path}', and there is none")
    lines = [line.strip() for line in "\n".join(read_lines(path)).rstrip().split("\n")]
    return list(enumerate(lines, 1))


def _require_alike(video: Video, first: Video) -> None:
    expected, got = (" x ".join(map(str, one.inputs.shape[1:])) for one in (first, video))
    if expected != got:
        raise InputError(
            video.place, f"expected frames of {expected} numbers, as those of '{first.place}', got {got}"
        )
