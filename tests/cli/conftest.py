"""The command line in processes of its own, and one small run that many tests look at."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

SMALL = (
    "data.train=200",
    "data.valid=20",
    "data.test=20",
    "trainer.max_epochs=1",
    "cell.hidden_size=16",
    "task.embedding_size=16",
    "logger=csv",
)


class CommandLine:
    """``rnnx`` in a folder.

    Args:
        folder: It.
        program: What starts it, by default a Python of its own.
    """

    def __init__(
        self, folder: Path, program: Sequence[str | Path] = (sys.executable, "-m", "rnnx.cli")
    ) -> None:
        self.folder, self.program = folder, program

    def __call__(self, *words: str, stdin: str | bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.program, *words],
            cwd=self.folder,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )


@pytest.fixture
def rnnx(tmp_path: Path) -> CommandLine:
    """The command line in an empty folder."""
    return CommandLine(tmp_path)


@pytest.fixture
def quick(tmp_path: Path, programs: Path) -> CommandLine:
    """The same in processes that have torch already: for commands whose own start is shown elsewhere."""
    return CommandLine(tmp_path, [programs / "rnnx-as-typed"])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, subprocess.CompletedProcess[str]]:
    """The command line in a folder with the run ``it's small``, and how that went; to be left as it is."""
    command = CommandLine(tmp_path_factory.mktemp("trained"))
    return command, command("run", "task=nmt", *SMALL, "name=it's small")


@pytest.fixture
def using(trained: tuple[CommandLine, subprocess.CompletedProcess[str]], programs: Path) -> CommandLine:
    """``trained``'s command line, in processes that have torch already."""
    return CommandLine(trained[0].folder, [programs / "rnnx-as-typed"])
