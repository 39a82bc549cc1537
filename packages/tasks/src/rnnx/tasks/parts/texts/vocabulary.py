"""Text to token numbers and back, by the ``tokenizers`` library: words, sub-words or characters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias, final

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from rnnx.core.errors import InputError

Level: TypeAlias = Literal["word", "bpe", "char"]

PAD, UNK, BOS, EOS = "<pad>", "<unk>", "<bos>", "<eos>"
CONTROLS = (PAD, BOS, EOS)
SUBWORDS = 8000  # tokens, if not said; also the default of SentencePiece
BLANK = "▁"  # in sub-words
UNLIMITED = 2**31  # tokens: more than any text has
_LINES_AT_ONCE = 10_000  # whose encodings, far larger than their token numbers, are held at once


@final
class Vocabulary:
    """Numbers for the tokens of a text: the special tokens first, then by falling frequency.

    * ``word``: what blanks, tabs and line ends separate (a no-break space is part of its word);
    * ``char``: each character, blanks and line ends too;
    * ``bpe``: sub-words of byte-pair encoding (Sennrich et al., 2016), a word's first one marked with ``▁``;
      decoding gives the line back, blank for blank.

    Text cannot forge a padding, beginning or end token: a word spelt like one is unknown. The word ``<unk>``
    in a text is the unknown word itself, as in the Penn Treebank, and is not doubled.

    Args:
        level: What a token is.
        tokenizer: Its tokens, the special ones included.
        specials: The special tokens, numbered from 0.
        lowercase: Whether text is lower-cased first.

    Example:
        >>> words = Vocabulary.train(["the cat", "the dog"], "word", specials=(UNK, EOS))
        >>> words.tokens
        ['<unk>', '<eos>', 'the', 'cat', 'dog']
        >>> words.encode(["the dog barks"]), words.decode([2, 4, 1])
        ([[2, 4, 0]], 'the dog')
        >>> Vocabulary.from_plain(words.to_plain()).tokens == words.tokens
        True
    """

    def __init__(self, level: Level, tokenizer: Tokenizer, specials: Sequence[str], lowercase: bool) -> None:
        self.level, self.specials, self.lowercase = level, tuple(specials), lowercase
        self._tokenizer = tokenizer
        numbers = tokenizer.get_vocab()
        self.tokens: list[str] = sorted(numbers, key=numbers.__getitem__)
        self._controls = {numbers[name] for name in self.specials if name in CONTROLS}

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        level: Level,
        size: int | None = None,
        min_frequency: int = 1,
        specials: Sequence[str] = (PAD, UNK, BOS, EOS),
        lowercase: bool = False,
    ) -> Vocabulary:
        """The vocabulary of some lines; the same lines give the same one, whatever the machine.

        Args:
            lines: The training text.
            level: What a token is.
            size: The most tokens, special ones included; by default all words or characters, 8,000 sub-words.
            min_frequency: Words or characters (for sub-words, pairs to be merged) seen less often are left
                out.
            specials: The special tokens; without ``<unk>`` (characters only) unknown characters are an error.
            lowercase: Whether text is lower-cased first.
        """
        if UNK not in specials and level != "char":
            raise ValueError(f"a vocabulary of level {level!r} needs {UNK!r}; only characters can do without")
        if size is None:
            size = SUBWORDS if level == "bpe" else UNLIMITED
        tokenizer = _untrained(level)
        tokenizer.train_from_iterator(
            (line.lower() for line in lines) if lowercase else lines,
            _trainer(level, size - len(specials), min_frequency),
        )
        return cls(level, _with_specials(tokenizer, specials, size), specials, lowercase)

    def encode(self, lines: Iterable[str]) -> list[list[int]]:
        """The token numbers of each line, with no special token added.

        Raises:
            InputError: a character is unknown, and the vocabulary has no ``<unk>``.
        """
        lines = [line.lower() for line in lines] if self.lowercase else list(lines)
        if UNK not in self.specials:
            self._refuse_unknown(lines)
        encoded: list[list[int]] = []
        for start in range(0, len(lines), _LINES_AT_ONCE):
            batch = self._tokenizer.encode_batch_fast(lines[start : start + _LINES_AT_ONCE])
            encoded.extend(self._as_text(line.ids) for line in batch)
        return encoded

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token numbers, padding, beginning and end left out."""
        text: str = self._tokenizer.decode([number for number in ids if number not in self._controls])
        return text

    def decode_within(self, ids: Iterable[int]) -> str:
        """As :meth:`decode`, of tokens that go on with a line: the blank before a first sub-word is kept.

        Example:
            >>> words = Vocabulary.train(["ab ab ab"], "bpe", specials=(UNK,))
            >>> (_, second, _), *_ = words.encode(["ab ab ab"])
            >>> words.decode([second]), words.decode_within([second])
            ('ab', ' ab')
        """
        ids = list(ids)
        blank = " " if self.level == "bpe" and ids and self.tokens[ids[0]].startswith(BLANK) else ""
        return blank + self.decode(ids)

    def difference(self, other: Vocabulary) -> str:
        """What is different in another vocabulary, in a sentence; empty if each number is the same token.

        Example:
            >>> cats, dogs = (Vocabulary.train([line], "word") for line in ("the cat", "the dog"))
            >>> cats.difference(dogs), cats.difference(cats)
            ("'cat' and 'dog' as token 4", '')
            >>> cats.difference(Vocabulary.train(["the"], "char"))
            '6 tokens of level word and 7 of level char'
        """
        if self.tokens == other.tokens:
            return ""
        if (len(self), self.level) != (len(other), other.level):
            return f"{len(self):,} tokens of level {self.level} and {len(other):,} of level {other.level}"
        pairs = enumerate(zip(self.tokens, other.tokens, strict=True))
        return next(f"{a!r} and {b!r} as token {number}" for number, (a, b) in pairs if a != b)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def pad(self) -> int:
        """The number of the padding token."""
        return self.specials.index(PAD)

    @property
    def unk(self) -> int:
        """The number of the unknown token."""
        return self.specials.index(UNK)

    @property
    def bos(self) -> int:
        """The number of the token before the first."""
        return self.specials.index(BOS)

    @property
    def eos(self) -> int:
        """The number of the token after the last."""
        return self.specials.index(EOS)

    def to_plain(self) -> dict[str, Any]:
        """Everything as plain JSON types, for a checkpoint."""
        return {
            "level": self.level,
            "specials": list(self.specials),
            "lowercase": self.lowercase,
            "tokenizer": self._tokenizer.to_str(),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Vocabulary:
        """The vocabulary that :meth:`to_plain` wrote."""
        tokenizer = Tokenizer.from_str(plain["tokenizer"])
        return cls(plain["level"], tokenizer, plain["specials"], plain["lowercase"])

    def _as_text(self, ids: list[int]) -> list[int]:
        if self._controls.isdisjoint(ids):
            return ids
        return [self.unk if number in self._controls else number for number in ids]

    def _refuse_unknown(self, lines: list[str]) -> None:
        unknown = set().union(*lines).difference(self.tokens)
        if unknown:
            raise InputError(
                "the text",
                f"the character {min(unknown)!r} does not occur in the training text and has no probability; "
                "leave it out, or train on text that holds it",
            )


def _untrained(level: Level) -> Tokenizer:
    if level == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Prepend(BLANK)
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(BLANK, prepend_scheme="never")
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace(BLANK, " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        return tokenizer
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNK))
    if level == "word":
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[ \t\r\n]+"), "removed")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"(?m)."), "isolated")
        tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _trainer(level: Level, size: int, min_frequency: int) -> trainers.Trainer:
    if level == "bpe":
        return trainers.BpeTrainer(
            vocab_size=size, min_frequency=min_frequency, special_tokens=[], show_progress=False
        )
    return trainers.WordLevelTrainer(
        vocab_size=UNLIMITED, min_frequency=min_frequency, special_tokens=[], show_progress=False
    )


def _with_specials(tokenizer: Tokenizer, specials: Sequence[str], size: int) -> Tokenizer:
    """Puts them first in the model only: as "added tokens" the library would look for them in the text."""
    plain = json.loads(tokenizer.to_str())
    numbers = plain["model"]["vocab"]
    ordinary = [token for token in sorted(numbers, key=numbers.__getitem__) if token not in specials]
    plain["model"]["vocab"] = {token: number for number, token in enumerate([*specials, *ordinary][:size])}
    plain["model"]["unk_token"] = UNK
    return Tokenizer.from_str(json.dumps(plain))
