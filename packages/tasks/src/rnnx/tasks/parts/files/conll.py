"""Files of columns, as the shared tasks of CoNLL have them: a word a line, a blank line after a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple, final

from rnnx.tasks.parts.files.text import read_lines

DOCUMENT: Final = "-DOCSTART-"
COMMENT: Final = "#"
BLANKS: Final = " \t"


@final
class Row(NamedTuple):
    """A line.

    Attributes:
        line: Its number, from 1.
        columns: What stands in it; a column between two tabs may be empty.
    """

    line: int
    columns: list[str]


def read_rows(path: str | Path, comments: bool = False) -> list[list[Row]]:
    r"""The sentences of a file, each with one row or more.

    Columns are separated by a tab each, or by blanks where a line has no tab: a no-break space and the like
    are part of a word. A line of nothing but blanks and tabs ends a sentence, and so does one that begins
    with ``-DOCSTART-``.

    Args:
        path: As for :func:`rnnx.tasks.parts.files.text.read_lines`, whose errors are raised here too.
        comments: Whether lines that begin with ``#`` before a sentence's first word are none of its rows, as
            in CoNLL-U; else they are, as a word may be ``#``.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "eng.train")
        >>> _ = file.write_text("-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\t\nHe PRP O\n")
        >>> for sentence in read_rows(file):
        ...     print(*sentence, sep="\n")
        Row(line=3, columns=['EU', 'NNP', 'I-NP', 'I-ORG'])
        Row(line=4, columns=['rejects', 'VBZ', 'I-VP', 'O'])
        Row(line=6, columns=['He', 'PRP', 'O'])
    """
    sentences: list[list[Row]] = [[]]
    for number, line in enumerate(read_lines(path), 1):
        if line.startswith(DOCUMENT) or not line.strip(BLANKS):
            sentences.append([])
        elif sentences[-1] or not (comments and line.startswith(COMMENT)):
            sentences[-1].append(Row(number, _columns(line)))
    return [sentence for sentence in sentences if sentence]


def _columns(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else [column for column in line.split(" ") if column]
