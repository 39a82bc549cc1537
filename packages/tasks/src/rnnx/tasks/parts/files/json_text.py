"""JSON from a file: what it says, or a sentence about what is wrong with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from rnnx.core.errors import InputError

HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")  # of a character, also where the other half follows


def parsed(text: str, path: str | Path, line: int | None = None) -> Any:
    r"""What a text in JSON says.

    Args:
        text: The text.
        path: The file that it was found in.
        line: Its line there; None for the whole file, and then the line of the fault is told.

    Raises:
        InputError: it is no JSON, nested too deep, or has half a character in it, which no file can hold.

    Example:
        >>> parsed('{"text": "a dog", "label": 1}', "dogs.jsonl", line=1)
        {'text': 'a dog', 'label': 1}
        >>> parsed('["a",\n]', "dogs.json")
        Traceback (most recent call last):
            ...
        rnnx.core.errors.InputError: dogs.json:2: not JSON: Expecting value at column 1
    """
    try:
        value = json.loads(text)
        if HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        where = error.lineno if line is None else line
        raise InputError(path, f"not JSON: {error.msg} at column {error.colno}", where) from None
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InputError(path, f"expected whole characters, got half of one, {half!r}", line) from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"JSON that cannot be read: {error}", line) from None
    return value
