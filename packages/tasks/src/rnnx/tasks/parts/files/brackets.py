"""Bracketed trees with a label at every node, as the Penn and the Stanford Sentiment Treebank have them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Final, NamedTuple, final

TOKEN: Final = re.compile(r"[()]|[^() \t\r]+")  # a no-break space is part of its word
SHOWN: Final = 30  # characters of a word that is refused


@final
class Tree(NamedTuple):
    """A tree, its nodes numbered so that children come before their parents and leaves in the text's order.

    Attributes:
        words: Of each node: of a leaf its word, elsewhere empty.
        labels: Of each node.
        parents: Of each node the number of its parent; -1 at the root, which is the last node.
    """

    words: list[str]
    labels: list[str]
    parents: list[int]

    @property
    def text(self) -> str:
        """The words of the leaves, separated by blanks."""
        return " ".join(filter(None, self.words))


def parse_tree(line: str) -> Tree:
    """The tree of a line: ``(LABEL WORD)`` is a leaf, ``(LABEL TREE TREE ...)`` a node with its children.

    Raises:
        ValueError: the line is no tree; what was expected, what came, and at which character.

    Example:
        >>> tree = parse_tree("(4 (1 Not) (3 (2 at) (2 all)))")
        >>> tree.words, tree.labels, tree.parents
        (['Not', 'at', 'all', '', ''], ['1', '2', '2', '3', '4'], [4, 3, 3, 4, -1])
        >>> parse_tree("(4 (1 Not)")
        Traceback (most recent call last):
        ValueError: expected ')' for each '(', and 1 is missing at the end
    """
    tree, opened = Tree([], [], []), list[_Node]()
    for match in TOKEN.finditer(line):
        token = match[0]
        expected = _expected(tree, opened[-1] if opened else None, token)
        if expected:
            got = shorten(token, SHOWN)
            raise ValueError(f"expected {expected}, got {got!r} at character {match.start() + 1}")
        if token == "(":
            opened.append(_Node())
        elif token == ")":
            number = _add(tree, opened.pop())
            if opened:
                opened[-1].children.append(number)
        elif not opened[-1].label:
            opened[-1].label = token
        else:
            opened[-1].word = token
    if opened:
        raise ValueError(f"expected ')' for each '(', and {len(opened)} is missing at the end")
    if not tree.words:
        raise ValueError("expected a tree in brackets, got an empty line")
    return tree


def format_tree(tree: Tree) -> str:
    """The line that :func:`parse_tree` reads the tree from.

    Example:
        >>> format_tree(Tree(["so", "so", ""], ["2", "2", "1"], [2, 2, -1]))
        '(1 (2 so) (2 so))'
    """
    inside = [[word] if word else [] for word in tree.words]
    for number, (label, parent) in enumerate(zip(tree.labels, tree.parents, strict=True)):
        text = f"({label} {' '.join(inside[number])})"
        inside[parent].append(text)
    return text


@final
@dataclass
class _Node:
    """A node whose bracket is open, as far as it was read."""

    label: str = ""
    word: str = ""
    children: list[int] = field(default_factory=list)


def _expected(tree: Tree, node: _Node | None, token: str) -> str:
    """What was to come where this token cannot; empty where it can."""
    if node is None:
        if tree.words:
            return "nothing after the tree"
        return "" if token == "(" else "'('"
    if not node.label:
        return "a label after '('" if token in ("(", ")") else ""
    if node.word:
        return "" if token == ")" else "')' after a leaf's one word"
    if node.children:
        return "" if token in ("(", ")") else "'(' or ')' after a child"
    return "a word or a child after the label" if token == ")" else ""


def _add(tree: Tree, node: _Node) -> int:
    """Puts a node that is whole into the tree, and gives its number."""
    number = len(tree.words)
    tree.words.append(node.word)
    tree.labels.append(node.label)
    tree.parents.append(-1)
    for child in node.children:
        tree.parents[child] = number
    return number
