"""Texts with labels from the Hugging Face hub, or from local parquet, JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.data import Split
from rnnx.tasks.data.sentiment.texts import Found, Texts, checked
from rnnx.tasks.parts.faults import Faults
from rnnx.tasks.parts.hub import read_columns, read_labels


@final
@dataclass(kw_only=True, eq=False)
class Hub(Texts):
    """Any data set of the ``datasets`` library with a column of texts and one of labels.

    Labels are texts, integers or the hub's own classes, which are called by their names. A single local file
    has the one split ``train``; slices such as ``train[:90%]`` make three of it.

    Args:
        path: A hub id such as ``stanfordnlp/imdb``, a local folder, or a parquet, JSON or CSV file.
        config_name: The configuration, where the data set has several.
        train_split: The split to train on.
        valid_split: The split to validate on.
        test_split: The split to test on.
        text: The column of the text; ``review.text`` is the key ``text`` inside ``review``.
        label: The column of the label.
    """

    path: str
    config_name: str | None = None
    train_split: str = "train"
    valid_split: str = "validation"
    test_split: str = "test"
    text: str = "text"
    label: str = "label"

    def texts(self) -> dict[Split, list[Found]]:
        """Loads both columns of each split."""
        splits: dict[Split, str] = {
            "train": self.train_split,
            "valid": self.valid_split,
            "test": self.test_split,
        }
        return {split: self._read(f"{split}_split", name) for split, name in splits.items()}

    def _read(self, option: str, split: str) -> list[Found]:
        (texts,) = read_columns(self.path, self.config_name, (option, split), {"text": self.text})
        (labels,) = read_labels(self.path, self.config_name, (option, split), {"label": self.label})
        faults, found = Faults(f"{self.path} ({split})", self.skip), list[Found]()
        for row, (text, label) in enumerate(zip(texts, labels, strict=True), 1):
            with faults:
                found.append(checked(Found(text, label, f"{self.path} ({split}), row {row}")))
        faults.report(len(texts), "rows")
        return found
