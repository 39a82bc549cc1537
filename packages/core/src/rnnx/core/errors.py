"""What is told to the user without a traceback: warnings, and errors with their exit codes."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import final


class RnnxError(Exception):
    """The base of every error whose text is meant for the user.

    ``str(error)`` is the whole message: what was expected, what came, where, and what to do.
    """

    exit_code: int = 1


@final
class UsageError(RnnxError):
    r"""Something the user typed does not exist or has the wrong form; exit code 2.

    Args:
        *problems: One sentence each; all of them are shown at once.

    Example:
        >>> str(UsageError("cell: no such cell 'gruu'", "seed: 'x' is not an integer"))
        "cell: no such cell 'gruu'\nseed: 'x' is not an integer"
    """

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@final
class InputError(RnnxError):
    """The content of a file is not what its format demands; exit code 1.

    Args:
        path: The file.
        problem: What was expected and what came, one sentence.
        line: The line of the file, counted from 1, where there is one.

    Example:
        >>> str(InputError("a.de", "not UTF-8: byte 0xff at column 4", line=7))
        'a.de:7: not UTF-8: byte 0xff at column 4'
    """

    def __init__(self, path: str | Path, problem: str, line: int | None = None) -> None:
        super().__init__(f"{path}: {problem}" if line is None else f"{path}:{line}: {problem}")
        self.path, self.problem, self.line = path, problem, line


@final
class RunError(RnnxError):
    """Anything else that failed while running, said in one sentence; exit code 1."""


class RnnxWarning(UserWarning):
    """The base of every warning whose text is meant for the user; the command line shows it as a sentence."""


@final
class RunWarning(RnnxWarning):
    """Something about a run is not as it may seem, or of no use; the run goes on."""


@final
class Interrupted(BaseException):
    """A signal stopped the run; no ``except Exception`` on the way is to swallow it; exit code 128 + signal.

    Args:
        signum: The signal.

    Attributes:
        folder: That of the run, if it goes on from there.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum
        self.folder: Path | None = None

    @property
    def exit_code(self) -> int:
        """As a shell has it.

        Example:
            >>> Interrupted(signal.SIGINT).exit_code, Interrupted(signal.SIGTERM).exit_code
            (130, 143)
        """
        return 128 + self.signum
