"""The options that say where a data set of the ``datasets`` library is, the same for every task's ``hub``."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC
from dataclasses import dataclass
from typing import final

from rnnx.core.data import Split
from rnnx.tasks.parts.files.hub import HubSplit


@dataclass(kw_only=True, eq=False)
class OnHub(ABC):
    """A data set on the hub, or in local files.

    Args:
        path: A hub id, OWNER/NAME; or a local folder, or a parquet, JSON or CSV file.
        config_name: The configuration, where the data set has several.
        train_split: The split to train on; a single local file has the one split ``train``, of which slices
            such as ``train[:90%]`` make three.
        valid_split: The split to validate on.
        test_split: The split to test on.
    """

    path: str
    config_name: str | None = None
    train_split: str = "train"
    valid_split: str = "validation"
    test_split: str = "test"

    @final
    def hub_split(self, split: Split) -> HubSplit:
        """Where a split is: what :func:`~rnnx.tasks.parts.files.hub.read_columns` and its like read."""
        names = {"train": self.train_split, "valid": self.valid_split, "test": self.test_split}
        return HubSplit(self.path, self.config_name, names[split], f"{split}_split")
