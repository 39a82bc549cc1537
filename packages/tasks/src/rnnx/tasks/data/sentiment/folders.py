"""Texts in a folder for each label, as the Large Movie Review Dataset (Maas et al. 2011) has them."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from rnnx.core.errors import InputError
from rnnx.tasks.data.sentiment.texts import Found, checked
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.gzip_text import open_packed
from rnnx.tasks.parts.files.text import unix

ARCHIVES: Final = (".tar", ".tar.gz", ".tgz")
UNLABELLED: Final = "unsup"  # a folder of texts without labels


def archive_of(path: Path) -> Path | None:
    """The archive that a path leads into, if it does: ``imdb.tar.gz`` of ``imdb.tar.gz/aclImdb/train``."""
    lead = (path, *path.parents)
    return next((part for part in lead if part.name.endswith(ARCHIVES) and part.is_file()), None)


def read(path: Path, skip: bool) -> list[Found]:
    """The texts ``LABEL/NAME.txt`` of a folder, by label and name.

    The folder ``unsup`` has no label and is left out.

    Args:
        path: The folder; it may be in a tar archive, ``FILE.tar.gz/FOLDER``, which is not unpacked.
        skip: Whether texts that cannot be used are left out and counted.

    Raises:
        InputError: there is none, or one is empty or not UTF-8; or the archive is damaged.
    """
    faults, found = Faults(path, skip), list[Found]()
    archive = archive_of(path)
    files = sorted(_unpacked(path) if archive is None else _packed(path, archive))
    if not files:
        raise InputError(path, "expected a folder for each label with a file *.txt for each text in it")
    for label, name, raw in files:
        place = f"{path}/{label}/{name}"
        with faults:
            found.append(checked(Found(_decoded(place, raw), label, place)))
    faults.report(len(files), "texts")
    return found


def _unpacked(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Label, name and content of each text."""
    for file in path.glob("*/*.txt"):
        if file.parent.name != UNLABELLED:
            yield file.parent.name, file.name, file.read_bytes()


def _packed(path: Path, archive: Path) -> Iterator[tuple[str, str, bytes]]:
    folder = PurePosixPath(path.relative_to(archive))
    try:
        with open_packed(archive) as file, tarfile.open(fileobj=file, mode="r:") as members:
            for member in filter(tarfile.TarInfo.isreg, members):  # a link may lead anywhere
                place = PurePosixPath(member.name)
                wanted = place.suffix == ".txt" and place.parent.parent == folder
                if wanted and place.parent.name != UNLABELLED and (content := members.extractfile(member)):
                    yield place.parent.name, place.name, content.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise InputError(archive, f"not an intact archive ({error}); copy or download it again") from None


def _decoded(place: str, raw: bytes) -> str:
    try:
        return unix(raw.decode())
    except UnicodeDecodeError as error:
        raise InputError(
            place, f"not UTF-8: byte 0x{raw[error.start]:02x}", raw.count(b"\n", 0, error.start) + 1
        ) from None
