"""Columns of a Hugging Face data set, from the hub or local files, without waiting for a dead network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from ssl import SSLError
from textwrap import shorten
from typing import IO, Any, Final, NamedTuple, final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from rnnx.core.errors import InputError, RunError, UsageError
from rnnx.core.paths import typed

FORMATS: Final = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv"}
PATIENCE = 3.0  # seconds that the hub has to answer in
SHOWN: Final = 40  # characters of a value that is refused


@final
class HubSplit(NamedTuple):
    """One split of a data set.

    Attributes:
        path: An id such as ``bentrevett/multi30k``, a local folder, or a ``.parquet``, ``.json``, ``.jsonl``
            or ``.csv`` file.
        config_name: The configuration; None where the data set has no more than one.
        name: The split's name (``train``, or a slice such as ``train[:90%]``).
        option: The option that names it, for errors.

    Example:
        >>> str(HubSplit("owner/name", None, "train", "train_split"))
        'owner/name (train)'
    """

    path: str
    config_name: str | None
    name: str
    option: str

    def __str__(self) -> str:
        """What errors call it."""
        return f"{self.path} ({self.name})"


def read_columns(split: HubSplit, columns: Mapping[str, str]) -> list[list[str]]:
    """The texts of some columns of one split; a missing value is the empty text.

    Before a data set of the hub is asked for, its server (``HF_ENDPOINT``, through the environment's proxy if
    there is one) must answer within 3 seconds. With ``HF_HUB_OFFLINE=1`` nothing is asked, and only what an
    earlier run has downloaded is used.

    Args:
        split: The split.
        columns: The options that name the columns, and their names; one inside another is ``translation.de``.

    Raises:
        UsageError: there is no such data set, configuration, split or column.
        InputError: a column holds something else than text.
        RunError: the hub cannot be reached, or the library cannot load the data.
    """
    table = _table(split, columns.items())
    return [_texts(split, column, list(table[column])) for column in columns.values()]


def read_lists(split: HubSplit, columns: Mapping[str, str]) -> list[list[list[str]]]:
    """The lists of texts in some columns of one split, the words of a sentence, say; a missing one is empty.

    A class of a :class:`datasets.ClassLabel` is its name.

    Args:
        split: As for :func:`read_columns`, whose errors are raised here too.
        columns: The options that name the columns, and their names.
    """
    table = _table(split, columns.items())
    return [_lists(split, column, table) for column in columns.values()]


def read_labels(split: HubSplit, columns: Mapping[str, str]) -> list[list[str]]:
    """The labels in some columns of one split: texts, integers, or the names of a ``datasets.ClassLabel``.

    A missing one is the empty text, as is a class of a negative number, by which the hub hides test labels.

    Args:
        split: As for :func:`read_columns`, whose errors are raised here too.
        columns: The options that name the columns, and their names.
    """
    table = _table(split, columns.items())
    return [_labels(split, column, table) for column in columns.values()]


def read_images(
    split: HubSplit, image: tuple[str, str], texts: tuple[str, Sequence[str]]
) -> tuple[Sequence[Any], list[list[str]]]:
    """The images in a column of one split, and the texts in others: of each row all that there are.

    The images stay where they are, and are not decoded: :func:`image_file` opens one of them.

    Args:
        split: As for :func:`read_columns`, whose errors are raised here too.
        image: The option that names the column of the images, and its name.
        texts: The option that names the columns of the texts, and their names. A row of each holds a text, a
            list of texts, or nothing.
    """
    import datasets  # type: ignore[import-untyped]

    (_, image_column), (text_option, text_columns) = image, texts
    table = _table(split, [image, *((text_option, column) for column in text_columns)])
    kind = table.features[image_column]
    if not isinstance(kind, datasets.Image):
        raise InputError(
            split.path, f"expected images in column '{image_column}' of '{split.name}', got {kind}"
        )
    found: list[list[str]] = [[] for _ in range(len(table))]
    for column in text_columns:
        for row, value in enumerate(table[column], 1):
            values = [value] if isinstance(value, str) else value or []
            if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
                raise InputError(
                    split.path,
                    f"expected a text or a list of texts in column '{column}' of '{split.name}', "
                    f"got {shorten(repr(value), SHOWN)} in row {row}",
                )
            found[row - 1].extend(values)
    return table.cast_column(image_column, datasets.Image(decode=False))[image_column], found


def image_file(image: Any, path: str, name: str) -> Path | IO[bytes]:
    """The file of an image that :func:`read_images` found.

    Args:
        image: It.
        path: The data set. Where its images are files by themselves, only those in its folder, if it is a
            local one, and in the library's cache are opened.
        name: What an error calls the image.

    Raises:
        InputError: there is none, or it lies elsewhere.

    Example:
        >>> image_file({"bytes": b"P5 1 1 255 7", "path": None}, "owner/name", "row 1").read()
        b'P5 1 1 255 7'
    """
    import datasets

    if image is None or image == {"bytes": None, "path": None}:
        raise InputError(name, "expected an image, and there is none")
    if image["bytes"] is not None:
        return BytesIO(image["bytes"])
    file = Path(image["path"])
    roots = (typed(path), datasets.config.HF_CACHE_HOME, datasets.config.HF_DATASETS_CACHE)
    if not any(file.resolve().is_relative_to(Path(root).resolve()) for root in roots):
        raise InputError(name, f"the image is said to be '{file}', which is no file of the data set")
    return file


def _table(split: HubSplit, columns: Iterable[tuple[str, str]]) -> Any:
    """One split, which has these columns, each after the option that names it."""
    import datasets

    path = split.path
    builder, files = _location(path)
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        table = datasets.load_dataset(
            builder, split.config_name, data_files=files, split=split.name
        ).flatten()
    except FileNotFoundError:
        raise UsageError(
            f"data.path: there is no data set '{path}' on the hub, or none that you may read; check the id"
        ) from None
    except ValueError as error:
        raise UsageError(
            f"data.{split.option}: '{split.name}' of '{path}' cannot be had: {_first_line(error)}"
        ) from None
    except Exception as error:  # the library's, its formats' and its network's have nothing in common
        raise RunError(f"'{path}' cannot be loaded: {_first_line(error)}") from None
    unknown = [
        f"data.{option}: '{path}' has no column '{column}'; its columns are {', '.join(table.column_names)}"
        for option, column in columns
        if column not in table.column_names
    ]
    if unknown:
        raise UsageError(*unknown)
    return table


def _location(path: str) -> tuple[str, str | None]:
    """What the library calls the loader and the files; a hub's id is checked for a way to the hub."""
    local = typed(path).absolute()
    if local.is_dir():
        return str(local), None
    if local.is_file():
        if local.suffix not in FORMATS:
            raise UsageError(f"data.path: '{path}' ends in none of {', '.join(FORMATS)}")
        return FORMATS[local.suffix], str(local)
    if path.startswith((".", "/", "~")) or path.count("/") > 1 or local.suffix in FORMATS:
        raise UsageError(f"data.path: there is no file or folder '{path}'; check the path")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() not in {"1", "ON", "YES", "TRUE"}:
        _refuse_without_network(path)
    return path, None


