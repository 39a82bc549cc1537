"""A docstring as Markdown: its mathematics as MathML, which browsers draw, its references as code."""

from __future__ import annotations

import re
from textwrap import dedent

from latex2mathml.converter import convert

from rnnx.cli.commands.show import SECTION
from rnnx.cli.equations import INLINE, MATH, ROLE

EXAMPLE = re.compile(r"^Example:\n((?: .*\n?|\n)+)", re.MULTILINE)


def markdown(docstring: str) -> str:
    r"""The docstring without its sections.

    Example:
        >>> print(markdown("Adds ``x``, as :meth:`Cell.step` does.\n\nArgs:\n    x: One."))
        Adds ``x``, as `step` does.
    """
    return references(SECTION.split(docstring, maxsplit=1)[0].strip())


def references(docstring: str) -> str:
    r"""The whole docstring, in which formulas, and references to other names, are as Markdown has them.

    Example:
        >>> references("As :func:`rnnx.core.engine.scan`::")
        'As `scan`:'

        A formula is no paragraph of its own, which Markdown would make of one that begins a line:

        >>> references("Is\n:math:`x`, or not").startswith("Is\n<span><math")
        True
    """
    text = MATH.sub(lambda block: f"{formula(block[2])}\n\n", docstring)
    text = INLINE.sub(lambda found: f"<span>{convert(found[1])}</span>", text)
    text = ROLE.sub(r"`\1`", text)
    return re.sub(r"::$", ":", text, flags=re.MULTILINE)


def formula(latex: str) -> str:
    r"""A formula on lines of its own; several are aligned where LaTeX aligns them.

    Example:
        >>> formula(r"y &= x \\ z &= y").count("<mtr>")
        2
    """
    latex = dedent(latex).strip()
    if "&" in latex and r"\begin" not in latex:
        latex = rf"\begin{{align*}}{latex}\end{{align*}}"
    return f'<div class="formula">{convert(latex, display="block")}</div>'


def example(docstring: str) -> str:
    r"""What its section ``Example:`` shows, as a block of code; empty without one.

    Example:
        >>> example("Adds.\n\nExample:\n    >>> 1 + 1\n    2\n").splitlines()
        ['```pycon', '>>> 1 + 1', '2', '```']
    """
    found = EXAMPLE.search(docstring)
    return f"```pycon\n{dedent(found[1]).strip()}\n```" if found else ""
