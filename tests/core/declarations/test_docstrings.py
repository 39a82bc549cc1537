from __future__ import annotations

import sys

import pytest

from rnnx.core.declarations.docstrings import arguments, documentation, paper, summary


@pytest.mark.usefixtures("components")
def test_docstrings_are_read_without_an_import() -> None:
    assert summary("components:Plain") == "Does it."
    assert documentation("components:Plain").startswith(
        "Does it.\n\nMore of it.\n\nArgs:\n    hidden_size: Width"
    )
    assert summary("components:Method.predict") == "Predicts."
    assert summary("components:function") == "Fits."
    assert summary("components:Bare") == ""
    assert paper("components:Plain") == 'Somebody 1999, "A paper".'
    assert "components" not in sys.modules


@pytest.mark.usefixtures("components")
def test_only_the_whole_documentation_is_worth_an_import() -> None:
    assert summary("computed:Conditional") == ""
    assert "computed" not in sys.modules
    assert documentation("computed:Data") == "Data.\n\nArgs:\n    path: Where."


def test_arguments_reads_google_style() -> None:
    docstring = """Head: not one.

    Args:
        a: First
            goes on: here.

            And here.
        b (int, optional): Second.
        *c: Third.
        d:
            Fourth.

    Raises:
        e: Not one.
    """
    assert arguments(docstring) == {
        "a": "First goes on: here. And here.",
        "b": "Second.",
        "c": "Third.",
        "d": "Fourth.",
    }
    assert arguments("") == {}
