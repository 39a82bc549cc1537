"""A run that is run once: what is done is found again, and what was stopped is gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnx.core.config import KEYS, Config
from rnnx.core.errors import RnnxError, UsageError
from rnnx.core.resolution import resolve
from rnnx.core.runs import CONFIG, RESULT, read_result

if TYPE_CHECKING:
    from lightning import Callback


def once(config: Config, command: str = "", callbacks: Sequence[Callback] = ()) -> Mapping[str, Any]:
    """What ``result.json`` of a run holds, as soon as there is one.

    A folder that neither holds a result nor goes on to one is set aside under another name.

    Args:
        config: Of the run; it has a name.
        command: What the user typed, for ``result.json``.
        callbacks: What else happens while it is trained.

    Raises:
        UsageError: its folder holds the result of another configuration.
        RunError: the training failed.
    """
    from rnnx.core.experiment import Experiment

    folder = Path(config.out) / str(config.name)
    if (folder / RESULT).is_file():
        if not _holds(folder, config):
            raise UsageError(f"{folder} holds a run of another configuration; give another out=FOLDER")
        return read_result(folder)
    if folder.exists():
        if config.baseline is None and _holds(folder, config):
            return Experiment.resume(folder, command=command, progress=False, callbacks=callbacks).values
        aside = (folder.with_name(f"{folder.name}.interrupted-{number}") for number in count(1))
        folder.rename(next(path for path in aside if not path.exists()))
    return Experiment(config).run(command, progress=False, callbacks=callbacks).values


def many_processes(config: Config) -> Iterator[str]:
    """What is wrong with a configuration that is to be one of many runs: it must be content with one process.

    Example:
        >>> from rnnx.core.resolution import resolve
        >>> list(many_processes(resolve(["trainer.devices=2"])))
        ['trainer.devices: expected 1, as each of many runs has one process, got 2; ...']
    """
    for option in ("devices", "num_nodes"):
        if config.trainer[option] != 1:
            yield (
                f"trainer.{option}: expected 1, as each of many runs has one process, got "
                f"{config.trainer[option]}; for more runs at once say --jobs"
            )


def essence(config: Config) -> dict[str, Any]:
    """What of a configuration those who share a study have alike: not its seed, its place, or its logger.

    Example:
        >>> from rnnx.core.resolution import resolve
        >>> essence(resolve(["out=here", "seed=2"])) == essence(resolve(["logger=csv"]))
        True
    """
    return {key: value for key, value in config.to_plain().items() if key not in {*KEYS, "logger"}}


def _holds(folder: Path, config: Config) -> bool:
    """Whether the folder is that of a run of this configuration."""
    try:
        written = resolve([str(folder / CONFIG)])
    except RnnxError:
        return False
    return _comparable(written) == _comparable(config)


def _comparable(config: Config) -> Config:
    """Without the folder, which may have moved, and the hidden size where ``net.match`` solves for it."""
    config = replace(config, name=None, out="")
    if not config.net["match"]:
        return config
    options = {name: value for name, value in config.cell.options.items() if name != "hidden_size"}
    return replace(config, cell=replace(config.cell, options=options))
