"""The Python standard library's own source, character by character: a real corpus that every machine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from rnnx.core.data import Split
from rnnx.core.errors import UsageError
from rnnx.tasks.data.lm.corpus import RunningText, cut_in_order
from rnnx.tasks.parts.library_source import library_source


@final
@dataclass(kw_only=True, eq=False)
class Toy(RunningText):
    """Python source code from the standard library of this machine: 90% training, 5% validation, 5% test.

    Args:
        level: What a token is: a character, a word (what blanks separate) or a sub-word (byte-pair encoding).
        batch_size: Parallel streams of the training text, in each process.
        bptt: Tokens of each stream in a batch: how far back the gradient goes.
        characters: How many characters of source code, all splits together.
    """

    level: Literal["char", "word", "bpe"] = "char"
    batch_size: int = 32
    bptt: int = 100
    characters: int = 600_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.characters < 1000:
            raise UsageError(f"data.characters: expected 1000 or more, got {self.characters}")

    def texts(self) -> dict[Split, str]:
        """Reads the source files."""
        return cut_in_order(library_source(self.characters), (0.9, 0.05, 0.05), whole_lines=True)
