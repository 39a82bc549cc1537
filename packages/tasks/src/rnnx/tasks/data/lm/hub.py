"""Running text from the Hugging Face hub, or from local parquet, JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.data import SPLITS, Split
from rnnx.tasks.data.lm.corpus import RunningText
from rnnx.tasks.parts.files.hub import read_columns
from rnnx.tasks.parts.files.on_hub import OnHub


@final
@dataclass(kw_only=True, eq=False)
class Hub(OnHub, RunningText):
    """Any data set of the ``datasets`` library with a column of text; each row is a line.

    Such as ``Salesforce/wikitext`` with ``config_name=wikitext-2-v1``.

    Args:
        column: The column of the text; ``document.text`` is the key ``text`` inside ``document``.
    """

    column: str = "text"

    def texts(self) -> dict[Split, str]:
        """Loads the column of each split."""
        return {split: self._read(split) for split in SPLITS}

    def _read(self, split: Split) -> str:
        (rows,) = read_columns(self.hub_split(split), {"column": self.column})
        return "".join(row.removesuffix("\n") + "\n" for row in rows)
