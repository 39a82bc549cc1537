"""Parallel text from the Hugging Face hub, or from local parquet, JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.data import SPLITS, Split
from rnnx.tasks.data.nmt.corpus import Pairs, Parallel
from rnnx.tasks.parts.files.hub import read_columns
from rnnx.tasks.parts.files.on_hub import OnHub


@final
@dataclass(kw_only=True, eq=False)
class Hub(OnHub, Parallel):
    """Any data set of the ``datasets`` library with a column for each language.

    Such as ``bentrevett/multi30k``.

    Args:
        source: The column translated from; ``translation.de`` is the key ``de`` inside ``translation``.
        target: The column translated to.
    """

    source: str
    target: str

    @property
    def languages(self) -> tuple[str, str]:
        """The last part of both column names."""
        return self.source.rpartition(".")[2], self.target.rpartition(".")[2]

    def pairs(self) -> dict[Split, Pairs]:
        """Loads both columns of each split."""
        return {split: self._read(split) for split in SPLITS}

    def _read(self, split: Split) -> Pairs:
        columns = read_columns(self.hub_split(split), {"source": self.source, "target": self.target})
        return list(zip(*columns, strict=True))
