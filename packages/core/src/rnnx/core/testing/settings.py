"""The settings of a component's options that are checked one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rnnx.core.declarations.validation import Word, validate
from rnnx.core.options import Options
from rnnx.core.testing.comparison import require


def settings(
    section: str, label: str, options: Options, plain: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], str]]:
    """The plain setting, then each value of each option that can be counted, set alone.

    Those that can be counted are ``bool`` and ``Literal``, with or without None.

    Args:
        section: What stands before the dot where the user types an option; may be empty.
        label: Whose options they are, as a sentence names it.
        options: See :func:`rnnx.core.options.options_of`.
        plain: Those that are not to have their defaults.

    Returns:
        All options, and what the user would have typed: nothing for the plain setting.

    Raises:
        AssertionError: an option has no default.

    Example:
        >>> from rnnx.core.options import Option
        >>> options = {"depth": Option("depth", int, 1), "tied": Option("tied", bool, True)}
        >>> list(settings("task", "task 'nmt'", options, {"depth": 3}))
        [({'depth': 3, 'tied': True}, ''), ({'depth': 3, 'tied': False}, 'task.tied=false')]
    """
    whole = _validated(section, label, options, plain)
    yield whole, ""
    for name, option in options.items():
        for choice in option.choices:
            changed = _validated(section, label, options, {**whole, name: Word(choice)})
            if changed[name] != whole[name]:
                yield changed, f"{section}.{name}={choice}".lstrip(".")


def _validated(section: str, label: str, options: Options, given: Mapping[str, Any]) -> dict[str, Any]:
    values, problems = validate(section, label, options, given)
    require(not problems, "; ".join(problems.values()))
    return values
