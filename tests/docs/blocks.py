"""The blocks of code on the pages that people read, and which of them are not run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXCUSE = re.compile(r"<!-- not run: (.+?) -->\s*", re.DOTALL)
SHELL = ("sh", "console")
NAME = re.compile(r"# ([\w./-]+\.\w+)")  # on the first line of a block: the file it is


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        page: Its page, from the root.
        line: The first line of its text, counted from 1.
        language: The word after the fence.
        text: What is in it.
        excuse: Why it is not run, as the comment above it says; empty where it is.
    """

    page: str
    line: int
    language: str
    text: str
    excuse: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The name on the first line of a block that is a file."""
        named = NAME.match(self.text)
        return named[1] if named and self.language not in SHELL else None

    @property
    def commands(self) -> list[list[str]]:
        """The words of every ``rnnx`` in a block of the shell, without those that stand for others."""
        return [words for line in self._lines for words in _calls(line)]

    @property
    def _lines(self) -> list[str]:
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return lines


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, excuse = [], ""
    for token in MarkdownIt("commonmark").parse(path.read_text("utf-8")):
        if token.type == "html_block":
            comment = EXCUSE.fullmatch(token.content)
            excuse = comment[1] if comment else ""
        elif token.type == "fence":
            assert token.map
            language = token.info.partition(" ")[0]
            page = path.relative_to(ROOT).as_posix()
            found.append(Block(page, token.map[0] + 2, language, token.content, excuse))
            excuse = ""
        elif token.nesting >= 0:
            excuse = ""
    return found


def _calls(line: str) -> Iterator[list[str]]:
    """What follows ``rnnx`` or ``-m rnnx.cli``, up to the end of its command."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    call: list[str] | None = None
    for word in lexer:
        if word in ("rnnx", "rnnx.cli"):
            call = []
        elif call is not None and set(word) <= set("|&;<>"):
            yield call
            call = None
        elif call is not None and word != "...":
            call.append(word)
    if call is not None:
        yield call
