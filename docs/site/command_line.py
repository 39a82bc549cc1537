"""The commands and their options, as Typer knows them."""

from __future__ import annotations

import re

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from docs.site.page import Page
from rnnx.cli.app import app

EXAMPLE = re.compile(r"^((?:echo .* \| )?rnnx .*)$", re.MULTILINE)  # a line of a docstring; usage has a $


def pages() -> list[Page]:
    """One page: every command."""
    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="rnnx", title="Command line")
    return [Page("command-line.md", EXAMPLE.sub(r"```sh\n\1\n```", text))]
