"""A run that is run once: what is done is found again, and what was stopped is gone on with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rnnx.core.comparing.labels import shown
from rnnx.core.config import KEYS, Config
from rnnx.core.config_file import flat
from rnnx.core.errors import RnnxError, UsageError
from rnnx.core.resolution import resolve
from rnnx.core.runs import CONFIG, RESULT, read_result

if TYPE_CHECKING:
    from lightning import Callback

TOLD: Final = 3  # options in one sentence


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
        if differences := _differences(folder, config):
            raise UsageError(_another(folder, differences))
        return read_result(folder)
    if folder.exists():
        if config.baseline is None and not _differences(folder, config):
            return Experiment.resume(folder, command=command, progress=False, callbacks=callbacks).values
        aside = (folder.with_name(f"{folder.name}.interrupted-{number}") for number in count(1))
        folder.rename(next(path for path in aside if not path.exists()))
    return Experiment(config).run(command, progress=False, callbacks=callbacks).values


def refuse_others(configs: Iterable[Config]) -> None:
    """Refuses runs whose folders hold the results of other configurations.

    Args:
        configs: The runs; each has a name.

    Raises:
        UsageError: some do; it tells of the first in what they differ.
    """
    folders = {Path(config.out) / str(config.name): config for config in configs}
    ended = {folder: config for folder, config in folders.items() if (folder / RESULT).is_file()}
    others = {folder: found for folder, config in ended.items() if (found := _differences(folder, config))}
    for folder, differences in others.items():
        raise UsageError(_another(folder, differences, len(others) - 1))


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


def _differences(folder: Path, config: Config) -> list[str]:
    """In what the run of a folder is of another configuration, as typed; empty where it is of this one."""
    try:
        written = resolve([str(folder / CONFIG)])
    except RnnxError:
        return [f"its {CONFIG} cannot be read"]
    there, here = (dict(flat(_comparable(one).to_plain())) for one in (written, config))
    return [
        f"{key.removesuffix('.name')} is {shown(there.get(key))} there and {shown(here.get(key))} here"
        for key in dict.fromkeys((*there, *here))
        if there.get(key) != here.get(key)
    ]


def _another(folder: Path, differences: Sequence[str], more: int = 0) -> str:
    """The sentence by which a folder is refused."""
    beside = f", as {'does' if more == 1 else 'do'} {more} more" if more else ""
    first = ", ".join(differences[:TOLD])
    rest = f" and {len(differences) - TOLD} more" if len(differences) > TOLD else ""
    return (
        f"{folder} holds a run of another configuration{beside}; give another out=FOLDER, or the same words "
        f"({first}{rest})"
    )


def _comparable(config: Config) -> Config:
    """Without the folder, which may have moved, and the hidden size where ``net.match`` solves for it."""
    config = replace(config, name=None, out="")
    if not config.net["match"]:
        return config
    options = {name: value for name, value in config.cell.options.items() if name != "hidden_size"}
    return replace(config, cell=replace(config.cell, options=options))
