"""Sentences with named entities from files of columns, as CoNLL's and W-NUT's shared tasks have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.bounds import Count, Positive
from rnnx.core.data import Split
from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.ner.annotations import Annotations, Draft, Source
from rnnx.tasks.parts.files.conll import Row, read_rows
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.given import refuse_unreadable


@final
@dataclass(kw_only=True, eq=False)
class Files(Annotations):
    """Your own files, UTF-8 (``.gz`` or not): a word and its tag a line, a blank line after each sentence.

    Columns are separated by a tab, or by blanks; there may be any number of them, the same in every line.
    Lines that begin with ``-DOCSTART-`` are left out.

    Args:
        train: The file of the training sentences.
        valid: The file of the validation sentences.
        test: The file of the test sentences.
        word_column: The column of the words, from 1.
        tag_column: The column of the tags, from 1; 0 for the last.
    """

    train: str
    valid: str
    test: str
    word_column: Positive = 1
    tag_column: Count = 0

    def source(self, split: Split) -> Source:
        paths = {"train": self.train, "valid": self.valid, "test": self.test}
        refuse_unreadable(paths.items())
        path = paths[split]
        sentences = read_rows(path)
        if not sentences:
            raise InputError(path, "expected a word and its tag in a line, but all lines are blank")
        columns = len(sentences[0][0].columns)
        self._check_columns(path, columns)
        faults = Faults(path, self.skip)
        drafts = []
        for rows in sentences:
            with faults:
                drafts.append(self._draft(path, rows, columns))
        return Source(len(sentences), drafts, faults)

    def _check_columns(self, path: str, columns: int) -> None:
        tag = self.tag_column or columns
        problems = [
            f"data.{option}: there is no column {column}, as '{path}' has {columns}"
            for option, column in (("word_column", self.word_column), ("tag_column", tag))
            if column > columns
        ]
        if tag == self.word_column:
            problems.append(
                f"data.tag_column: column {tag} of '{path}', which has {columns}, is that of the words"
            )
        if problems:
            raise UsageError(*problems)

    def _draft(self, path: str, rows: list[Row], columns: int) -> Draft:
        for row in rows:
            if len(row.columns) != columns:
                raise InputError(
                    path,
                    f"expected {columns} columns, as in the first line, got {len(row.columns)}",
                    row.line,
                )
            if not row.columns[self.word_column - 1].strip(" \r"):
                raise InputError(path, f"expected a word in column {self.word_column}, got nothing", row.line)
        return Draft(
            [row.columns[self.word_column - 1] for row in rows],
            [row.columns[self.tag_column - 1] for row in rows],
            [row.line for row in rows],
        )
