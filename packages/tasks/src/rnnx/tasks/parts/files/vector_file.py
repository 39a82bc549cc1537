"""Word vectors from a text file, as word2vec and GloVe write them."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, final

import torch
from torch import Tensor

from rnnx.core.data import Meta
from rnnx.core.errors import InputError
from rnnx.core.paths import typed
from rnnx.tasks.parts.files.given import refuse_unreadable
from rnnx.tasks.parts.files.gzip_text import open_packed
from rnnx.tasks.parts.files.text import whole_number
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

log = logging.getLogger(__name__)


@final
class Vectors(NamedTuple):
    """What a file knows of some words.

    Attributes:
        places: ``(M,)``, where those that it knows stand among the words.
        values: ``(M, D)``, their vectors.
    """

    places: Tensor
    values: Tensor


def vectors_meta(path: str | None, vocabulary: Vocabulary, option: str = "vectors") -> Meta | None:
    """What data tells of a file of vectors in its meta; the log has the coverage too.

    Args:
        path: The file; None where there is none.
        vocabulary: The words that vectors are wanted for.
        option: The data's option that names it.

    Returns:
        The ``path``, the ``size`` of a vector, and how many ``words`` the vocabulary has, special ones among
        them, and how many of them were ``found``; None without a file.

    Raises:
        UsageError: nothing can be read from it.
        InputError: as for :func:`read_vectors`.
    """
    if path is None:
        return None
    refuse_unreadable([(option, path)])
    places, values = read_vectors(path, tuple(vocabulary.tokens))
    found, words = len(places), len(vocabulary)
    log.warning("'%s' has vectors of %d of the %d words (%.1f%%)", path, found, words, 100 * found / words)
    return {"path": path, "size": values.shape[1], "found": found, "words": words}


@lru_cache(maxsize=2)  # read for the data's meta and for the model's start, of translation by two sides
def read_vectors(path: str, words: tuple[str, ...]) -> Vectors:
    r"""The vectors of those words that a file knows.

    Each line has a word and its numbers, separated by blanks; a word may have blanks itself, as some of
    GloVe's. A first line of two integers is word2vec's and says how many words and numbers there are. Of two
    lines for one word the first counts. A word that the file does not have as it is spelt has the vector of
    its lower-cased spelling.

    Args:
        path: The file; a name in ``.gz`` is unpacked.
        words: What is looked for; of other lines only the form is checked.

    Raises:
        InputError: the file is empty, damaged or unreadable, or knows none of the words; or a line has
            another form, and then its number is told.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "glove.txt")
        >>> _ = file.write_text("the 1 2\ncat 3 4\n")
        >>> places, values = read_vectors(str(file), ("dog", "cat", "The"))
        >>> places.tolist(), values.tolist()
        ([1, 2], [[3.0, 4.0], [1.0, 2.0]])
    """
    spellings = [(word.encode(), word.lower().encode()) for word in words]
    wanted = {spelling for both in spellings for spelling in both}
    found: dict[bytes, list[float]] = {}
    size = 0
    for number, line in enumerate(_lines(path), 1):
        blanks = line.count(b" ")
        if number == 1:
            announced = _announced(line)
            size = blanks if announced is None else announced
            if announced:
                continue
        if not 0 < size <= blanks:
            expected = f"{size} numbers" if size else "its numbers"
            raise InputError(
                path, f"expected a word and {expected} separated by blanks, got {blanks}", number
            )
        word, *fields = line.rsplit(b" ", size)
        if word in wanted and word not in found:
            found[word] = _numbers(path, number, fields)
    known: dict[int, list[float]] = {}
    for place, (exact, lower) in enumerate(spellings):
        vector = found.get(exact, found.get(lower))
        if vector is not None:
            known[place] = vector
    if not known:
        raise InputError(
            path, f"expected vectors of words of the text, and none of its {len(words)} is there"
        )
    return Vectors(torch.tensor(list(known)), torch.tensor(list(known.values()), dtype=torch.float))


def _announced(line: bytes) -> int | None:
    """How many numbers a vector has, as a first line of word2vec's says; None where it is another line."""
    fields = [whole_number(field.decode("latin1")) for field in line.split(b" ")]
    return fields[1] if len(fields) == 2 and None not in fields else None


def _lines(path: str) -> Iterator[bytes]:
    """The lines of a file without their ends and the blank that word2vec leaves there."""
    try:
        with open_packed(typed(path)) as lines:
            for line in lines:
                yield line.rstrip(b" \r\n")
    except (EOFError, zlib.error) as error:
        raise InputError(path, f"not an intact gzip archive ({error}); copy or download it again") from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None


def _numbers(path: str, line: int, fields: Sequence[bytes]) -> list[float]:
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise InputError(path, f"expected a word and {len(fields)} finite numbers, got something else", line)
    return numbers
