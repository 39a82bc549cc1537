"""The Python standard library's own source, character by character: a real corpus that every machine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, final

from annotated_types import Ge

from rnnx.core.bounds import Positive
from rnnx.core.data import Split
from rnnx.tasks.data.lm.corpus import RunningText, cut_in_order
from rnnx.tasks.parts.files.library_source import library_source


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
    batch_size: Positive = 32
    bptt: Positive = 100
    characters: Annotated[int, Ge(1000)] = 600_000

    def texts(self) -> dict[Split, str]:
        """Reads the source files."""
        return cut_in_order(library_source(self.characters), (0.9, 0.05, 0.05), whole_lines=True)
