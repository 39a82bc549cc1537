r"""The mathematics of a docstring as lines of plain text: ``h_{t-1} \odot z_t`` is ``hₜ₋₁ ⊙ zₜ``."""

from __future__ import annotations

import re

MATH = re.compile(r"^( *)\.\. math::\n+((?:\1 +.*(?:\n|$)|\n)+)", re.MULTILINE)
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
SUBSCRIPTS = str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
SUPERSCRIPTS = str.maketrans("0123456789+-=()in", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁱⁿ")


def readable(docstring: str) -> str:
    r"""A docstring as one reads it: its mathematics, literals and references without their markup.

    Example:
        >>> formula = ".. math::\n    y_t &= a \\\\\n    z &= \\sigma(y_{t-1})"
        >>> print(readable(f"A sum of ``x``.\n\n{formula}\n\nIt is large."))
        A sum of x.
        <BLANKLINE>
            yₜ = a
             z = σ(yₜ₋₁)
        <BLANKLINE>
        It is large.
    """
    shown = MATH.sub(lambda block: _aligned(block[2]), docstring)
    return LITERAL.sub(r"\1", ROLE.sub(r"\1", shown))


def plain(formula: str) -> str:
    r"""One line of LaTeX in Unicode; what has no sign of its own keeps its name.

    Example:
        >>> plain(r"c_t^{(2)} = \tanh(b_W) \quad \text{(new)}")
        'cₜ⁽²⁾ = tanh(b_W) (new)'
    """
    text = re.sub(r"\\(?:text|mathrm|mathbf|operatorname)\{([^{}]*)\}", r"\1", formula)
    text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1) / (\2)", text)
    text = re.sub(r"\\([A-Za-z]+|[,;!{}])", lambda command: SYMBOLS.get(command[1], command[1]), text)
    text = re.sub(r"_(?:\{([^{}]*)\}|(\w))", lambda index: _small(index, "_", SUBSCRIPTS), text)
    text = re.sub(r"\^(?:\{([^{}]*)\}|(\w))", lambda index: _small(index, "^", SUPERSCRIPTS), text)
    return re.sub(r"(?<=\S) +", " ", text).rstrip()


def _small(index: re.Match[str], mark: str, signs: dict[int, int]) -> str:
    inner = index[1] if index[1] is not None else index[2]
    if all(ord(sign) in signs for sign in inner):
        return inner.translate(signs)
    return f"{mark}{inner}" if len(inner) == 1 else f"{mark}{{{inner}}}"


def _aligned(block: str) -> str:
    r"""The lines of a formula, which LaTeX aligns at ``&``."""
    lines = [line.strip().removesuffix("\\\\") for line in block.strip().splitlines()]
    pairs = [[plain(part) for part in line.partition("&")] for line in lines]
    width = max(len(left) for left, mark, _ in pairs if mark) if any(mark for _, mark, _ in pairs) else 0
    shown = [f"{left:>{width}} {right}" if mark else left for left, mark, right in pairs]
    return "\n".join(f"    {line}".rstrip() for line in shown) + "\n\n"
