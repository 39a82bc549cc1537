"""Configurations in YAML files: their keys, and the line of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rnnx.core.config import SECTIONS
from rnnx.core.errors import InputError
from rnnx.core.yaml import yaml


def settings(path: Path) -> dict[str, Any]:
    """The keys of a configuration's file, dotted, and their values, as they stand there.

    Nothing is checked against what is installed, and nothing is added.

    Args:
        path: The file.

    Raises:
        InputError: it is not there, or not YAML 1.2.
    """
    try:
        return dict(flat(read_config(path)[0]))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The content of a YAML file, and the line of each key, dotted.

    Args:
        path: The file.

    Raises:
        InputError: it is not YAML 1.2, holds no plain data, or gives a key twice.
        OSError: it cannot be read.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_bytes().decode()
        content = yaml().load(text) or {}
        json.dumps(content)
        tree = yaml().compose(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(path, f"not UTF-8: byte 0x{error.object[error.start]:02x}", line) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(
            path, f"not YAML 1.2: {error.problem or error.context}", mark and mark.line + 1
        ) from error
    except (YAMLError, TypeError, ValueError, RecursionError) as error:
        raise InputError(path, f"not YAML 1.2 in plain data: {error}") from error
    if not isinstance(content, dict):
        raise InputError(path, f"expected KEY: VALUE lines, got {json.dumps(content)}", 1)
    keys = [key for key, _ in flat(content)]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(path, f"{key} is given twice", _lines(tree)[key])
    return content, _lines(tree)


def flat(content: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """The sections spread out: ``cell.hidden_size`` and its value.

    Example:
        >>> dict(flat({"seed": 3, "cell": {"name": "gru", "hidden_size": 8}}))
        {'seed': 3, 'cell.name': 'gru', 'cell.hidden_size': 8}
    """
    for key, value in content.items():
        if key in SECTIONS and isinstance(value, dict):
            yield from ((f"{key}.{option}", inner) for option, inner in value.items())
        else:
            yield str(key), value


def _lines(tree: Any) -> dict[str, int]:
    """The line of each key and of each key below it, counted from 1."""
    lines = {}
    for key, value in tree.value if tree and tree.id == "mapping" else ():
        lines[key.value] = key.start_mark.line + 1
        if isinstance(value.value, list) and value.id == "mapping":
            lines |= {f"{key.value}.{inner}": line for inner, line in _lines(value).items()}
    return lines
