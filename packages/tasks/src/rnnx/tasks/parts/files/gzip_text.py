"""A gzip file, unpacked as it is read, and never to much more than it is."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any, BinaryIO, Final, cast, final

from rnnx.core.errors import InputError

RATIO: Final = 100  # text shrinks to a third, tables to a twentieth, a bomb to a thousandth
FREE: Final = 64 * 2**20  # bytes that any file may unpack to


def suffix(path: Path) -> str:
    """The suffix of a file's name that says what it holds, be it packed or not.

    Example:
        >>> suffix(Path("train.tsv")), suffix(Path("train.tsv.gz"))
        ('.tsv', '.tsv')
    """
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def open_packed(path: Path) -> BinaryIO:
    r"""A file to read from; a name that ends in ``gz`` says that it is packed.

    Args:
        path: The file.

    Returns:
        It, in binary. Reading it raises an :class:`~rnnx.core.errors.InputError` where it unpacks to more
        than 64 MiB and 100 times its size; where it is no gzip, or damaged, what :mod:`gzip` raises.

    Raises:
        OSError: there is no such file, or it cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "a.gz")
        >>> _ = path.write_bytes(gzip.compress(b"one\ntwo\n"))
        >>> with open_packed(path) as file:
        ...     list(file)
        [b'one\n', b'two\n']
    """
    if not path.name.endswith((".gz", ".tgz")):
        return path.open("rb")
    return cast("BinaryIO", io.BufferedReader(_Unpacked(path)))


@final
class _Unpacked(io.RawIOBase):
    """What a gzip file holds, up to a limit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._limit = max(FREE, RATIO * path.stat().st_size)
        self._file = gzip.open(path)  # noqa: SIM115

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check(offset if whence == io.SEEK_SET else self.tell() + offset)
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        self._check(self.tell())
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _check(self, position: int) -> None:
        if position > self._limit:
            raise InputError(
                self.path,
                f"expected text that was packed, and it unpacks to more than {self._limit / 2**20:,.0f} MiB, "
                f"{RATIO} times its size; if you trust it, unpack it first",
            )
