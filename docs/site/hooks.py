"""What MkDocs calls: puts the pages that are made from the program among those that are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.site import cells, command_line, ledger, options
from docs.site.page import Page

MADE: dict[str, Callable[[], list[Page]]] = {  # by their folder, as mkdocs.yml names it
    "cells/": cells.pages,
    "options/": options.pages,
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Makes the pages, and writes those of a folder into the navigation."""
    made = {folder: make() for folder, make in MADE.items()}
    config.extra["pages"] = [*chain(*made.values()), *command_line.pages(), *ledger.pages()]
    config.nav = list(_filled(config.nav or [], made))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that were made, and the files they show."""
    for page in config.extra.pop("pages"):
        for uri, content in {page.uri: page.text, **page.files}.items():
            files.append(File.generated(config, uri, content=content))
    return files


def _filled(nav: list[Any], made: dict[str, list[Page]]) -> Iterator[Any]:
    for item in nav:
        if isinstance(item, dict):
            ((title, inside),) = item.items()
            if isinstance(inside, list):
                yield {title: list(_filled(inside, made))}
            elif inside in made:
                yield {title: [page.uri for page in made[inside]]}
            else:
                yield item
        else:
            yield item
