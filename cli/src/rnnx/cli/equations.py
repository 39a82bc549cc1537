r"""The mathematics of a docstring as lines of plain text: ``h_{t-1} \odot z_t`` is ``hₜ₋₁ ⊙ zₜ``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from unicodedata import combining, normalize

MATH = re.compile(r"^( *)\.\. math::\n+((?:\1 +.*(?:\n|$)|\n)+)", re.MULTILINE)
INLINE = re.compile(r":math:`([^`]+)`")
ROLE = re.compile(r":\w+:`~?(?:[^`]*\.)?([^`.]+)`")
LITERAL = re.compile(r"``(.+?)``", re.DOTALL)
SYMBOLS = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "eta": "η",
    "theta": "θ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
    "psi": "ψ",
    "omega": "ω",
    "Delta": "Δ",
    "Sigma": "Σ",
    "Phi": "Φ",
    "Omega": "Ω",
    "odot": "⊙",
    "oplus": "⊕",
    "otimes": "⊗",
    "cdot": "·",
    "times": "×",
    "circ": "∘",
    "sum": "∑",
    "prod": "∏",
    "partial": "∂",
    "in": "∈",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "ne": "≠",
    "neq": "≠",
    "approx": "≈",
    "infty": "∞",
    "bmod": "mod",
    "to": "→",
    "rightarrow": "→",
    "leftarrow": "←",
    "ldots": "…",
    "dots": "…",
    "lVert": "‖",
    "rVert": "‖",
    "sqrt": "√",
    "top": "T",
    "prime": "′",
    "quad": " ",
    "qquad": "  ",
    ",": " ",
    ";": " ",
    "!": "",
    "left": "",
    "right": "",
    "{": "{",
    "}": "}",
}  # any other command stands for its name, as tanh does
ACCENTS = {
    "tilde": "\N{COMBINING TILDE}",
    "hat": "\N{COMBINING CIRCUMFLEX ACCENT}",
    "bar": "\N{COMBINING MACRON}",
}
ACCENT = re.compile(r"\\(tilde|hat|bar)(?![A-Za-z]) *(?:\{(\\[A-Za-z]+|\w)\}|(\\[A-Za-z]+|\w))")
SUBSCRIPTS = str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
SUPERSCRIPTS = str.maketrans(
    "0123456789+-=()abcdefghijklmnoprstuvwxyzT′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ′"
)
BRACED = r"\{((?:[^{}]|\{[^{}]*\})*)\}"  # whatever stands in braces, with braces in it
INDEX = re.compile(rf"(\w?)([_^])(?:{BRACED}|(\w))(?=(\w?))")  # letter, mark, index or index, what follows

NAME = re.compile(r"[\w{}]*")  # of a gate, a layer


def readable(docstring: str) -> str:
    r"""A docstring as one reads it: its mathematics, literals and references without their markup.

    Example:
        >>> formula = ".. math::\n    y_t &= a \\\\\n    z &= \\sigma(y_{t-1})"
        >>> print(readable(f"A sum of ``x``.\n\n{formula}\n\nIt is large, :math:`\\alpha x_1`."))
        A sum of x.
        <BLANKLINE>
            yₜ = a
             z = σ(yₜ₋₁)
        <BLANKLINE>
        It is large, α x₁.
    """
    spelt = _spelt([block[2] for block in MATH.finditer(docstring)] + INLINE.findall(docstring))
    shown = MATH.sub(lambda block: _aligned(block[2], spelt), docstring)
    shown = INLINE.sub(lambda formula: _plain(formula[1], spelt), shown)
    return LITERAL.sub(r"\1", ROLE.sub(r"\1", shown))


def plain(formula: str) -> str:
    r"""LaTeX in Unicode; what has no sign of its own keeps its name.

    A letter of which one index has no sign has all of them spelt, so that its gates look alike.

    Example:
        >>> plain(r"c_t^{(2)} = \tanh(b_W) \quad \text{(new)}")
        'cₜ⁽²⁾ = tanh(b_W) (new)'
        >>> plain("W_{ir} x_t + W_{iz} x_{t-1}")
        'W_ir xₜ + W_iz xₜ₋₁'
    """
    return _plain(formula, _spelt([formula]))


def _plain(formula: str, spelt: Collection[str]) -> str:
    return re.sub(r"(?<=\S) +", " ", _indexed(_bare(formula), spelt)).rstrip()


def _bare(formula: str) -> str:
    """A formula without its commands."""
    text = re.sub(r"\\(?:text|mathrm|mathbf|operatorname)\{([^{}]*)\}", r"\1", formula)
    text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1) / (\2)", text)
    text = re.sub(r"([_^])(\\[A-Za-z]+)", r"\1{\2}", text)
    text = ACCENT.sub(lambda mark: (mark[2] or mark[3]) + ACCENTS[mark[1]], text)
    text = re.sub(r"\\([A-Za-z]+|[,;!{}])", lambda command: SYMBOLS.get(command[1], command[1]), text)
    return normalize("NFC", text)


def _spelt(formulas: Iterable[str]) -> set[str]:
    """The letters that have a name below for which there is no sign: ``W`` of ``W_r`` and ``W_z``."""
    found = (index for formula in formulas for index in INDEX.finditer(_bare(formula)) if index[2] == "_")
    names = ((index[1], index[3] or index[4]) for index in found)
    return {letter for letter, name in names if NAME.fullmatch(name) and not _has_signs(name, SUBSCRIPTS)}


def _has_signs(inner: str, signs: dict[int, int]) -> bool:
    return all(ord(sign) in signs for sign in inner)


def _indexed(text: str, spelt: Collection[str]) -> str:
    return INDEX.sub(lambda index: index[1] + _small(index, spelt), text)


def _small(index: re.Match[str], spelt: Collection[str]) -> str:
    letter, mark, braced, single, following = index.groups()
    inner = single if braced is None else _indexed(braced, spelt)
    signs = SUBSCRIPTS if mark == "_" else SUPERSCRIPTS
    if _has_signs(inner, signs) and not (mark == "_" and letter and letter in spelt and inner.isalnum()):
        return inner.translate(signs)
    if inner.replace("_", "").isalnum():
        return f"{mark}{inner} " if following else f"{mark}{inner}"
    return f"{mark}({inner})"


def _aligned(block: str, spelt: Collection[str]) -> str:
    r"""The lines of a formula, which LaTeX aligns at ``&``."""
    lines = [line.strip().removesuffix("\\\\") for line in block.strip().splitlines()]
    pairs = [[_plain(part, spelt) for part in line.partition("&")] for line in lines]
    width = max((_width(left) for left, mark, _ in pairs if mark), default=0)
    shown = [f"{' ' * (width - _width(left))}{left} {right}" if mark else left for left, mark, right in pairs]
    return "\n".join(f"    {line}".rstrip() for line in shown) + "\n\n"


def _width(text: str) -> int:
    """The places that a text takes; an accent has none of its own."""
    return sum(not combining(letter) for letter in text)
