"""Plugins: what installed distributions offer under rnnx's entry-point groups. Listing imports nothing."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache, reduce
from typing import Any, final

from rnnx.core.declarations import source
from rnnx.core.errors import RunError, UsageError
from rnnx.core.synonyms import synonym

GROUPS = {
    "cell": "rnnx.cells",
    "task": "rnnx.tasks",
    "data": "rnnx.data",
    "optimizer": "rnnx.optimizers",
    "schedule": "rnnx.schedules",
    "logger": "rnnx.loggers",
    "baseline": "rnnx.baselines",
    "launcher": "rnnx.launchers",
}
KINDS = {group.removeprefix("rnnx."): kind for kind, group in GROUPS.items()}  # by their plural
PER_TASK = ("data", "baseline")  # kinds whose entry points are named TASK.NAME
CHECKABLE = ("cell", "task", "data")  # kinds that have conformance checks


@final
@dataclass(frozen=True)
class Plugin:
    """One entry point.

    Args:
        kind: ``cell``, ``task``, ``data``, ``optimizer``, ``schedule``, ``logger``, ``baseline`` or
            ``launcher``.
        name: Name of the entry point; of data and baselines ``TASK.NAME``.
        target: ``module:attribute``.
        distribution: Name of the distribution that declares it.
        version: Version of that distribution.

    Example:
        >>> plugin = Plugin("data", "nmt.toy", "rnnx.tasks.data.nmt.toy:Toy", "rnnx-tasks", "0.1.0")
        >>> plugin.short, plugin.task, plugin.label, plugin.title
        ('toy', 'nmt', "data 'toy'", "data 'toy' of task 'nmt'")
    """

    kind: str
    name: str
    target: str
    distribution: str
    version: str

    @property
    def short(self) -> str:
        """The name as the user types it, without the task."""
        return split(self.kind, self.name)[1]

    @property
    def task(self) -> str | None:
        """The task that data or a baseline is for; None for other kinds."""
        return split(self.kind, self.name)[0]

    @property
    def label(self) -> str:
        """Kind and short name."""
        return f"{self.kind} {self.short!r}"

    @property
    def title(self) -> str:
        """The label, with the task of what is for one task only."""
        return self.label if self.task is None else f"{self.label} of task {self.task!r}"

    @property
    def origin(self) -> str:
        """The distribution and its version."""
        return f"distribution {self.distribution!r} {self.version}"

    def load(self) -> Any:
        """Imports it.

        Raises:
            RunError: its import raised an exception, which is the cause.
        """
        return load(self.target, f"{self.title} of {self.origin}")


def load(target: str, title: str) -> Any:
    """Imports ``module:attribute``.

    Args:
        target: What to import.
        title: What an error calls it.

    Raises:
        RunError: the import raised an exception, which is the cause.
    """
    module, _, attributes = target.partition(":")
    if not attributes:
        raise RunError(
            f"{title} cannot be imported: its entry point is {target!r}, expected 'module:Class'; mend its "
            "pyproject.toml, and install it again"
        )
    try:
        return reduce(getattr, attributes.split("."), importlib.import_module(module))
    except Exception as error:
        raise RunError(f"{title} cannot be imported: {type(error).__name__}: {error}") from error


def plugins(kind: str) -> list[Plugin]:
    """Every installed plugin of a kind by name, imported or not, broken or not.

    Two distributions may declare one name: both are listed. A distribution found twice counts where an import
    would find it.

    Example:
        >>> {plugin.kind for plugin in plugins("optimizer")} <= {"optimizer"}
        True
    """
    listed = (plugin for plugin in _installed(tuple(sys.path)) if plugin.kind == kind)
    return sorted(listed, key=lambda plugin: (plugin.name, plugin.distribution))


def packages() -> dict[str, Plugin]:
    """A plugin of each package that has some, by the package's name.

    Example:
        >>> packages()["rnnx"].distribution.startswith("rnnx")
        True
    """
    listed = (plugin for kind in GROUPS for plugin in plugins(kind))
    return {plugin.target.partition(":")[0].partition(".")[0]: plugin for plugin in listed}


def find(kind: str, name: str, task: str | None = None) -> Plugin:
    """The plugin of this name.

    Args:
        kind: See :class:`Plugin`.
        name: As the user types it if ``task`` is given, else the name of the entry point.
        task: The task that data or a baseline is for.

    Raises:
        UsageError: there is none of this name; says which there are.
        RunError: two distributions offer it.
    """
    if task is None:
        task, name = split(kind, name)
    there = [plugin for plugin in plugins(kind) if plugin.task == task]
    named = [plugin for plugin in there if plugin.short == name]
    if not named:
        raise UsageError(_unknown(kind, name, task, sorted({plugin.short for plugin in there})))
    if len(named) > 1:
        origins = " and ".join(plugin.origin for plugin in named)
        raise RunError(
            f"{named[0].title} is offered by {origins}; uninstall all but one of "
            "them, or give yours another name in its pyproject.toml, and install it again"
        )
    return named[0]


def trouble(plugin: Plugin) -> str | None:
    """Why a plugin cannot be used, as far as can be told without an import; None where nothing is known."""
    rivals = [other for other in plugins(plugin.kind) if other.name == plugin.name and other != plugin]
    if rivals:
        return f"also offered by {' and '.join(rival.origin for rival in rivals)}"
    if plugin.kind in PER_TASK and plugin.task is None:
        return f"expected an entry point named TASK.NAME, got {plugin.name!r}"
    tasks = [task.name for task in plugins("task")]
    if plugin.task is not None and plugin.task not in tasks:
        return f"there is no task {plugin.task!r}{suggestion(plugin.task, tasks)}"
    return source.obstacle(plugin.target)


def suggestion(name: str, choices: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the closest choice, or nothing if none is close.

    Capitals make no difference.

    Example:
        >>> suggestion("hiden_size", ["hidden_size", "reset"])
        "; did you mean 'hidden_size'?"
        >>> suggestion("xyz", ["hidden_size", "reset"])
        ''
        >>> suggestion("LSTM", ["gru", "lstm"])
        "; did you mean 'lstm'?"
    """
    close = closest(name, choices)
    return f"; did you mean {close!r}?" if close else ""


