"""What is wrong in a file: it stops the run, or where that is asked for it is left out and counted."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import final

from rnnx.core.errors import InputError

log = logging.getLogger(__name__)


@final
class Faults:
    """Reads on past wrong examples, if that is asked for.

    Args:
        path: The file.
        skip: Whether an :class:`~rnnx.core.errors.InputError` within ``with`` is counted and goes no further.

    Example:
        >>> faults = Faults("train.txt", skip=True)
        >>> numbers = []
        >>> for line, text in enumerate(["7", "seven", "8"], 1):
        ...     with faults:
        ...         if not text.isdigit():
        ...             raise InputError("train.txt", f"expected a number, got {text!r}", line)
        ...         numbers.append(int(text))
        >>> numbers, len(faults.found)
        ([7, 8], 1)
    """

    def __init__(self, path: str | Path, skip: bool) -> None:
        self.path, self.skip = path, skip
        self.found: list[InputError] = []

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not (self.skip and isinstance(error, InputError)):
            return False
        self.found.append(error)
        return True

    def report(self, total: int, what: str) -> None:
        """Says how many were left out, and why the first was.

        Args:
            total: How many there were.
            what: What they are, in the plural.

        Raises:
            InputError: all of them were.
        """
        if not self.found:
            return
        if len(self.found) == total:
            raise InputError(self.path, f"none of {total} {what} can be used; the first: {self.found[0]}")
        log.warning(
            "'%s': left out %d of %d %s; the first: %s",
            self.path,
            len(self.found),
            total,
            what,
            self.found[0],
        )
