"""Many inputs for one reader, each made from its own seed, so that any of them can be made again."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import final
from unittest.mock import patch

from rnnx.core.unrolling import making
from tests.fuzz.mutations import Files
from tests.fuzz.readers import READERS
from tests.fuzz.watch import Hang, Touched, outcome

MEMORY = Path("/dev/shm")  # where files cost no disk


@final
@dataclass
class Campaign:
    """What became of the inputs of a reader.

    Attributes:
        outcomes: How many of them ended how.
        bugs: Those that ended otherwise: their numbers, and how.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    bugs: dict[int, BaseException] = field(default_factory=dict)


def made(name: str, number: int) -> Files:
    """An input; number 0 is the valid one."""
    reader = READERS[name]
    files = dict(reader.files())
    return files if number == 0 else reader.change(files, Random(f"{name} {number}"))


def campaign(name: str, numbers: Iterable[int], most_bugs: int = 20) -> Campaign:
    """Gives a reader some of its inputs.

    Args:
        name: One of the readers.
        numbers: Of its inputs.
        most_bugs: It ends after so many.
    """
    reader, found = READERS[name], Campaign()
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place,
        patch.dict(making.KERNELS, clear=True),  # a compiler of the engine's own text is a process too
    ):
        folder = Path(place).resolve() / "input"
        (folder.parent / "canary").write_text("alive")
        for number in numbers:
            write(made(name, number), folder)
            try:
                if number == 0:
                    reader.act(folder)  # no error is an outcome here, and what it imports is not watched
                found.outcomes[outcome(reader.act, folder, reader.anywhere)] += 1
            except (Exception, Hang, Touched) as error:
                found.bugs[number] = error
                if len(found.bugs) == most_bugs:
                    break
            shutil.rmtree(folder)
    return found


def write(files: Files, folder: Path) -> None:
    """Makes a folder of files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
