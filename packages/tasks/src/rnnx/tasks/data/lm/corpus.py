"""Running text: what every source of one long text a split shares."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Annotated, Literal, final

from annotated_types import Ge

from rnnx.core.bounds import Positive
from rnnx.core.data import Data, Loader, Meta, Split
from rnnx.core.errors import UsageError
from rnnx.tasks.parts.files.text import split_lines
from rnnx.tasks.parts.texts.vocabulary import EOS, UNK, Vocabulary


@dataclass(kw_only=True, eq=False)
class RunningText(Data, ABC):
    """One long text a split, read as parallel streams; a source says only where the text comes from.

    Each text is cut into ``batch_size`` contiguous streams, and a batch is the next ``bptt`` tokens of each;
    the state is carried from one to the next. ``inputs`` are the ``targets`` shifted by one, and the first
    input of all is the start token (``<eos>``, or a line feed among characters), so every token is predicted
    exactly once.

    Words and sub-words have an ``<eos>`` at the end of each line; characters are all there, line ends
    included. The vocabulary is that of the training text, with no token that can never be predicted:
    characters have ``<unk>`` only if the texts need it.

    Args:
        level: What a token is: a character, a word (what blanks separate) or a sub-word (byte-pair encoding).
        min_frequency: Tokens (for sub-words, pairs to be merged) seen less often in training are left out.
        vocabulary_size: The most tokens; by default all words or characters, and 8,000 sub-words.
        vectors: A word2vec or GloVe text file (plain or .gz) that embeddings start with.
        batch_size: Parallel streams of the training text, in each process.
        eval_batch_size: Parallel streams of the validation and test text, of all processes together; 1 reads
            each in one piece.
        bptt: Tokens of each stream in a batch: how far back the gradient goes.
    """

    level: Literal["char", "word", "bpe"] = "word"
    min_frequency: Positive = 1
    vocabulary_size: Annotated[int, Ge(3)] | None = None
    vectors: str | None = None
    batch_size: Positive = 20
    eval_batch_size: Positive = 1
    bptt: Positive = 35

    @abstractmethod
    def texts(self) -> dict[Split, str]:
        """Reads the text of each split."""

    @final
    def prepare(self) -> None:
        _ = self._numbers

    @property
    @final
    def meta(self) -> Meta:
        """The vocabulary as plain data, the start token, and the tokens and characters of each split.

        Bits per character are the cross-entropy of a whole split in nats / ln 2 / its characters (code
        points, line ends included). The file of the vectors is read here, so that a model that has them is
        tested without it.
        """
        return {
            "level": self.level,
            "vocabulary": self._vocabulary.to_plain(),
            "vectors": self._vectors,
            "start": self._start,
            "tokens": {split: len(numbers) for split, numbers in self._numbers.items()},
            "characters": {split: len(text) for split, text in self._texts.items()},
        }

    @final
    def tokens(self, split: Split) -> list[int]:
        """The token numbers of a split, in reading order."""
        return self._numbers[split]

    @final
    def loader(self, split: Split) -> Loader:
        """The batches of a split, in reading order."""
        from rnnx.tasks.data.lm.streams import streamed

        training = split == "train"
        streams = self.batch_size if training else self.eval_batch_size
        return streamed(self._numbers[split], streams, self.bptt, self._start, each=training)

    @cached_property
    def _texts(self) -> dict[Split, str]:
        return self.texts()

    @cached_property
    def _pieces(self) -> dict[Split, list[str]]:
        return {split: self._cut(text) for split, text in self._texts.items()}

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        if self.level != "char":
            return self._trained((UNK, EOS))
        vocabulary = self._trained(())
        characters = set().union(*self._texts.values())
        return vocabulary if characters.issubset(vocabulary.tokens) else self._trained((UNK,))

    @cached_property
    def _vectors(self) -> Meta | None:
        from rnnx.tasks.parts.files.vector_file import vectors_meta

        return vectors_meta(self.vectors, self._vocabulary)

    @cached_property
    def _numbers(self) -> dict[Split, list[int]]:
        ending = [] if self.level == "char" else [self._vocabulary.eos]
        encoded = {split: self._vocabulary.encode(pieces) for split, pieces in self._pieces.items()}
        return {
            split: list(chain.from_iterable([*piece, *ending] for piece in pieces))
            for split, pieces in encoded.items()
        }

    @property
    def _start(self) -> int:
        if self.level != "char":
            return self._vocabulary.eos
        tokens = self._vocabulary.tokens
        return tokens.index("\n") if "\n" in tokens else 0

    def _trained(self, specials: tuple[str, ...]) -> Vocabulary:
        return Vocabulary.train(
            self._pieces["train"], self.level, self.vocabulary_size, self.min_frequency, specials
        )

    def _cut(self, text: str) -> list[str]:
        return re.findall(r"[^\n]*\n|[^\n]+", text) if self.level == "char" else split_lines(text)


def cut_in_order(text: str, cut: tuple[float, float, float], whole_lines: bool) -> dict[Split, str]:
    """The beginning of a text for training, what follows for validation, and what follows that for the test.

    Args:
        text: The text.
        cut: The share of each; with a share of 0 the test text is the validation text.
        whole_lines: Whether a cut moves on to the end of its line.

    Raises:
        UsageError: the shares are not of that form, or leave a part empty.

    Example:
        >>> cut_in_order("abcdefghij", (0.8, 0.1, 0.1), whole_lines=False)
        {'train': 'abcdefgh', 'valid': 'i', 'test': 'j'}
    """
    train, valid, test = cut
    if train <= 0 or valid <= 0 or test < 0 or sum(cut) > 1 + 1e-9:
        raise UsageError(
            "data.cut: expected three shares of the text, train and valid above 0 and together at most 1, "
            f"got {cut}"
        )
    ends = [_end(text, share, whole_lines) for share in (train, train + valid, train + valid + test)]
    parts: dict[Split, str] = {"train": text[: ends[0]], "valid": text[ends[0] : ends[1]]}
    parts["test"] = text[ends[1] : ends[2]] if test else parts["valid"]
    empty = [split for split, part in parts.items() if not part]
    if empty:
        size, unit = (len(split_lines(text)), "lines") if whole_lines else (len(text), "characters")
        advice = ", or data.level=char, which is cut within them" if whole_lines else ""
        raise UsageError(
            f"data.cut: {cut} of {size} {unit} leaves {' and '.join(empty)} empty; give more {unit}{advice}"
        )
    return parts


def _end(text: str, share: float, whole_lines: bool) -> int:
    position = len(text) if share > 1 - 1e-9 else int(len(text) * share)
    if not whole_lines or position == len(text):
        return position
    line_end = text.find("\n", max(position - 1, 0))
    return len(text) if line_end < 0 else line_end + 1
