"""Texts with labels from files: tables, JSON lines, or a folder for each label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, final

import torch
from annotated_types import Gt, Lt

from rnnx.core.bounds import Positive, Seed
from rnnx.core.data import Split
from rnnx.core.errors import InputError, UsageError
from rnnx.core.paths import typed
from rnnx.tasks.data.sentiment import folders, tables
from rnnx.tasks.data.sentiment.texts import Found, Texts
from rnnx.tasks.parts.files.given import refuse_unreadable


@final
@dataclass(kw_only=True, eq=False)
class Files(Texts):
    """Your own texts, UTF-8.

    Each of ``train``, ``valid`` and ``test`` is a table, ``.tsv`` or ``.csv`` (with commas or semicolons), or
    ``.jsonl`` (all of them also ``.gz``); or a folder with a folder for each label and in it a ``.txt`` for
    each text, as IMDB's. Such a folder may be in an archive, ``aclImdb_v1.tar.gz/aclImdb/train``, which need
    not be unpacked.

    Args:
        train: The training texts.
        test: The test texts.
        valid: The validation texts; by default some of the training texts.
        text: The column of the text: its name in the first line, its number from 1 where that line has no
            names, or a key in JSON lines. By default the first of two columns, and the key text.
        label: The column of the label; by default the second of two columns, and the key label.
        held_out: The share of the training texts that is for validation where valid is not given.
        seed: The seed of their drawing.
    """

    train: str
    test: str
    valid: str | None = None
    text: Positive | str | None = None
    label: Positive | str | None = None
    held_out: Annotated[float, Gt(0), Lt(1)] = 0.1
    seed: Seed = 1

    def texts(self) -> dict[Split, list[Found]]:
        """Reads the texts of each split.

        Raises:
            UsageError: files are missing or empty, all of them named at once; or columns.
            InputError: a row or a text cannot be used.
        """
        given: dict[Split, str | None] = {"train": self.train, "valid": self.valid, "test": self.test}
        paths = {split: typed(path) for split, path in given.items() if path is not None}
        problems = [problem for split, path in paths.items() for problem in _problems(split, path)]
        if problems:
            raise UsageError(*problems)
        refuse_unreadable((split, path) for split, path in paths.items() if _is_table(path))
        texts = {split: self._read(path) for split, path in paths.items()}
        return texts if self.valid is not None else {**texts, **self._cut(texts["train"])}

    def _read(self, path: Path) -> list[Found]:
        if _is_table(path):
            return tables.read(path, tables.Columns(self.text, self.label), self.skip)
        return folders.read(path, self.skip)

    def _cut(self, texts: list[Found]) -> dict[Split, list[Found]]:
        """Some texts, drawn at random, for validation, and the others in their order for training."""
        if len(texts) == 1:
            raise InputError(texts[0].path, "expected two texts at least, of which one is held out; got one")
        count = min(max(1, round(self.held_out * len(texts))), len(texts) - 1)
        drawn = set(
            torch.randperm(len(texts), generator=torch.Generator().manual_seed(self.seed))[:count].tolist()
        )
        return {
            "train": [text for number, text in enumerate(texts) if number not in drawn],
            "valid": [text for number, text in enumerate(texts) if number in drawn],
        }


def _is_table(path: Path) -> bool:
    return bool(tables.format_of(path)) and path.is_file()


def _problems(split: Split, path: Path) -> list[str]:
    if path.is_dir() or folders.archive_of(path):
        return []
    if not path.exists():
        return [f"data.{split}: there is no file or folder '{path}'; check the path"]
    if not tables.format_of(path):
        endings = ", ".join(tables.FORMATS)
        return [f"data.{split}: expected a folder, or a file in {endings} (or these and .gz), got '{path}'"]
    return []
