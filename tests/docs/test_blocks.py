"""Every block of code in the README and in docs/ is run, page by page, or checked where it cannot be."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

import pytest
from typer.main import get_command

from rnnx.cli.app import app
from rnnx.core.resolution import resolve
from rnnx.core.yaml import yaml
from tests.docs.blocks import PAGES, ROOT, SHELL, Block, blocks
from tests.docs.desk import lay

FOUND = {path.relative_to(ROOT).as_posix(): blocks(path) for path in PAGES}
EXCUSED = [block for found in FOUND.values() for block in found if block.excuse]
CONFIGURED = ("run", "find-lr")  # commands whose words are a configuration
PLAIN = ("text", "")  # what is neither code nor commands: output, a tree of files
TOOLS = {
    "pip": """#!/bin/bash
# `pip install -e FOLDER`: a copy, into a folder of the test's
folder=$(realpath "$PWD/${{@: -1}}")
exec {python} -m pip install -qq --no-deps --no-build-isolation --no-index --target "$PYTHONPATH" "$folder"
""",
    "pytest": """#!/bin/bash
# a few of the checks that `rnnx check` has made already
exec {python} -m pytest -p no:cacheprovider -k "paper or meta" "$@"
""",
}


class Desk:
    """An empty folder but for the small files of ``desk.py``, in which a page's blocks are run in order."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder / "desk"
        self.folder.mkdir()
        lay(self.folder)
        installed, tools = folder / "installed", folder / "tools"
        tools.mkdir()
        for name, text in TOOLS.items():
            (tools / name).write_text(text.format(python=sys.executable))
            (tools / name).chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(installed),
        }

    def run(self, block: Block) -> None:
        """Runs a block; one that is a file, as its first line says, is written too."""
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        match block.language:
            case "sh":
                self._shell(block.text, block)
            case "console":
                self._transcript(block)
            case "python":
                script = self.folder / (block.file or "block.py")
                script.write_text(block.text, "utf-8")
                self._shell(f"python {script}", block)
            case "toml":
                tomllib.loads(block.text)
            case "yaml":
                yaml().load(block.text)
            case language:
                assert language in PLAIN, f"{block.place}: nobody knows how to run {language!r}"

    def _shell(self, text: str, block: Block, expected: int | None = 0) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert expected is None or done.returncode == expected, f"{block.place}\n{text}\n{done.stdout}"
        return done.stdout

    def _transcript(self, block: Block) -> None:
        """Each ``$`` line is run, and says what follows it; an ellipsis stands for anything."""
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, output = part.split("\n", 1)
            got = self._shell(command, block, expected=None)
            same = OutputChecker().check_output(output, got, ELLIPSIS | NORMALIZE_WHITESPACE)
            assert same, f"{block.place}\n$ {command}\n{got}"


@pytest.mark.parametrize("page", [page for page, found in FOUND.items() if found])
def test_the_blocks_of_a_page_run_in_order(page: str, tmp_path: Path, programs: Path) -> None:
    desk = Desk(tmp_path, programs)
    for block in FOUND[page]:
        if not block.excuse:
            desk.run(block)


@pytest.mark.parametrize("block", EXCUSED, ids=[f"{block.place} {block.excuse}" for block in EXCUSED])
def test_the_words_of_a_block_that_is_not_run_are_right(block: Block) -> None:
    assert block.language in SHELL
    for name, *words in block.commands:
        get_command(app).commands[name].make_context(name, list(words))
        if name in CONFIGURED:
            resolve([word for word in words if not word.startswith("--")])


def test_the_targets_of_make_that_pages_name_are_there() -> None:
    there = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for found in FOUND.values()
        for block in found
        if block.language in SHELL
        for target in re.findall(r"^make ([\w-]+)", block.text, re.MULTILINE)
    }
    assert named <= there
    assert {"run", "test"} <= named
