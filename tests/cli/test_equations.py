from __future__ import annotations

import pytest

from rnnx.cli.equations import plain, readable


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"h_{t-1} \odot z_t", "hₜ₋₁ ⊙ zₜ"),
        (r"\sigma(W x_t + b_W)", "σ(W xₜ + b_W)"),  # there is no subscript W
        (r"b_{\sigma} + b_{xy}", "b_σ + b_{xy}"),  # nor σ or y, so the whole index stays
        (r"c_t^{(l)} = x^2", "cₜ^{(l)} = x²"),
        (r"\frac{a}{b + 1}", "(a) / (b + 1)"),
        (r"\operatorname{softmax}(x)", "softmax(x)"),
        (r"\max(0, x)", "max(0, x)"),
        (r"a \quad \text{(reset after)}", "a (reset after)"),
    ],
)
def test_latex_becomes_unicode(formula, expected):
    assert plain(formula) == expected


def test_lines_are_aligned_at_the_ampersand():
    text = "Before.\n\n.. math::\n    i_t, f_t &= a \\\\\n    h &= b\n\nAfter ``x``."
    assert readable(text) == "Before.\n\n    iₜ, fₜ = a\n         h = b\n\nAfter x."


def test_a_formula_may_end_the_docstring():
    assert readable("A.\n\n.. math::\n    h_t = x").rstrip() == "A.\n\n    hₜ = x"


def test_references_lose_their_markup():
    text = "See :class:`rnnx.core.cell.Cell` and :func:`~torch.tanh`, ``a *b*``."
    assert readable(text) == "See Cell and tanh, a *b*."
