"""Texts with labels from the Hugging Face hub, or from local parquet, JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.data import SPLITS, Split
from rnnx.tasks.data.sentiment.texts import Found, Texts, checked
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.hub import read_columns, read_labels
from rnnx.tasks.parts.files.on_hub import OnHub


@final
@dataclass(kw_only=True, eq=False)
class Hub(OnHub, Texts):
    """Any data set of the ``datasets`` library with a column of texts and one of labels.

    Such as ``stanfordnlp/imdb``. Labels are texts, integers or the hub's own classes, which are called
    by their names.

    Args:
        text: The column of the text; ``review.text`` is the key ``text`` inside ``review``.
        label: The column of the label.
    """

    text: str = "text"
    label: str = "label"

    def texts(self) -> dict[Split, list[Found]]:
        """Loads both columns of each split."""
        return {split: self._read(split) for split in SPLITS}

    def _read(self, split: Split) -> list[Found]:
        hub_split = self.hub_split(split)
        (texts,) = read_columns(hub_split, {"text": self.text})
        (labels,) = read_labels(hub_split, {"label": self.label})
        faults = Faults(str(hub_split), self.skip)
        found = []
        for row, (text, label) in enumerate(zip(texts, labels, strict=True), 1):
            with faults:
                found.append(checked(Found(text, label, f"{hub_split}, row {row}")))
        faults.report(len(texts), "rows")
        return found
