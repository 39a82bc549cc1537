"""A sentence pair, encoded."""

from __future__ import annotations

from typing import NamedTuple, final


@final
class Example(NamedTuple):
    """A sentence pair as a model reads it.

    Attributes:
        source: Token numbers, the last that of ``<eos>``.
        target: Token numbers, the last that of ``<eos>``.
        reference: The target as text: a word outside the vocabulary has no number of its own.
    """

    source: list[int]
    target: list[int]
    reference: str
