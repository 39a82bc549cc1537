"""Parallel text from the Hugging Face hub, or from local parquet, JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.data import Split
from rnnx.tasks.data.nmt.corpus import Pairs, Parallel
from rnnx.tasks.parts.hub import read_columns


@final
@dataclass(kw_only=True, eq=False)
class Hub(Parallel):
    """Any data set of the ``datasets`` library with a column for each language.

    A single local file has the one split ``train``; slices such as ``train[:90%]`` make three of it.

    Args:
        path: A hub id such as ``bentrevett/multi30k``, a local folder, or a parquet, JSON or CSV file.
        config_name: The configuration, where the data set has several.
        train_split: The split to train on.
        valid_split: The split to validate on.
        test_split: The split to test on.
        source: The column translated from; ``translation.de`` is the key ``de`` inside ``translation``.
        target: The column translated to.
    """

    path: str
    config_name: str | None = None
    train_split: str = "train"
    valid_split: str = "validation"
    test_split: str = "test"
    source: str
    target: str

    @property
    def languages(self) -> tuple[str, str]:
        """The last part of both column names."""
        return self.source.rpartition(".")[2], self.target.rpartition(".")[2]

    def pairs(self) -> dict[Split, Pairs]:
        """Loads both columns of each split."""
        splits: dict[Split, str] = {
            "train": self.train_split,
            "valid": self.valid_split,
            "test": self.test_split,
        }
        columns = {"source": self.source, "target": self.target}
        pairs: dict[Split, Pairs] = {}
        for split, name in splits.items():
            sources, targets = read_columns(self.path, self.config_name, (f"{split}_split", name), columns)
            pairs[split] = list(zip(sources, targets, strict=True))
        return pairs
