"""The Python standard library's own source: a real corpus that every machine with Python has."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from rnnx.core.errors import RunError

GENERATED = frozenset({"keyword", "stringprep", "token"})


def library_source(characters: int) -> str:
    """The first characters of the standard library's modules, one after another in the order of their names.

    The modules are the single files of ``sys.stdlib_module_names``: no packages (so no tests, no
    ``lib2to3``), nothing that is installed beside the library, none of the tables in :data:`GENERATED`, and
    only sources that are pure ASCII, so that the alphabet has fewer than 100 characters. Python 3.11 to
    3.13 have more than four million characters of it. Another version of Python gives another text.

    Args:
        characters: Length of the text, at least 1: it is cut there, in the middle of a line too. The text is
            shorter where the library is.

    Raises:
        RunError: This Python comes without the sources of its library (in a zip file, frozen, compiled only).

    Example:
        >>> library_source(12)
        '\"\"\"Record of'
    """
    library = Path(sysconfig.get_paths()["stdlib"])
    paths = [library / f"{name}.py" for name in sorted(sys.stdlib_module_names - GENERATED)]
    sources = [path.read_text(encoding="utf-8") for path in paths if path.is_file()]
    text = "".join(source for source in sources if source.isascii())
    if not text:
        raise RunError(
            f"{library}: expected the source files of Python's standard library (*.py), found none; "
            "give a text of your own with data=files data.text=FILE"
        )
    return text[:characters]
