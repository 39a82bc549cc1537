"""A page that is made from the program, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        uri: Its file, from the folder ``docs``.
        text: Its Markdown.
        files: What it shows, by the file's name from ``docs``: pictures.
    """

    uri: str
    text: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
