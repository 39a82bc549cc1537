"""Words as numbers, together with the characters that they are spelt with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, final

import torch
import torch.nn.functional as F
from torch import Tensor

from rnnx.tasks.parts.padding import padded
from rnnx.tasks.parts.texts.vocabulary import PAD, UNK, Vocabulary

DIGIT: Final = re.compile(r"\d")
LONGEST: Final = 100  # characters of a word that are read: every word of a sentence is padded to its longest


@final
class Lexicon:
    """The words and the characters of a text.

    Words are numbered from the most frequent to those that occur once, the singletons.

    Args:
        words: The vocabulary of words.
        characters: That of characters, which keep their case.
        zero_digits: Whether each digit is read as 0.
        first_singleton: The number of the first word that occurs once; as many as there are words if there is
            none.

    Example:
        >>> lexicon = Lexicon.train([["In", "1996"], ["in", "Ely"]], lowercase=True, zero_digits=True)
        >>> lexicon.words.tokens, lexicon.first_singleton
        (['<pad>', '<unk>', 'in', '0000', 'ely'], 3)
        >>> lexicon.encode(["In", "2024"]).tolist() == lexicon.encode(["In", "1996"]).tolist()
        True
        >>> lexicon.encode(["in", "Eli"])[:, 0].tolist()
        [2, 1]
    """

    def __init__(
        self, words: Vocabulary, characters: Vocabulary, zero_digits: bool, first_singleton: int
    ) -> None:
        self.words = words
        self.characters = characters
        self.zero_digits = zero_digits
        self.first_singleton = first_singleton

    @classmethod
    def train(
        cls, sentences: Iterable[Sequence[str]], lowercase: bool, zero_digits: bool, min_frequency: int = 1
    ) -> Lexicon:
        """The lexicon of some sentences.

        Args:
            sentences: The words of each.
            lowercase: Whether words (never characters) are lower-cased.
            zero_digits: Whether each digit is read as 0.
            min_frequency: Words seen less often are unknown.
        """
        spelt = [_spelt(word, zero_digits) for sentence in sentences for word in sentence]
        specials = (PAD, UNK)
        words = Vocabulary.train(
            spelt, "word", min_frequency=min_frequency, specials=specials, lowercase=lowercase
        )
        counts = Counter(word.lower() if lowercase else word for word in spelt)
        once = (n for n, word in enumerate(words.tokens) if counts[word] == 1 and word not in specials)
        characters = Vocabulary.train(spelt, "char", specials=specials)
        return cls(words, characters, zero_digits, first_singleton=next(once, len(words)))

    def encode(self, words: Sequence[str]) -> Tensor:
        """A sentence as numbers.

        Args:
            words: ``T`` of them.

        Returns:
            ``(T, 1 + C)``: the number of each word, then those of its characters, the first hundred, padded
            with 0.
        """
        spelt = [_spelt(word, self.zero_digits) for word in words]
        tokens = self.words.encode(spelt)
        characters = self.characters.encode(word[:LONGEST] for word in spelt)
        rows = []
        for numbers, letters in zip(tokens, characters, strict=True):
            is_one_word = len(numbers) == 1  # else it has a blank in it
            number = numbers[0] if is_one_word else self.words.unk
            rows.append(torch.tensor([number, *letters]))
        values, _ = padded(rows, self.characters.pad)
        return values

    def to_plain(self) -> dict[str, Any]:
        """Everything as plain JSON types, for a checkpoint."""
        return {
            "words": self.words.to_plain(),
            "characters": self.characters.to_plain(),
            "zero_digits": self.zero_digits,
            "rare": self.first_singleton,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Lexicon:
        """The lexicon that :meth:`to_plain` wrote."""
        words, characters = (Vocabulary.from_plain(plain[name]) for name in ("words", "characters"))
        return cls(words, characters, plain["zero_digits"], plain["rare"])


def padded_words(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sentences as one tensor, and their lengths.

    Args:
        rows: ``N`` of them, each ``(T_n, 1 + C_n)``, as :meth:`Lexicon.encode` gives them.

    Returns:
        ``(N, T, 1 + C)`` of the most words and the most characters, padded with 0; and the words of each
        sentence ``(N,)``.

    Example:
        >>> values, lengths = padded_words([torch.tensor([[5, 2], [6, 3]]), torch.tensor([[7, 2, 3]])])
        >>> values.tolist(), lengths.tolist()
        ([[[5, 2, 0], [6, 3, 0]], [[7, 2, 3], [0, 0, 0]]], [2, 1])
    """
    widest = max(row.shape[1] for row in rows)
    return padded([F.pad(row, (0, widest - row.shape[1])) for row in rows])


def _spelt(word: str, zero_digits: bool) -> str:
    return DIGIT.sub("0", word) if zero_digits else word
