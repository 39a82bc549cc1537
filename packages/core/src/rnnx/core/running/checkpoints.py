"""The checkpoints of a run: where they lie, how they are written and read, and when."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, final

import torch
from lightning.fabric.plugins import CheckpointIO

from rnnx.core.bounds import Count, NonNegative, Positive
from rnnx.core.errors import RunError, UsageError
from rnnx.core.files import make_folder, replacing
from rnnx.core.runs import CHECKPOINT, CHECKPOINTS

BEST, LAST, PREVIOUS = (f"{CHECKPOINTS}/{name}{CHECKPOINT}" for name in ("best", "last", "previous"))


def at_step(step: int | Literal["*"]) -> str:
    """Where a run keeps the model that it had after a number of steps, if it keeps several; ``*`` for all.

    Example:
        >>> at_step(1200)
        'checkpoints/step-1200.ckpt'
    """
    return f"{CHECKPOINTS}/step-{step}{CHECKPOINT}"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content; nothing in the file is executed.

    Raises:
        UsageError: there is no such file.
        RunError: the file is cut off, or is no checkpoint of rnnx's.
    """
    if not path.is_file():
        raise UsageError(
            f"{path}: expected a checkpoint, and there is no such file; did the run finish an epoch?"
        )
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        whole = zipfile.is_zipfile(path)
        reason = (
            "it holds something other than tensors and plain data"
            if whole
            else "it is cut off or no checkpoint"
        )
        raise RunError(
            f"{path}: expected a checkpoint, but {reason}; use another one, or train again"
        ) from error
    if not isinstance(checkpoint, dict) or not {"state_dict", "hyper_parameters"} <= checkpoint.keys():
        raise RunError(
            f"{path}: expected a checkpoint of rnnx's, but it holds no model; use a file that rnnx wrote"
        )
    return checkpoint


def latest(folder: Path, say: Callable[[str], None]) -> Path | None:
    """The checkpoint from which a run goes on: its last one, or the one before where the last is damaged.

    Args:
        folder: The run's folder.
        say: Gets a line about a damaged one.

    Returns:
        The file; None where the run has written none yet.

    Raises:
        RunError: there are some, and all are damaged.
    """
    found = [folder / name for name in (LAST, PREVIOUS) if (folder / name).is_file()]
    for number, path in enumerate(found, 1):
        try:
            if "rnnx" not in read_checkpoint(path):
                raise RunError(f"{path}: expected a checkpoint to go on from, but it holds a model alone")
        except RunError as error:
            if number == len(found):
                raise
            say(f"{error}; going on from {found[number]}")
        else:
            return path
    return None


@final
class WholeFiles(CheckpointIO):
    """Lightning's way to its checkpoints: written whole or not at all, and read without execution."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Writes a file; the old one is kept at ``storage_options``, if that is a path."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        path = Path(path)
        make_folder(path.parent)
        with replacing(path, storage_options) as file:
            file.write(content.getbuffer())

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """As :func:`read_checkpoint`."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Removes a file."""
        Path(path).unlink(missing_ok=True)


@final
class Checkpoint:
    """Which model is the best, how many are kept, and when a run writes what it can go on from.

    It does so before each validation in any case.

    Args:
        monitor: The validation metric that chooses the best model, and that ``stopping.patience`` and
            ``schedule=plateau`` follow: ``loss``, or one of the task's; the task's own choice if not said.
        save_top_k: How many of the best models are kept: of several each as ``step-N.ckpt``, beside
            ``best.ckpt``; -1 for that of each validation.
        every_n_train_steps: Steps between two checkpoints to go on from; 0 for no such rule.
        every_n_minutes: Minutes between two checkpoints to go on from; 0 for no such rule.
    """

    def __init__(
        self,
        *,
        monitor: str | None = None,
        save_top_k: Positive | Literal[-1] = 1,
        every_n_train_steps: Count = 0,
        every_n_minutes: NonNegative = 5.0,
    ) -> None:
        self.monitor, self.save_top_k = monitor, save_top_k
        self.every_n_train_steps, self.every_n_minutes = every_n_train_steps, every_n_minutes
