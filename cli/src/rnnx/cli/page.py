"""A page to play with a trained model in a browser: its views, as blocks of Gradio's."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

from rnnx.core.declarations.validation import Word, schema, validate
from rnnx.core.errors import RnnxError, UsageError
from rnnx.core.options import Option

if TYPE_CHECKING:
    from gradio import Blocks
    from gradio.components import Component

    from rnnx.core.exhibits.view import Exhibits, View

LOOPBACK: Final = "127.0.0.1"
PICTURE: Final = "data:image/png;base64,"

FONTS: Final = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")  # of the machine: none is fetched
STYLE: Final = """
.gradio-container {max-width: 70em !important; margin: auto}
.exhibits h3 {margin: 1em 0 .3em; font-size: 1em; opacity: .7}
.exhibits h3:first-child {margin-top: 0}
.exhibits p {white-space: pre-wrap; overflow-wrap: anywhere; margin: 0}
.exhibits img {background: white; border-radius: .3em}
"""


@contextmanager
def served(title: str, views: Sequence[View], lines: Sequence[str], port: int | None) -> Iterator[str]:
    """Serves the page to this machine alone, until the context is left.

    Args:
        title: What the page is called.
        views: What is on it.
        lines: Examples of what a view reads.
        port: Where; None for the first from 7860 that is free.

    Returns:
        The page's address.

    Raises:
        UsageError: Gradio is not installed, or the port is taken.
    """
    with TemporaryDirectory(prefix="rnnx-play-") as folder:
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": folder}
        blocks = page(title, views, lines, Path(folder))
        try:
            _, address, _ = blocks.launch(
                server_name=LOOPBACK,
                server_port=port,
                share=False,
                inbrowser=False,
                prevent_thread_lock=True,
                quiet=True,
                ssr_mode=False,
                enable_monitoring=False,
                footer_links=[],
                theme=_theme(),
                css=STYLE,
            )
        except OSError:
            taken = "none is free" if port is None else f"{port} is taken; give another, or none"
            raise UsageError(f"--port: {taken}") from None
        try:
            yield address
        finally:
            blocks.close(verbose=False)


def page(title: str, views: Sequence[View], lines: Sequence[str], folder: Path) -> Blocks:
    """The page: a tab for each view, with what it reads, its options, and what it shows.

    Args:
        title: What it is called.
        views: What is on it.
        lines: Examples of what a view reads.
        folder: Where pictures among the examples are put.
    """
    import gradio as gr

    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as blocks:
        gr.Markdown(f"## {title}")
        for view in views:
            with gr.Tab(view.title):
                _view(view, _examples(view, lines, folder))
    return blocks


def _view(view: View, examples: Mapping[str, str]) -> None:
    import gradio as gr

    gr.Markdown(view.about)
    asked: Any = (
        gr.Image(label="picture", type="filepath", format="png", sources=["upload", "clipboard"], height=240)
        if view.reads == "picture"
        else gr.Textbox(label=view.reads, lines=1, max_lines=8, placeholder="Enter shows it")
    )
    shapes = schema(view.options, view.title).model_json_schema().get("properties", {})
    controls: list[Any] = []
    if view.options:
        with gr.Accordion("options", open=view.live), gr.Row():
            controls = [_control(option, shapes[name]) for name, option in view.options.items()]
    button = gr.Button("show", variant="primary")
    exhibits = gr.HTML(elem_classes="exhibits", container=False)
    show: dict[str, Any] = {
        "fn": _answer(view),
        "inputs": [asked, *controls],
        "outputs": exhibits,
        "concurrency_id": "model",
        "concurrency_limit": 1,
        "show_progress": "minimal",
    }
    button.click(**show, api_name=view.title)
    if view.reads != "picture":
        asked.submit(**show, api_visibility="private")
    if view.live:
        changes = [control.change for control in controls]
        gr.on(changes, **show, trigger_mode="always_last", api_visibility="private")
    if examples:
        shown = gr.Examples(
            [[value] for value in examples.values()],
            [asked],
            example_labels=list(examples),
            label="from the test data",
        )
        shown.load_input_event.then(**show, api_visibility="private")


def _answer(view: View) -> Callable[..., Iterator[str]]:
    """What the page calls with the line and the values of the controls."""
    import gradio as gr

    def answer(line: str | None, *values: Any) -> Iterator[str]:
        try:
            options = _options(view, values)
            for exhibits in view.show(line or "", options):
                yield _fragment(exhibits)
        except RnnxError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return answer


def _options(view: View, values: Sequence[Any]) -> dict[str, Any]:
    """What the controls say; a control that is left empty says nothing."""
    given = {
        name: Word(value) if isinstance(value, str) else value
        for name, value in zip(view.options, values, strict=True)
        if value not in (None, "")
    }
    options, problems = validate("", view.title, view.options, given)
    if problems:
        raise UsageError(*problems.values())
    return options


def _control(option: Option, shape: Mapping[str, Any]) -> Component:
    """What an option is set by: its JSON Schema says which values there are."""
    import gradio as gr

    about: dict[str, Any] = {"label": option.name.replace("_", " "), "info": option.doc, "min_width": 240}
    if option.type is bool:
        return gr.Checkbox(option.default, **about)
    if option.choices:
        return gr.Dropdown(list(option.choices), value=_typed(option.default), **about)
    kind = next(kind for kind in shape.get("anyOf", [shape]) if kind.get("type") != "null")
    if kind.get("type") not in ("integer", "number"):
        return gr.Textbox(_typed(option.default), **about)
    low, high = kind.get("minimum"), kind.get("maximum")
    whole = kind["type"] == "integer"
    if None in (low, high, option.default):
        return gr.Number(option.default, precision=0 if whole else None, **about)
    return gr.Slider(low, high, option.default, step=1 if whole else 0.01, **about)


def _typed(value: Any) -> str:
    """A default as the user would type it."""
    import json

    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _fragment(exhibits: Exhibits) -> str:
    """What is to be seen, as HTML."""
    return "".join(
        f"<h3>{escape(heading)}</h3>{exhibit.html or f'<p>{escape(exhibit.text)}</p>'}"
        for heading, exhibit in exhibits.items()
    )


def _examples(view: View, lines: Sequence[str], folder: Path) -> dict[str, str]:
    """What a view may read first, by what it is called on the page."""
    if view.reads == "text":
        return {shorten(line, 60): line for line in lines if line.strip()}
    found = {}
    for number, line in enumerate(lines, 1):
        if view.reads == "picture" and line.startswith(PICTURE):
            path = folder / f"example-{number}.png"
            path.write_bytes(base64.b64decode(line.removeprefix(PICTURE)))
            line = str(path)
        found[f"example {number}"] = line
    return found


def _theme() -> Any:
    import gradio as gr

    return gr.themes.Base(font=FONTS[0], font_mono=FONTS[1])
