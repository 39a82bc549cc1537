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
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from rnnx.core.errors import InputError, RunError, UsageError
from rnnx.core.paths import typed

FORMATS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv"}
PATIENCE = 3.0  # seconds
SHOWN = 40  # characters of a value that is refused


def read_columns(
    path: str, config_name: str | None, split: tuple[str, str], columns: Mapping[str, str]
) -> list[list[str]]:
    """The texts of some columns of one split; a missing value is the empty text.

    Before a data set of the hub is asked for, its server (``HF_ENDPOINT``, through the environment's proxy if
    there is one) must answer within 3 seconds. With ``HF_HUB_OFFLINE=1`` nothing is asked, and only what an
    earlier run has downloaded is used.

    Args:
        path: An id such as ``bentrevett/multi30k``, a local folder, or a ``.parquet``, ``.json``, ``.jsonl``
            or ``.csv`` file.
        config_name: The configuration, where a data set has several.
        split: The option that names the split, and its name (``train``, or a slice such as ``train[:90%]``).
        columns: The options that name the columns, and their names; one inside another is ``translation.de``.

    Raises:
        UsageError: there is no such data set, configuration, split or column.
        InputError: a column holds something else than text.
        RunError: the hub cannot be reached, or the library cannot load the data.
    """
    table = _table(path, config_name, split, columns.items())
    return [_texts(path, split[1], column, list(table[column])) for column in columns.values()]


def read_lists(
    path: str, config_name: str | None, split: tuple[str, str], columns: Mapping[str, str]
) -> list[list[list[str]]]:
    """The lists of texts in some columns of one split, the words of a sentence, say; a missing one is empty.

    A class of a :class:`datasets.ClassLabel` is its name.

    Args:
        path: As for :func:`read_columns`, whose errors are raised here too.
        config_name: The configuration, where a data set has several.
        split: The option that names the split, and its name.
        columns: The options that name the columns, and their names.
    """
    table = _table(path, config_name, split, columns.items())
    return [_lists(path, split[1], column, table) for column in columns.values()]


def read_labels(
    path: str, config_name: str | None, split: tuple[str, str], columns: Mapping[str, str]
) -> list[list[str]]:
    """The labels in some columns of one split: texts, integers, or the names of a ``datasets.ClassLabel``.

    A missing one is the empty text, as is a class of a negative number, by which the hub hides test labels.

    Args:
        path: As for :func:`read_columns`, whose errors are raised here too.
        config_name: The configuration, where a data set has several.
        split: The option that names the split, and its name.
        columns: The options that name the columns, and their names.
    """
    table = _table(path, config_name, split, columns.items())
    return [_labels(path, split[1], column, table) for column in columns.values()]


def read_images(
    path: str,
    config_name: str | None,
    split: tuple[str, str],
    image: tuple[str, str],
    texts: tuple[str, Sequence[str]],
) -> tuple[Sequence[Any], list[list[str]]]:
    """The images in a column of one split, and the texts in others: of each row all that there are.

    The images stay where they are, and are not decoded: :func:`image_file` opens one of them.

    Args:
        path: As for :func:`read_columns`, whose errors are raised here too.
        config_name: The configuration, where the data set has several.
        split: The option that names the split, and its name.
        image: The option that names the column of the images, and its name.
        texts: The option that names the columns of the texts, and their names. A row of each holds a text, a
            list of texts, or nothing.
    """
    import datasets  # type: ignore[import-untyped]

    columns = [image, *((texts[0], column) for column in texts[1])]
    table = _table(path, config_name, split, columns)
    kind = table.features[image[1]]
    if not isinstance(kind, datasets.Image):
        raise InputError(path, f"expected images in column '{image[1]}' of '{split[1]}', got {kind}")
    found: list[list[str]] = [[] for _ in range(len(table))]
    for column in texts[1]:
        for row, value in enumerate(table[column], 1):
            values = [value] if isinstance(value, str) else value or []
            if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
                raise InputError(
                    path,
                    f"expected a text or a list of texts in column '{column}' of '{split[1]}', "
                    f"got {shorten(repr(value), SHOWN)} in row {row}",
                )
            found[row - 1].extend(values)
    return table.cast_column(image[1], datasets.Image(decode=False))[image[1]], found


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


def _table(
    path: str, config_name: str | None, split: tuple[str, str], columns: Iterable[tuple[str, str]]
) -> Any:
    """One split, which has these columns."""
    import datasets

    option, name = split
    builder, files = _location(path)
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        table = datasets.load_dataset(builder, config_name, data_files=files, split=name).flatten()
    except FileNotFoundError:
        raise UsageError(
            f"data.path: there is no data set '{path}' on the hub, or none that you may read; check the id"
        ) from None
    except ValueError as error:
        raise UsageError(f"data.{option}: '{name}' of '{path}' cannot be had: {_first_line(error)}") from None
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


def _texts(path: str, split: str, column: str, values: list[object]) -> list[str]:
    texts = []
    for row, value in enumerate(values, 1):
        if value is not None and not isinstance(value, str):
            raise InputError(
                path,
                f"expected text in column '{column}' of '{split}', got {type(value).__name__} in row {row}",
            )
        texts.append(value or "")
    return texts


def _lists(path: str, split: str, column: str, table: Any) -> list[list[str]]:
    import datasets

    kind, lists = table.features[column], [values or [] for values in table[column]]
    if isinstance(kind, datasets.List) and isinstance(kind.feature, datasets.ClassLabel):
        return [kind.feature.int2str(values) for values in lists]
    for row, values in enumerate(lists, 1):
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InputError(
                path,
                f"expected a list of texts in column '{column}' of '{split}', "
                f"got {shorten(repr(values), SHOWN)} in row {row}",
            )
    return lists


def _labels(path: str, split: str, column: str, table: Any) -> list[str]:
    import datasets

    kind, values = table.features[column], list(table[column])
    if isinstance(kind, datasets.ClassLabel):
        return ["" if value is None or value < 0 else kind.int2str(value) for value in values]
    return _texts(path, split, column, [str(value) if type(value) is int else value for value in values])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
