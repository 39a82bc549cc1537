"""``rnnx predict``: answers lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from rnnx.cli.arguments import ModelName, Out, PredictWords
from rnnx.core.declarations.validation import Word, validate
from rnnx.core.errors import InputError, UsageError
from rnnx.core.options import Options, options_of
from rnnx.core.registry import find
from rnnx.core.resolution import resolve
from rnnx.core.runs import CONFIG, OUT, divide, find_model, folder_of


def predict(run: ModelName, words: PredictWords = None, out: Out = OUT) -> None:
    """Answer the lines of standard input, one by one, up to one that is not UTF-8.

    echo "una casa" | rnnx predict nmt-gru beam_size=10
    rnnx predict nmt-gru nmt-lstm beam_size=10 < sentences.txt
    rnnx predict nmt-gru/checkpoints/last.ckpt < sentences.txt
    """
    model = find_model(run, out)
    others, words = divide(words or (), out)
    task = find("task", resolve([str(folder_of(model) / CONFIG)]).task.name)
    there = options_of(f"{task.target}.predict")
    word = f"OPTION=VALUE, or another run, and {out} has none of that name"
    options = options_in(words, f"rnnx predict with {task.label}", there, word)

    from rnnx.core.run import Run

    wrong: list[InputError] = []

    def right_lines() -> Iterator[str]:
        try:
            yield from lines_of(sys.stdin.buffer)
        except InputError as error:  # told when those before it are answered
            wrong.append(error)

    for answer in Run.ensemble([model, *others]).predict(right_lines(), **options):
        sys.stdout.buffer.write(f"{answer}\n".encode())
        sys.stdout.buffer.flush()
    for error in wrong:
        raise error


def lines_of(stream: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream as they come, without a byte order mark before the first.

    Raises:
        InputError: a line is not UTF-8.
    """
    for number, line in enumerate(stream, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            yield text.removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            what = f"not UTF-8: byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line"
            raise InputError("standard input", what, number) from None


def options_in(
    words: Sequence[str], label: str, options: Options, expected: str = "OPTION=VALUE"
) -> dict[str, Any]:
    """Options as words give them, and the defaults of the others.

    Args:
        words: ``OPTION=VALUE``.
        label: Whose options they are, as a sentence names it.
        options: Those there are.
        expected: What a word may be, as a sentence about one that is no such thing says it.

    Raises:
        UsageError: all words that give none of them, or a value that cannot be.
    """
    given = {key: Word(text) for key, equals, text in (word.partition("=") for word in words) if equals}
    values, problems = validate("", label, options, given)
    strange = [f"{word!r}: expected {expected}{_to_be_read(word)}" for word in words if "=" not in word]
    if strange or problems:
        raise UsageError(*strange, *problems.values())
    return values


def _to_be_read(word: str) -> str:
    """How a file is read, as the end of a sentence about its name; nothing of another word."""
    return f"; lines are read from standard input: < {quote(word)}" if Path(word).is_file() else ""
