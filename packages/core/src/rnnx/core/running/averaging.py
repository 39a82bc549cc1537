"""The mean of the weights of several checkpoints of one run, as another checkpoint of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from rnnx.core.errors import RunError, UsageError
from rnnx.core.running.checkpoints import WholeFiles, at_step, read_checkpoint
from rnnx.core.runs import CHECKPOINT, CHECKPOINTS, OUT, find_model, folder_of

AVERAGE: Final = f"{CHECKPOINTS}/average{CHECKPOINT}"


def chosen(models: Sequence[str | Path], out: str | Path = OUT) -> list[Path]:
    """The checkpoints whose weights are averaged, each once, in the order of the words.

    Args:
        models: Checkpoints, or a run for all that ``checkpoint.save_top_k`` has kept of it, as of
            :func:`~rnnx.core.runs.find_model`.
        out: The folder that holds runs.

    Raises:
        UsageError: there is no such model, they are of several runs, there are fewer than two, or one is a
            mean already.
    """
    found = [find_model(model, out) for model in models]
    folders = list({folder_of(model).resolve(): str(folder_of(model)) for model in found}.values())
    if len(folders) > 1:
        raise UsageError(
            f"expected checkpoints of one run, got those of {' and '.join(folders)}, and a mean of the "
            f"weights of several is no model; for the mean of their answers: rnnx predict {' '.join(folders)}"
        )
    files = [file for model in found for file in (_kept(model) if model.is_dir() else [model])]
    files = list({file.resolve(): file for file in files}.values())
    for file in files:
        if file.name == Path(AVERAGE).name:
            raise UsageError(
                f"{file}: expected checkpoints of the training, got a mean of some; leave it out"
            )
    if len(files) < 2:
        raise UsageError(
            f"{folders[0]}: expected two checkpoints to average at least, got {len(files)}; name files in "
            f"{Path(folders[0], CHECKPOINTS)}, or train with checkpoint.save_top_k=5, which keeps so many"
        )
    return files


def average(files: Sequence[Path]) -> Path:
    """Writes the mean of the weights of checkpoints into ``checkpoints/average.ckpt`` of their run.

    The mean is taken in double precision, over the steps: of several files after as many steps, as the best
    and the last may be, one counts. Numbers that are not floating, such as counts, are of the checkpoint with
    the most steps.

    Args:
        files: Checkpoints of one run, as of :func:`chosen`.

    Returns:
        The file, which :meth:`rnnx.core.run.Run.load` takes; one of that name is replaced.

    Raises:
        RunError: a checkpoint is damaged, or is of another model; or the disk does not take the file.
    """
    latest = read_checkpoint(files[0])
    shapes = _shapes(latest, files[0])
    total, steps = _doubles(latest), {latest["global_step"]}
    for file in files[1:]:
        checkpoint = read_checkpoint(file)
        if _shapes(checkpoint, file) != shapes:
            raise RunError(f"{file}: expected weights of the shapes in {files[0]}; use the files of one run")
        if checkpoint["global_step"] not in steps:
            total = {name: value + total[name] for name, value in _doubles(checkpoint).items()}
            steps.add(checkpoint["global_step"])
        latest = max(latest, checkpoint, key=lambda one: one["global_step"])
    mean = {
        name: (total[name] / len(steps)).to(value.dtype) if name in total else value
        for name, value in latest["state_dict"].items()
    }
    path = folder_of(files[0]) / AVERAGE
    kept = {name: latest[name] for name in ("hyper_parameters", "global_step")}
    WholeFiles().save_checkpoint({"state_dict": mean} | kept, path)
    return path


def _kept(folder: Path) -> list[Path]:
    """The models of a run that ``checkpoint.save_top_k`` has kept, by their steps."""
    files = folder.glob(at_step("*"))
    return sorted(files, key=lambda file: (len(file.name), file.name))


def _doubles(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    weights = checkpoint["state_dict"].items()
    return {name: value.to(torch.double) for name, value in weights if value.is_floating_point()}


def _shapes(checkpoint: Mapping[str, Any], file: Path) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """What the weights are like; refuses what are none."""
    try:
        int(checkpoint["global_step"])
        return {name: (value.shape, value.dtype) for name, value in checkpoint["state_dict"].items()}
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise RunError(
            f"{file}: expected weights and their step, as rnnx writes them; use another"
        ) from error