def _refuse_without_network(path: str) -> None:
    """Asks first, as the library tries for half a minute, and longer where a server never answers."""
    hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if not _answers(hub):
        raise RunError(
            f"'{path}' is a data set of {urlsplit(hub).hostname}, which cannot be reached; connect to the "
            "network, give a local file or folder as data.path, or set HF_HUB_OFFLINE=1 if it was downloaded "
            "before"
        )


def _answers(hub: str) -> bool:
    try:
        build_opener().open(Request(hub, method="HEAD"), timeout=PATIENCE).close()
    except HTTPError as error:
        return error.code < 500
    except URLError as error:
        return isinstance(error.reason, SSLError)  # the library has certificates of its own
    except (OSError, HTTPException):
        return False
    return True


def _texts(split: HubSplit, column: str, values: list[object]) -> list[str]:
    texts = []
    for row, value in enumerate(values, 1):
        if value is not None and not isinstance(value, str):
            raise InputError(
                split.path,
                f"expected text in column '{column}' of '{split.name}', "
                f"got {type(value).__name__} in row {row}",
            )
        texts.append(value or "")
    return texts


def _lists(split: HubSplit, column: str, table: Any) -> list[list[str]]:
    import datasets

    kind = table.features[column]
    lists = [values or [] for values in table[column]]
    if isinstance(kind, datasets.List) and isinstance(kind.feature, datasets.ClassLabel):
        return [kind.feature.int2str(values) for values in lists]
    for row, values in enumerate(lists, 1):
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InputError(
                split.path,
                f"expected a list of texts in column '{column}' of '{split.name}', "
                f"got {shorten(repr(values), SHOWN)} in row {row}",
            )
    return lists


def _labels(split: HubSplit, column: str, table: Any) -> list[str]:
    import datasets

    kind = table.features[column]
    values = list(table[column])
    if isinstance(kind, datasets.ClassLabel):
        return ["" if value is None or value < 0 else kind.int2str(value) for value in values]
    return _texts(split, column, [str(value) if type(value) is int else value for value in values])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
