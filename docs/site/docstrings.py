"""Docstrings of the reference, on their way into mkdocstrings: their references and formulas as Markdown."""

from __future__ import annotations

from typing import Any, final

from griffe import Extension, Object

from docs.site.prose import references


@final
class Docstrings(Extension):
    """What mkdocs.yml names under ``extensions``."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Rewrites the docstring of a module, class or function."""
        if obj.docstring:
            obj.docstring.value = references(obj.docstring.value)
