from __future__ import annotations

import pytest

from rnnx.cli.equations import plain, readable


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"h_{t-1} \odot z_t", "hₜ₋₁ ⊙ zₜ"),
        (r"\sigma(W x_t + b_W)", "σ(W xₜ + b_W)"),  # there is no subscript W
        (r"b_{\sigma} + b_{xy}", "b_σ + b_xy"),  # nor σ or y, so the whole index stays
        (r"b_\sigma + W_{xy}h_t", "b_σ + W_xy hₜ"),  # parted from what it is not of
        (r"W_{ir} x_t + W_{iz} x_t + b_r", "W_ir xₜ + W_iz xₜ + bᵣ"),  # one letter, one kind of index
        (r"h_{t-1} + h_y", "hₜ₋₁ + h_y"),  # but numbers are no names
        (r"P_{t, y} + P_t", "P_(t, y) + Pₜ"),  # nor is a pair
        (r"R_{H_l} s_{l-1}", "R_Hₗ sₗ₋₁"),
        (r"U_{kl}^{(f)} h_t^{l+1}", "Uₖₗ⁽ᶠ⁾ hₜˡ⁺¹"),
        (r"\sum_{l \ge k}^{q} a", "∑_(l ≥ k)^q a"),  # neither ≥ nor q
        (r"W^\top x + h^\prime", "Wᵀ x + h′"),
        (r"c_t^{(l)} = x^2", "cₜ⁽ˡ⁾ = x²"),
        (r"\frac{a}{b + 1}", "(a) / (b + 1)"),
        (r"\operatorname{softmax}(x)", "softmax(x)"),
        (r"\max(0, x)", "max(0, x)"),
        (r"\tilde h_t + \tilde{c}_{t-1} + \bar A + \hat{\sigma}", "h̃ₜ + c̃ₜ₋₁ + Ā + σ̂"),
        (r"a \quad \text{(reset after)}", "a (reset after)"),
    ],
)
def test_latex_becomes_unicode(formula, expected):
    assert plain(formula) == expected


def test_lines_are_aligned_at_the_ampersand():
    text = "Before.\n\n.. math::\n    i_t, f_t &= a \\\\\n    h &= b\n\nAfter ``x``."
    assert readable(text) == "Before.\n\n    iₜ, fₜ = a\n         h = b\n\nAfter x."


def test_an_accent_takes_no_place_at_the_ampersand():
    text = ".. math::\n    \\tilde h_t &= a \\\\\n    h &= b\n"
    assert readable(text).rstrip() == "    h̃ₜ = a\n     h = b"


def test_a_formula_may_end_the_docstring():
    assert readable("A.\n\n.. math::\n    h_t = x").rstrip() == "A.\n\n    hₜ = x"


def test_references_lose_their_markup():
    text = "See :class:`rnnx.core.cell.Cell` and :func:`~torch.tanh`, ``a *b*``."
    assert readable(text) == "See Cell and tanh, a *b*."


def test_a_letter_has_one_kind_of_index_in_all_formulas_of_a_text():
    text = ".. math::\n    b_r\n\nwith :math:`x^{l+1}_t` and :math:`b_f`"
    assert readable(text) == "    b_r\n\nwith xˡ⁺¹ₜ and b_f"
