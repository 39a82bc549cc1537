"""``rnnx new``: which plugin, where it is written, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from rnnx.cli import completion
from rnnx.cli.screen import display, table
from rnnx.cli.skeleton import Kind, Names, Skeleton
from rnnx.core.paths import typed


def new(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="cell, task or data.")],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Its name; of data TASK.NAME, such as nmt.mine.",
            autocompletion=completion.tasks_of_data,
        ),
    ],
    path: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Where to write it.", show_default="named like it")
    ] = None,
) -> None:
    """Write a new cell, task or data: a small distribution that works as it is, for you to change.

    rnnx new cell mycell
    """
    names = Names(kind, name)
    folder = typed(path or names.distribution)
    Skeleton.of(names).write(folder)
    display(table(("", ""), [(str(folder / file), what) for file, what in _files(names)]))
    typer.echo("\nnext:")
    display(table(("", ""), _steps(names, folder)))


def _files(names: Names) -> list[tuple[str, str]]:
    """What there is to change."""
    match names.kind:
        case "cell":
            return [(f"{names.module}.py", "the equations, and the options")]
        case "task":
            return [
                (f"{names.module}/task.py", "the model, its loss and its score"),
                (f"{names.module}/toy.py", "examples made on the spot"),
            ]
        case "data":
            return [(f"{names.module}/data.py", "how the examples are read")]


def _steps(names: Names, folder: Path) -> Iterator[tuple[str, str]]:
    """Commands, and what each is for."""
    where = shlex.quote(str(folder))
    yield f"pip install -e {where}", "make it known"
    yield f"rnnx check {names.name}", "what must hold of it"
    match names.kind:
        case "cell":
            yield f"rnnx run cell={names.name} task=nmt", "train it, on any task"
            yield f"rnnx bench {names.name}", "its speed next to torch's own"
        case "task":
            yield f"rnnx run task={names.name} cell=gru", "train any cell on it"
        case "data":
            yield f"rnnx run task={names.task} data={names.short}", "train on it"
    yield f"pytest {where}", "the same checks, as tests"
