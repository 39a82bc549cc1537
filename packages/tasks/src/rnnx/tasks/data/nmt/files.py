"""Parallel text from files: two line-aligned files a split, or one of tab-separated or JSON lines."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from rnnx.core.data import Split
from rnnx.core.errors import InputError, UsageError
from rnnx.core.paths import typed
from rnnx.tasks.data.nmt.corpus import Pairs, Parallel
from rnnx.tasks.parts.files.given import refuse_unreadable
from rnnx.tasks.parts.files.gzip_text import suffix
from rnnx.tasks.parts.files.json_text import parsed
from rnnx.tasks.parts.files.text import read_lines

log = logging.getLogger(__name__)

TABLES: Final = (".tsv", ".jsonl")
NAMES_SHOWN: Final = 8


@final
@dataclass(kw_only=True, eq=False)
class Files(Parallel):
    """Your own parallel text, UTF-8, line n of one file the translation of line n of the other.

    Each of ``train``, ``valid`` and ``test`` is a prefix: ``data/train`` with ``source=de`` reads
    ``data/train.de``, or ``data/train.de.gz`` if there is no plain file. It may also be a single file
    (``.gz`` or not): ``.tsv`` with source and target in two columns, or ``.jsonl`` with an object on each
    line, its keys named by ``source`` and ``target``.

    Args:
        train: The prefix (or file) of the training pairs.
        valid: The prefix (or file) of the validation pairs.
        test: The prefix (or file) of the test pairs.
        source: The ending (or key) of the language translated from, such as ``de``.
        target: The ending (or key) of the language translated to, such as ``en``.
    """

    train: str
    valid: str
    test: str
    source: str
    target: str

    @property
    def languages(self) -> tuple[str, str]:
        """The endings of both files."""
        return self.source, self.target

    def pairs(self) -> dict[Split, Pairs]:
        """Reads the pairs of each split.

        Raises:
            UsageError: files are missing, or nothing can be read from them; all are named at once.
            InputError: two files of a split differ in length, or a line is malformed.
        """
        given: dict[Split, str] = {"train": self.train, "valid": self.valid, "test": self.test}
        prefixes = {split: typed(prefix) for split, prefix in given.items()}
        problems = [problem for split, prefix in prefixes.items() for problem in self._missing(split, prefix)]
        if problems:
            raise UsageError(*problems)
        files = {split: self._files(prefix) for split, prefix in prefixes.items()}
        refuse_unreadable((split, file) for split, some in files.items() for file in some)
        return {split: self._read(some) for split, some in files.items()}

    def _files(self, prefix: Path) -> list[Path]:
        """What is read: a table, or a file for each language."""
        if suffix(prefix) in TABLES and prefix.is_file():
            return [prefix]
        return [_existing(_side(prefix, language)) for language in self.languages]

    def _missing(self, split: Split, prefix: Path) -> list[str]:
        if suffix(prefix) in TABLES and prefix.is_file():
            return []
        sides = [_side(prefix, language) for language in self.languages]
        missing = [side for side in sides if not side.exists() and not _packed(side).exists()]
        if missing and prefix.suffix.removeprefix(".") in self.languages and prefix.is_file():
            return [
                f"data.{split}: '{prefix}' is the text of one language; name those of both without their "
                f"endings, '{prefix.with_suffix('')}'"
            ]
        return [
            f"data.{split}: neither '{side}' nor '{side}.gz' exists; {_nearby(prefix)}" for side in missing
        ]

    def _read(self, files: list[Path]) -> Pairs:
        if len(files) > 1:
            return _aligned(*files)
        (table,) = files
        lines = enumerate(read_lines(table), 1)
        if suffix(table) == ".tsv":
            return [_columns(table, number, line) for number, line in lines]
        return [self._keys(table, number, line) for number, line in lines]

    def _keys(self, path: Path, number: int, line: str) -> tuple[str, str]:
        row = parsed(line, path, number)
        return _text(path, number, row, self.source), _text(path, number, row, self.target)


def _side(prefix: Path, language: str) -> Path:
    return typed(f"{prefix}.{language}")


def _packed(path: Path) -> Path:
    return path.with_name(f"{path.name}.gz")


def _existing(side: Path) -> Path:
    if not side.exists():
        return _packed(side)
    if _packed(side).exists():
        log.warning("both '%s' and '%s.gz' exist; reading the plain one", side, side)
    return side


def _aligned(source: Path, target: Path) -> Pairs:
    sources, targets = read_lines(source), read_lines(target)
    if len(sources) != len(targets):
        raise InputError(
            source,
            f"{len(sources)} lines, but '{target}' has {len(targets)}; "
            "line n of one must be the translation of line n of the other",
        )
    return list(zip(sources, targets, strict=True))


def _columns(path: Path, number: int, line: str) -> tuple[str, str]:
    columns = line.split("\t")
    if len(columns) != 2:
        raise InputError(path, f"expected two columns separated by a tab, got {len(columns)}", number)
    return columns[0], columns[1]


def _text(path: Path, number: int, row: Any, key: str) -> str:
    if not isinstance(row, dict) or not isinstance(row.get(key), str):
        found = f"the keys {', '.join(row)}" if isinstance(row, dict) else f"a {type(row).__name__}"
        raise InputError(path, f"expected an object with a text under '{key}', got {found}", number)
    text: str = row[key]
    return text


def _nearby(prefix: Path) -> str:
    if not prefix.parent.is_dir():
        return f"there is no folder '{prefix.parent}'"
    names = sorted(entry.name for entry in prefix.parent.iterdir() if entry.is_file())
    alike = [name for name in names if name.startswith(prefix.name[:3])] or names
    if not alike:
        return f"the folder '{prefix.parent}' holds no files"
    more = ", ..." if len(alike) > NAMES_SHOWN else ""
    return f"the folder '{prefix.parent}' holds {', '.join(alike[:NAMES_SHOWN])}{more}"
