"""What the docstring of a component says, read without importing it where its source says it plainly."""

from __future__ import annotations

import ast
import inspect
import re

from rnnx.core.declarations.source import Unreadable, defined
from rnnx.core.declarations.target import UNREADABLE, Target, definitions, imported, path_of


def summary(target: Target) -> str:
    """The first line of the docstring; empty where only an import would tell. Imports nothing.

    Example:
        >>> summary("rnnx.core.errors:UsageError")
        'Something the user typed does not exist or has the wrong form; exit code 2.'
    """
    try:
        return _docstring(path_of(target)).partition("\n")[0]
    except UNREADABLE:
        return ""


def documentation(target: Target) -> str:
    """The whole docstring, without its indentation.

    Raises:
        RunError: only an import would tell, and it fails.

    Example:
        >>> documentation("rnnx.core.errors:RunError")
        'Anything else that failed while running, said in one sentence; exit code 1.'
    """
    try:
        return _docstring(path_of(target))
    except UNREADABLE:
        return inspect.cleandoc(imported(target).__doc__ or "")


def paper(target: Target) -> str:
    """The first line of the module's docstring: of a cell, its paper. Empty where only an import would tell.

    Example:
        >>> paper("rnnx.core.errors:RunError")
        'What is told to the user without a traceback: warnings, and errors with their exit codes.'
    """
    module, _, name = path_of(target).partition(":")
    try:
        source, _statement = defined(f"{module}:{name.partition('.')[0]}")
    except UNREADABLE:
        return ""
    return (ast.get_docstring(source.tree) or "").partition("\n")[0]


def arguments(docstring: str) -> dict[str, str]:
    r"""What the section ``Args:`` of a Google docstring says of each parameter, on one line each.

    Example:
        >>> arguments("Adds.\n\nArgs:\n    x: One\n        number.\n    y (int): Another.")
        {'x': 'One number.', 'y': 'Another.'}
    """
    found: dict[str, list[str]] = {}
    inside, depth = False, 0
    for line in inspect.cleandoc(docstring).splitlines():
        indent = len(line) - len(line.lstrip())
        if indent == 0 and line:
            inside, depth = line in ("Args:", "Arguments:"), 0
        elif inside and line:
            depth = depth or indent
            entry = re.match(r"\**(\w+)(?: \(.*?\))?:(?: +(.*))?$", line.strip()) if indent == depth else None
            if entry:
                found[entry[1]] = [entry[2] or ""]
            elif found:
                found[next(reversed(found))].append(line.strip())
    return {name: " ".join(filter(None, lines)) for name, lines in found.items()}


def _docstring(path: str) -> str:
    """The docstring of a class, function or method as the source has it."""
    found = definitions(path) if "." in path.partition(":")[2] else [(*defined(path), None)]
    _, owner, method = found[-1]
    match method or owner:
        case ast.ClassDef() | ast.FunctionDef() as node:
            return ast.get_docstring(node) or ""
    raise Unreadable(path)
