"""Running text from plain text files: one a split, or one cut in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.bounds import Share
from rnnx.core.data import Split
from rnnx.core.errors import UsageError
from rnnx.tasks.data.lm.corpus import RunningText, cut_in_order
from rnnx.tasks.parts.files.given import refuse_unreadable
from rnnx.tasks.parts.files.text import read_text


@final
@dataclass(kw_only=True, eq=False)
class Files(RunningText):
    """Your own text, UTF-8, plain or ``.gz``: ``train``, ``valid`` and ``test``, or one ``text`` to be cut.

    Args:
        train: The file of the training text.
        valid: The file of the validation text.
        test: The file of the test text.
        text: One file for all three, cut in order.
        cut: The shares of training, validation and test in ``text``; a test share of 0 makes the validation
            text the test text as well.
    """

    train: str | None = None
    valid: str | None = None
    test: str | None = None
    text: str | None = None
    cut: tuple[Share, Share, Share] = (0.9, 0.05, 0.05)

    def __post_init__(self) -> None:
        given = [split for split, path in self._paths().items() if path is not None]
        if self.text is not None and given:
            raise UsageError(
                f"data.text: it is cut into all three splits, but data.{given[0]} is given too; leave one out"
            )
        missing = [split for split in self._paths() if split not in given]
        if self.text is None and missing:
            raise UsageError(
                *(f"data.{split}: no file given; give one, or data.text=FILE for all" for split in missing)
            )

    def texts(self) -> dict[Split, str]:
        """Reads the files.

        Raises:
            UsageError: nothing can be read from a file; all of them are named at once.
            InputError: a file is damaged or not UTF-8.
        """
        refuse_unreadable([*self._paths().items(), ("text", self.text)])
        if self.text is not None:
            return cut_in_order(read_text(self.text), self.cut, whole_lines=self.level != "char")
        return {split: read_text(path) for split, path in self._paths().items() if path is not None}

    def _paths(self) -> dict[Split, str | None]:
        return {"train": self.train, "valid": self.valid, "test": self.test}
