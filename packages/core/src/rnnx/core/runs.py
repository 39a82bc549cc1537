"""Where runs lie: their folders, by name."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from math import nan
from pathlib import Path
from typing import Any, Final

from rnnx.core.errors import InputError, UsageError

CONFIG = "config.yaml"
RESULT = "result.json"
DATA = "data.json"  # what was in the files of the data
FLOW = "flow.json"  # of gradients
SAMPLES = "samples/test.json"  # beside it the texts alone, test.tsv
OUT = "runs"  # the folder that holds runs, if not said
NUMBER: Final = (int, float, type(None))
NUMBERS: Final = {"test", "valid", "seconds", "throughput"}  # what a result has as maps of numbers


def names(out: str | Path = OUT) -> list[str]:
    """The names of the runs in a folder, sorted; none where there is no such folder.

    Args:
        out: The folder that holds runs.

    Example:
        >>> names("/no/such/folder")
        []
    """
    return sorted(path.parent.name for path in Path(out).glob(f"*/{CONFIG}"))


def find_run(run: str | Path, out: str | Path = OUT) -> Path:
    """The folder of a run.

    Args:
        run: Such a folder, or its name in ``out``.
        out: The folder that holds runs.

    Raises:
        UsageError: there is none.
    """
    folder = _folder(run, out)
    if folder is not None:
        return folder
    known = ", ".join(names(out)) or f"none yet in {out}"
    raise UsageError(f"no run {str(run)!r}: expected a run's folder or the name of one ({known})")


def divide(words: Sequence[str], out: str | Path = OUT) -> tuple[list[Path], list[str]]:
    """The folders of the runs among some words, and the other words.

    Args:
        words: Runs, each as of :func:`find_run`, and options.
        out: The folder that holds runs.

    Raises:
        UsageError: a word is no option, and nearly the name of a run.
    """
    folders, others = list[Path](), list[str]()
    for word in words:
        folder = _folder(word, out)
        if folder is None and "=" not in word and get_close_matches(Path(word).name, names(out)):
            folder = find_run(word, out)
        if folder is None:
            others.append(word)
        else:
            folders.append(folder)
    return folders, others


def find_runs(words: Sequence[str], out: str | Path = OUT) -> list[Path]:
    """The folders of runs, in the order of the words.

    Args:
        words: Of each run, as of :func:`find_run`; or of all in a folder that holds runs, that folder, or its
            name in ``out``. None for all in ``out``.
        out: The folder that holds runs.

    Raises:
        UsageError: a word is none of these.
    """
    return [folder for word in words or names(out) for folder in _runs_of(word, Path(out)).values()]


def called(words: Sequence[str], out: str | Path = OUT) -> dict[str, Path]:
    """The folders of runs, as of :func:`find_runs`, by what each is called: its word, or ``FOLDER/NAME``.

    Args:
        words: As of :func:`find_runs`.
        out: As there.

    Raises:
        UsageError: as there.
    """
    found: dict[str, Path] = {}
    for word in words or names(out):
        found |= _runs_of(word, Path(out))
    return found


def read_result(folder: str | Path) -> dict[str, Any]:
    """What a run came to: the content of its ``result.json``, a number that is null there as NaN.

    Args:
        folder: The run's folder.

    Raises:
        UsageError: the run has not ended.
        InputError: the file is not what :meth:`rnnx.core.experiment.Experiment.run` writes.
    """
    path = Path(folder) / RESULT
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        again = shlex.join(["rnnx", "resume", str(folder)])
        raise UsageError(
            f"{folder}: there is no {RESULT}, as the run has not ended; if it was stopped, go on with {again}"
        ) from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"not JSON: {error}") from None
    if not isinstance(values, dict) or not all(_are_numbers(values.get(key)) for key in NUMBERS):
        raise InputError(path, f"expected an object with numbers by name under {', '.join(sorted(NUMBERS))}")
    if type(values.get("parameters")) is not int:
        raise InputError(path, "expected an integer under parameters")
    for key in NUMBERS:
        values[key] = {name: nan if number is None else number for name, number in values[key].items()}
    return values


def _folder(run: str | Path, out: str | Path) -> Path | None:
    """The folder of a run; None if there is none."""
    places = (Path(run), Path(out) / run)
    return next((place for place in places if os.path.isfile(place / CONFIG)), None)  # noqa: PTH113


def _runs_of(word: str, out: Path) -> dict[str, Path]:
    places = (Path(word), out / word)
    holding = next((place for place in places if names(place)), None)
    if holding is None or any((place / CONFIG).is_file() for place in places):
        return {word: find_run(word, out)}
    return {str(Path(word) / name): holding / name for name in names(holding)}


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(type(number) in NUMBER for number in value.values())
