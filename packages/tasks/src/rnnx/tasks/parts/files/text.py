"""Text files: exact lines, exact characters within them, and an error that says where a byte is wrong."""

from __future__ import annotations

import codecs
import difflib
import gzip
import re
import zlib
from pathlib import Path
from typing import Final

from rnnx.core.errors import InputError, UsageError
from rnnx.core.paths import typed
from rnnx.core.reading import note
from rnnx.tasks.parts.files.gzip_text import open_packed

DIGITS: Final = re.compile(r"[0-9]{1,18}")


def read_lines(path: str | Path) -> list[str]:
    r"""The lines of a text file, plain or ``.gz``.

    Only a line feed ends a line (never U+0085, U+2028 and the like, which may stand inside one); a carriage
    return before it is dropped. The last line feed ends the last line and begins no other.

    Args:
        path: A UTF-8 file; a byte order mark is dropped, and a name in ``.gz`` is unpacked.

    Raises:
        UsageError: there is no such file.
        InputError: a folder, an empty or unreadable file, a damaged archive, or bytes that are not UTF-8.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "train.en")
        >>> _ = file.write_bytes(b"one\xc2\x85two\r\nthree\n")
        >>> read_lines(file)
        ['one\x85two', 'three']
    """
    return split_lines(read_text(path))


def read_text(path: str | Path) -> str:
    r"""Every character of a text file, plain or ``.gz``, with a line feed for each line end.

    A carriage return before a line feed is dropped, as Python's own :func:`open` does: else the same text
    would have one character more a line, and another score, where it was saved on Windows. Others stay.

    Args:
        path: As for :func:`read_lines`, whose errors are raised here too.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "a.txt")
        >>> _ = file.write_bytes(b"one\r\nt\rwo\n")
        >>> read_text(file)
        'one\nt\rwo\n'
    """
    path = typed(path)
    raw = _read_bytes(path)
    note(path, raw)
    if not raw:
        raise InputError(path, "the file is empty; expected UTF-8 text")
    try:
        return unix(raw.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        line_start = raw.rfind(b"\n", 0, error.start) + 1
        raise InputError(
            path,
            f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start - line_start + 1} of the line; "
            f"convert the file, for example with iconv -f {_likely(raw)} -t utf-8",
            line=raw.count(b"\n", 0, error.start) + 1,
        ) from None


def unix(text: str) -> str:
    r"""A text whose lines end with a line feed alone, as :func:`read_text` gives it.

    Example:
        >>> unix("one\r\ntwo\r")
        'one\ntwo\r'
    """
    return text.replace("\r\n", "\n")


def split_lines(text: str) -> list[str]:
    r"""The lines of a text, as :func:`read_lines` gives them.

    Example:
        >>> split_lines("a b\n\nc\u2028d")
        ['a b', '', 'c\u2028d']
    """
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def whole_number(text: str) -> int | None:
    """The number that a text of digits says; None where it is something else, or longer than any count.

    Example:
        >>> whole_number("07"), whole_number("-7"), whole_number("7" * 99)
        (7, None, None)
    """
    return int(text) if DIGITS.fullmatch(text) else None


def _likely(raw: bytes) -> str:
    """The encoding of bytes that are not UTF-8: one that they are marked with, else the commonest."""
    return "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin1"


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(path, "this is a folder; expected a text file")
    try:
        with open_packed(path) as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: no such file; {what_there_is(path)}") from None
    except EOFError:
        raise InputError(path, "the gzip archive is cut off; copy or download it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(path, f"not an intact gzip archive ({error}); copy or download it again") from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None


def what_there_is(path: Path) -> str:
    """What may be meant by a path at which there is no file, as the end of a sentence."""
    if path.is_symlink():
        return f"it is a link to '{path.readlink()}', which is not there"
    if not path.parent.is_dir():
        return f"there is no folder '{path.parent}' either; check the path"
    alike = difflib.get_close_matches(path.name, sorted(entry.name for entry in path.parent.iterdir()))
    return f"did you mean {' or '.join(repr(name) for name in alike)}?" if alike else "check the path"
