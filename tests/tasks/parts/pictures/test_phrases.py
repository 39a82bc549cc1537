from __future__ import annotations

import re
from html.parser import HTMLParser

from rnnx.tasks.parts.files.brackets import Tree, parse_tree
from rnnx.tasks.parts.pictures.phrases import Phrases

COLOURS = {"bad": "#d55e00", "good": "#0072b2"}


class Nested(HTMLParser):
    """The words below each phrase that has a title, in the order in which phrases begin."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[int] = []
        self.phrases: list[tuple[str | None, str | None, list[str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        colour = re.search("solid (#[0-9a-f]+|transparent)", given.get("style") or "")
        self.open.append(len(self.phrases))
        self.phrases.append((given.get("title"), colour and colour[1], []))

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for number in self.open:
            self.phrases[number][2].extend(data.split())


def test_phrases_lie_within_phrases_in_the_colours_of_their_classes() -> None:
    tree = parse_tree("(bad (? not) (good (so so) (good good&<b>)))")
    html = Phrases("a text", tree, COLOURS).html
    (_, *phrases, whole) = Nested(html).phrases
    assert phrases == [
        ("bad", "#d55e00", ["not", "so", "good&<b>"]),
        ("?", "transparent", ["not"]),
        ("good", "#0072b2", ["so", "good&<b>"]),
        ("so", "transparent", ["so"]),
        ("good", "#0072b2", ["good&<b>"]),
    ]
    assert whole[1:] == ("#d55e00", ["bad"])


def test_a_root_of_no_class_is_given_none() -> None:
    html = Phrases("", Tree(["so"], ["<?>"], [-1]), COLOURS).html
    assert Nested(html).phrases[1:] == [("<?>", "transparent", ["so"])]


def test_a_tree_may_be_deeper_than_python_recurs() -> None:
    deep = 3000
    tree = Tree(["so", *[""] * deep], ["good"] * (deep + 1), [*range(1, deep + 1), -1])
    assert Phrases("", tree, COLOURS).html.count("title=") == deep + 1
