"""Running text from the Hugging Face hub, or from local parquet, JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.data import Split
from rnnx.tasks.data.lm.corpus import RunningText
from rnnx.tasks.parts.hub import read_columns


@final
@dataclass(kw_only=True, eq=False)
class Hub(RunningText):
    """Any data set of the ``datasets`` library with a column of text; each row is a line.

    A single local file has the one split ``train``; slices such as ``train[:90%]`` make three of it.

    Args:
        path: A hub id such as ``Salesforce/wikitext``, a local folder, or a parquet, JSON or CSV file.
        config_name: The configuration, where the data set has several, such as ``wikitext-2-v1``.
        train_split: The split to train on.
        valid_split: The split to validate on.
        test_split: The split to test on.
        column: The column of the text; ``document.text`` is the key ``text`` inside ``document``.
    """

    path: str
    config_name: str | None = None
    train_split: str = "train"
    valid_split: str = "validation"
    test_split: str = "test"
    column: str = "text"

    def texts(self) -> dict[Split, str]:
        """Loads the column of each split."""
        splits: dict[Split, str] = {
            "train": self.train_split,
            "valid": self.valid_split,
            "test": self.test_split,
        }
        return {split: self._read(f"{split}_split", name) for split, name in splits.items()}

    def _read(self, option: str, split: str) -> str:
        (rows,) = read_columns(self.path, self.config_name, (option, split), {"column": self.column})
        return "".join(row.removesuffix("\n") + "\n" for row in rows)
