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
CHECKPOINTS: Final = "checkpoints"  # the folder in a run's
CHECKPOINT: Final = ".ckpt"  # how the names of the files in it end
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
    if checkpoint := _checkpoint(run, out):
        raise UsageError(
            f"{run}: expected a run, got a checkpoint of one; give the run: {folder_of(checkpoint)}"
        )
    known = ", ".join(names(out)) or f"none yet in {out}"
    raise UsageError(f"no run {str(run)!r}: expected a run's folder or the name of one ({known})")


def find_model(model: str | Path, out: str | Path = OUT) -> Path:
    """A run's folder, which stands for its best model, or the file of one of its checkpoints.

    Args:
        model: A run, as of :func:`find_run`; or such a file, ``RUN/checkpoints/NAME.ckpt``.
        out: The folder that holds runs.

    Raises:
        UsageError: there is no such run or checkpoint, or the file is not in the folder of a run.
    """
    found = _folder(model, out) or _checkpoint(model, out)
    if found is not None:
        return found
    if Path(model).suffix != CHECKPOINT:
        return find_run(model, out)
    form = f"RUN/{CHECKPOINTS}/NAME{CHECKPOINT}"
    for file in _places(model, out):
        if os.path.isfile(file):  # noqa: PTH113
            raise UsageError(
                f"{file}: expected a checkpoint in the folder of its run, {form}, whose {CONFIG} says "
                "what it is of, and there is none; put it there"
            )
        if _is_run(folder_of(file)) and (there := checkpoints(folder_of(file))):
            known = ", ".join(path.name for path in there)
            raise UsageError(f"no checkpoint {str(model)!r}: expected one of {known}, in {there[0].parent}")
    raise UsageError(f"no checkpoint {str(model)!r}: expected {form}")


def folder_of(model: Path) -> Path:
    """The folder of the run that a model is of.

    Args:
        model: As :func:`find_model` gives it.

    Example:
        >>> folder_of(Path("runs/nmt-gru/checkpoints/last.ckpt")).as_posix()
        'runs/nmt-gru'
        >>> folder_of(Path("runs/nmt-gru")).as_posix()
        'runs/nmt-gru'
    """
    if model.suffix != CHECKPOINT or os.path.isdir(model):  # noqa: PTH112
        return model
    return Path(os.path.normpath(model / ".." / ".."))  # where the user stands in that folder too


def checkpoints(folder: Path) -> list[Path]:
    """The files of a run's checkpoints, by name.

    Args:
        folder: The run's.
    """
    return sorted((folder / CHECKPOINTS).glob(f"*{CHECKPOINT}"))


def divide(words: Sequence[str], out: str | Path = OUT) -> tuple[list[Path], list[str]]:
    """The models among some words, and the other words.

    Args:
        words: Models, each as of :func:`find_model`, and options.
        out: The folder that holds runs.

    Raises:
        UsageError: a word is no option, and nearly the name of a run, or a checkpoint that there is not.
    """
    models, others = list[Path](), list[str]()
    for word in words:
        model = _folder(word, out) or _checkpoint(word, out)
        if model is None and "=" not in word and _is_nearly_a_model(word, out):
            model = find_model(word, out)
        if model is None:
            others.append(word)
        else:
            models.append(model)
    return models, others


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
    return next((place for place in _places(run, out) if _is_run(place)), None)


def _checkpoint(word: str | Path, out: str | Path) -> Path | None:
    """The file of a run's checkpoint; None if there is none."""
    files = (place for place in _places(word, out) if place.suffix == CHECKPOINT)
    return next((file for file in files if os.path.isfile(file) and _is_run(folder_of(file))), None)  # noqa: PTH113


def _is_nearly_a_model(word: str, out: str | Path) -> bool:
    path = Path(word)
    return path.suffix == CHECKPOINT or bool(get_close_matches(path.name, names(out)))


def _places(word: str | Path, out: str | Path) -> tuple[Path, Path]:
    """Where what was typed may be."""
    return Path(word), Path(out) / word


def _is_run(folder: Path) -> bool:
    return os.path.isfile(folder / CONFIG)  # noqa: PTH113 - False for what no folder can be called


def _runs_of(word: str, out: Path) -> dict[str, Path]:
    places = (Path(word), out / word)
    holding = next((place for place in places if names(place)), None)
    if holding is None or any((place / CONFIG).is_file() for place in places):
        return {word: find_run(word, out)}
    return {str(Path(word) / name): holding / name for name in names(holding)}


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(type(number) in NUMBER for number in value.values())
