"""The options that say where a data set of the ``datasets`` library is, the same for every task's ``hub``."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC
from dataclasses import dataclass
from typing import TypeAlias, final

from rnnx.core.data import Split

Place: TypeAlias = tuple[str, str | None, tuple[str, str]]


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
    def place(self, split: Split) -> Place:
        """Where a split is: what :func:`~rnnx.tasks.parts.files.hub.read_columns` is told first."""
        name = {"train": self.train_split, "valid": self.valid_split, "test": self.test_split}[split]
        return self.path, self.config_name, (f"{split}_split", name)

    @final
    def called(self, split: Split) -> str:
        """What errors call a split: ``PATH (NAME)``."""
        path, _, (_, name) = self.place(split)
        return f"{path} ({name})"
