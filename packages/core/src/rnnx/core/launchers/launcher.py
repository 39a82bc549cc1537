"""What starts the workers of a sweep, somewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from rnnx.core.declarations.validation import Word, validate
from rnnx.core.errors import UsageError
from rnnx.core.options import options_of
from rnnx.core.registry import find
from rnnx.core.spec import Spec


class Launcher(ABC):
    """Runs workers, each in a process of its own; a plugin of the entry-point group ``rnnx.launchers``.

    Args:
        folder: That of the sweep, which all workers see.
        jobs: How many workers there are at once.
    """

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder, self.jobs = folder, jobs

    @abstractmethod
    def run(self, work: Callable[[], None]) -> None:
        """Has one worker work, and waits until it has ended; several threads call this at once.

        Args:
            work: What it does; it can be pickled.

        Raises:
            Exception: the worker did not end well: it raised an exception, or its process died.
        """

    @abstractmethod
    def stop(self) -> None:
        """Ends the workers there are, so that :meth:`run` returns; they may write a checkpoint first."""


def launcher_of(name: str, words: Sequence[str]) -> Spec:
    """A launcher with its options, to be built with the folder and the number of jobs.

    Args:
        name: Of the plugin.
        words: ``OPTION=VALUE``.

    Raises:
        UsageError: there is no such launcher, or it has no such option.

    Example:
        >>> launcher_of("local", ["threads=2"])
        Spec(kind='launcher', name='local', options={'threads': 2})
    """
    plugin = find("launcher", name)
    given = {key: Word(text) for key, _, text in (word.partition("=") for word in words)}
    options, problems = validate("launcher", plugin.label, options_of(plugin), given)
    if problems:
        raise UsageError(*problems.values())
    return Spec("launcher", plugin.name, options)