def closest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that a name is most like, capitals or not, or that is its initials; None if none is close.

    A choice that other programs call by this name is the closest, see :mod:`rnnx.core.synonyms`; then one of
    which the name is a whole word.

    Example:
        >>> closest("epochs", ["max_epochs", "max_steps"])
        'max_epochs'
        >>> closest("beam", ["betas", "beam_size"])
        'beam_size'
        >>> closest("learning_rate", ["lr", "betas"])
        'lr'
        >>> closest("luong", ["additive", "general"])
        'general'
    """
    name, known = name.lower(), {choice.lower(): choice for choice in choices}
    if name not in known and (ours := synonym(name, known)):
        return known[ours]
    wider = [choice for choice in known if name in choice.split("_")]
    close = get_close_matches(name, wider, 1, 0) or get_close_matches(name, known, 1)
    initials = "".join(word[:1] for word in name.split("_"))
    return known[close[0]] if close else known.get(initials)


def split(kind: str, name: str) -> tuple[str | None, str]:
    """The task, if the kind has one, and the short name, of the name of an entry point.

    Example:
        >>> split("data", "nmt.toy"), split("cell", "gru")
        (('nmt', 'toy'), (None, 'gru'))
    """
    task, dot, short = name.partition(".")
    return (task, short) if kind in PER_TASK and dot else (None, name)


def _unknown(kind: str, name: str, task: str | None, choices: list[str]) -> str:
    whose = "" if task is None else f" of task {task!r}"
    plural = GROUPS[kind].rpartition(".")[2]
    hint = suggestion(name, choices)
    return f"{kind}: no such {kind} {name!r}{whose}{hint} ({plural}: {', '.join(choices) or 'none'})"


@lru_cache(maxsize=8)
def _installed(path: tuple[str, ...]) -> tuple[Plugin, ...]:
    kinds = {group: kind for kind, group in GROUPS.items()}
    return tuple(
        Plugin(kinds[entry.group], entry.name, entry.value, distribution.name, distribution.version)
        for distribution in _distributions(path)
        for entry in distribution.entry_points
        if entry.group in kinds
    )


def _distributions(path: tuple[str, ...]) -> Iterator[importlib.metadata.Distribution]:
    """Those that may declare a plugin, each name once."""
    seen = set()
    for distribution in importlib.metadata.distributions(path=list(path)):
        if "[rnnx." not in (distribution.read_text("entry_points.txt") or ""):
            continue
        name = re.sub(r"[-_.]+", "-", distribution.name).lower()
        if name not in seen:
            seen.add(name)
            yield distribution
