"""A model by itself, in a folder that others can be given: weights, configuration, vocabulary, and a card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_model

from rnnx.core.errors import InputError, RunError, UsageError
from rnnx.core.exporting.card import card
from rnnx.core.files import make_folder, write_text
from rnnx.core.runs import CONFIG, RESULT

if TYPE_CHECKING:
    from rnnx.core.run import Run

WEIGHTS: Final = "model.safetensors"
MODEL: Final = "model.json"  # what else the model is made from: how cells are stacked, and what the data is
CARD: Final = "README.md"


def is_exported(folder: Path) -> bool:
    """Whether a folder is one that :func:`write` wrote."""
    return (folder / WEIGHTS).is_file()


def write(run: Run, folder: Path) -> None:
    """Writes a model into a new folder, which is there once it is whole.

    ``rnnx predict`` and :meth:`rnnx.core.run.Run.load` take it as they take a run's.

    Args:
        run: The model.
        folder: Where; none may be there.

    Raises:
        UsageError: there is something.
        RunError: the disk does not take it.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already, and nothing in it is overwritten; give another folder")
    make_folder(folder.parent)
    try:
        with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            made = Path(temporary) / folder.name
            make_folder(made)
            parts = {name: run.task.hparams[name] for name in ("net", "meta")}
            write_text(made / MODEL, json.dumps(parts, ensure_ascii=False) + "\n")
            save_model(run.task, str(made / WEIGHTS))
            shutil.copymode(made / MODEL, made / WEIGHTS)  # safetensors lets its owner alone read it
            run.config.dump(made / CONFIG)
            if run.checkpoint is None and (run.folder / RESULT).is_file():
                shutil.copy(run.folder / RESULT, made)
            write_text(made / CARD, card(run, folder.name))
            made.rename(folder)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder}: could not be written: {error}") from error


def read(folder: Path) -> dict[str, Any]:
    """What :func:`write` wrote, in the form of a checkpoint; nothing in the files is executed.

    Raises:
        InputError: a file is damaged, or is none of rnnx's.
    """
    try:
        parts = json.loads((folder / MODEL).read_text("utf-8"))
        if not isinstance(parts, dict) or not {"net", "meta"} <= parts.keys():
            raise ValueError("expected an object with net and meta")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(folder / MODEL, f"expected what rnnx export wrote: {error}") from error
    path = folder / WEIGHTS
    try:
        weights = load_file(path)
        with safe_open(path, "pt") as file:
            same = file.metadata() or {}  # of parameters that are one, the names that were left out
        weights |= {name: weights[kept] for name, kept in same.items() if kept in weights}
    except (OSError, SafetensorError) as error:
        raise InputError(path, f"expected weights as safetensors, but it is damaged: {error}") from error
    return {"hyper_parameters": parts, "state_dict": weights}
