"""``rnnx play``: watch a trained model, on a page of this machine or in the terminal."""

from __future__ import annotations

import json
import os
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rnnx.cli.arguments import ModelName, Out, ViewWords
from rnnx.cli.commands.predict import lines_of, options_in
from rnnx.cli.screen import say
from rnnx.core.errors import InputError, UsageError
from rnnx.core.runs import OUT, SAMPLES, find_model

if TYPE_CHECKING:
    from rnnx.core.exhibits.view import View
    from rnnx.core.run import Run

EXAMPLES: Final = 5

Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Where the page is; the first from 7860 that is free.")
]
Open = Annotated[
    bool | None,
    typer.Option("--open/--no-open", help="Open the browser; as default, where there is a screen."),
]
Terminal = Annotated[bool, typer.Option("--terminal", help="Answer lines of standard input; no page.")]
Title = Annotated[str | None, typer.Option("--view", help="What to watch in the terminal.")]


def play(
    run: ModelName,
    words: ViewWords = None,
    port: Port = None,
    open_: Open = None,
    terminal: Terminal = False,
    view: Title = None,
    out: Out = OUT,
) -> None:
    """Type something and watch what a trained model makes of it, on a page that only this machine sees.

    rnnx play nmt-gru
    """
    words = words or []
    of_no_use: dict[str, object] = {"--port": port, "--open": open_} if terminal else {"--view": view}
    idle = [option for option, value in of_no_use.items() if value is not None]
    if not terminal:
        idle += words
    if idle:
        raise UsageError(
            f"{', '.join(idle)}: of no use {'with' if terminal else 'without'} --terminal; leave it out"
        )
    model = find_model(run, out)
    if not terminal:
        _require_gradio()

    from rnnx.core.run import Run
    from rnnx.core.running.interruption import Interruption

    trained = Run.load(model)
    with Interruption():
        if terminal:
            _answer(_named(trained.task.views(), view), words)
        else:
            _serve(
                title(trained),
                trained.task.views(),
                _lines(trained.folder),
                port,
                _has_screen() if open_ is None else open_,
            )


def _serve(title: str, views: Sequence[View], lines: Sequence[str], port: int | None, opened: bool) -> None:
    """Serves the page until a signal comes."""
    from rnnx.cli.page import served

    with served(title, views, lines, port) as address:
        typer.echo(f"play at {address} (Ctrl-C ends it)")
        if opened:
            webbrowser.open(address)
        threading.Event().wait()


def _answer(view: View, words: Sequence[str]) -> None:
    """Shows the lines of standard input, one by one; of one that cannot be read it is told why."""
    options = options_in(words, f"the view '{view.title}'", view.options)
    refused = False
    for number, line in enumerate(lines_of(sys.stdin.buffer), 1):
        try:
            *_, exhibits = view.show(line, options)
        except InputError as error:
            say(f"rnnx: {InputError('the input', error.problem, number)}")
            refused = True
            continue
        for heading, exhibit in exhibits.items():
            if exhibit.text:
                between = "\n" if "\n" in exhibit.text else " "
                typer.echo(f"{heading}:{between}{exhibit.text}")
    if refused:
        raise typer.Exit(InputError.exit_code)


def _named(views: Sequence[View], title: str | None) -> View:
    """The view that is asked for.

    Raises:
        UsageError: there is none.
    """
    named = {view.title: view for view in views}
    if title is None:
        return views[0]
    if title not in named:
        raise UsageError(f"--view: expected one of {', '.join(named)}, got {title!r}")
    return named[title]


def title(run: Run) -> str:
    """Which model the page is of."""
    name = run.folder.resolve().name
    model = name if run.checkpoint is None else f"{name}, {run.checkpoint.name}"
    return f"{model}: {run.config.task.name}, {run.config.cell.name}"


def _lines(folder: Path) -> list[str]:
    """Examples: what the model read when it was tested."""
    path = folder / SAMPLES
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [next(iter(row.values()))["text"] for row in rows[:EXAMPLES]]


def _require_gradio() -> None:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when it is imported
    try:
        import gradio  # noqa: F401
    except ImportError:
        raise UsageError(
            "rnnx play needs Gradio, which is not installed: pip install 'rnnx[play]'; or say --terminal"
        ) from None


def _has_screen() -> bool:
    """Whether a browser would be seen."""
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))
