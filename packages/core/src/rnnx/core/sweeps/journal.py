"""A study in a file, which processes that are killed do not spoil."""

from __future__ import annotations

import os
from pathlib import Path
from typing import final

from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock


def journal(path: Path) -> JournalStorage:
    """Optuna's storage in a file that several processes write, on one machine or on a shared file system.

    Args:
        path: The file; it and its folder are made if they are not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path), Turn(path)))


@final
class Turn(BaseJournalFileLock):
    """The turn to write: the operating system passes it on when its holder dies.

    A line that its writer left unfinished is taken away first, as Optuna could read nothing after it.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        """Waits for it."""
        self._lock.acquire()
        with self.path.open("rb+") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            if file.read() not in (b"", b"\n"):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Passes it on."""
        self._lock.release()
