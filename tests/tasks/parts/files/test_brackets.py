"""Bracketed trees against trees written by hand, and against themselves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnx.tasks.parts.files.brackets import Tree, format_tree, parse_tree

ATOM = st.text(st.characters(exclude_characters="() \t\r\n", exclude_categories=["Cs"]), min_size=1)
LINES = st.recursive(
    st.builds("({} {})".format, ATOM, ATOM),
    lambda inner: st.builds(
        lambda label, parts: f"({label} {' '.join(parts)})", ATOM, st.lists(inner, min_size=1, max_size=4)
    ),
)


def test_children_come_before_parents_and_leaves_in_the_order_of_the_text() -> None:
    tree = parse_tree("(3 (2 It) (4 (2 's) (3 (2 so) (3 good))) (2 .))")
    assert tree.words == ["It", "'s", "so", "good", "", "", ".", ""]
    assert tree.labels == ["2", "2", "2", "3", "3", "4", "2", "3"]
    assert tree.parents == [7, 5, 4, 4, 5, 7, 7, -1]
    assert tree.text == "It 's so good ."


def test_a_leaf_alone_and_a_node_with_one_child_are_trees() -> None:
    assert parse_tree("(2 Yes)") == Tree(["Yes"], ["2"], [-1])
    assert parse_tree("(4 (3 (2 Yes)))") == Tree(["Yes", "", ""], ["2", "3", "4"], [1, 2, -1])


def test_only_the_ascii_blank_and_tab_separate() -> None:
    """Three trees of the Stanford Sentiment Treebank have a no-break space in a word."""
    word = "8\u00a01\\/2"
    assert parse_tree(f"(2 (2 -LRB-) (2\t{word}))").words == ["-LRB-", word, ""]
    assert parse_tree("(2 a\u2028b)").words == ["a\u2028b"]


def test_blanks_do_not_matter() -> None:
    assert parse_tree("  ( 3(2 a )  (2  b) ) \t") == parse_tree("(3 (2 a) (2 b))")


@settings(deadline=None)
@given(LINES)
def test_a_tree_is_written_as_it_is_read(line: str) -> None:
    tree = parse_tree(line)
    assert format_tree(tree) == line
    assert parse_tree(format_tree(tree)) == tree
    assert len(tree.words) == line.count("(")
    assert all(parent == -1 or parent > child for child, parent in enumerate(tree.parents))


def test_a_deep_tree_is_no_trouble() -> None:
    line = "(1 " * 5000 + "x" + ")" * 5000
    assert format_tree(parse_tree(line)) == line


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "expected a tree in brackets, got an empty line"),
        ("  \t", "expected a tree in brackets, got an empty line"),
        ("so good", "expected '(', got 'so' at character 1"),
        (")", "expected '(', got ')' at character 1"),
        ("(2 (2 so) (3 good)", "expected ')' for each '(', and 1 is missing at the end"),
        ("(2 (2 so", "expected ')' for each '(', and 2 is missing at the end"),
        ("(2 so))", "expected nothing after the tree, got ')' at character 7"),
        ("(2 so) (2 good)", "expected nothing after the tree, got '(' at character 8"),
        ("(2 so) good", "expected nothing after the tree, got 'good' at character 8"),
        ("((2 so))", "expected a label after '(', got '(' at character 2"),
        ("()", "expected a label after '(', got ')' at character 2"),
        ("(2)", "expected a word or a child after the label, got ')' at character 3"),
        ("(2 so good)", "expected ')' after a leaf's one word, got 'good' at character 7"),
        ("(2 so (3 good))", "expected ')' after a leaf's one word, got '(' at character 7"),
        ("(2 (2 so) good)", "expected '(' or ')' after a child, got 'good' at character 11"),
    ],
)
def test_what_is_no_tree_is_refused(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^expected") as caught:
        parse_tree(line)
    assert str(caught.value) == problem
