"""Sentences with named entities from files of columns, as CoNLL's and W-NUT's shared tasks have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.bounds import Count, Positive
from rnnx.core.data import Split
from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.ner.annotations import Annotations, Draft, Source
from rnnx.tasks.parts.files.conll import COMMENT, Row, read_rows
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
        comments: Whether lines that begin with ``#`` before a sentence's first word are left out, as CoNLL-U
            and GermEval 2014 have them.
    """

    train: str
    valid: str
    test: str
    word_column: Positive = 1
    tag_column: Count = 0
    comments: bool = False

    def source(self, split: Split) -> Source:
        paths = {"train": self.train, "valid": self.valid, "test": self.test}
        refuse_unreadable(paths.items())
        path = paths[split]
        sentences = read_rows(path, self.comments)
        if not sentences:
            raise InputError(path, "expected a word and its tag in a line, but all lines are blank")
        columns = len(sentences[0][0].columns)
        self._check_columns(path, columns, self._advice(sentences[0]))
        faults = Faults(path, self.skip)
        drafts = []
        for rows in sentences:
            with faults:
                drafts.append(self._draft(path, rows, columns))
        return Source(len(sentences), drafts, faults, "data.tag_column")

    def _check_columns(self, path: str, columns: int, advice: str) -> None:
        tag = self.tag_column or columns
        problems = [
            f"data.{option}: there is no column {column}, as '{path}' has {columns}{advice}"
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
                problem = f"expected {columns} columns, as in the first line, got {len(row.columns)}"
                raise InputError(path, problem + self._advice(rows), row.line)
            if not row.columns[self.word_column - 1].strip(" \r"):
                raise InputError(path, f"expected a word in column {self.word_column}, got nothing", row.line)
        return Draft(
            [row.columns[self.word_column - 1] for row in rows],
            [row.columns[self.tag_column - 1] for row in rows],
            [row.line for row in rows],
        )

    def _advice(self, rows: list[Row]) -> str:
        """What to do about a sentence's rows, where the first may be a comment."""
        commented = not self.comments and rows[0].columns[0].startswith(COMMENT)
        return "; if lines that begin with # are comments, say data.comments=true" if commented else ""
