from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from rnnx.core.exhibits.exhibit import Drawing, Exhibit, Picture, Spans, Text, marked

NASTY = "<b>\"Tom\" & 'Jerry'</b>"
PIXEL = "data:image/png;base64,iVBORw0KGg"


class Reader(HTMLParser):
    """What a browser would show, and the attributes of each element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shown = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.shown += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def figure() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    return figure


def test_a_text_is_all_there_is() -> None:
    assert (Text(NASTY).text, Text(NASTY).html) == (NASTY, None)


def test_pieces_are_shown_with_their_labels_in_their_colours() -> None:
    pieces = [(NASTY, "<A>"), ("met", ""), ("Bo", "B"), ("B", "B")]
    read = Reader(Spans("plain", pieces, {"<A>": "#0072b2", "B": "#e69f00"}).html)
    assert read.shown == f"{NASTY}\xa0<A> met Bo\xa0B B"
    styles = [attributes.get("style") or "" for tag, attributes in read.elements if tag == "span"]
    assert [re.findall("#[0-9a-f]{6}(?=;)", style) for style in styles] == [
        [],
        ["#0072b2"],
        ["#e69f00"],
        ["#e69f00"],
    ]
    assert [tag for tag, _ in read.elements] == ["span", "span", "small", "span", "small", "span"]


def test_what_is_marked_is_html_and_its_label_is_text() -> None:
    read = Reader(marked("<b>a</b>", NASTY, "#0072b2"))
    assert read.shown == f"a\xa0{NASTY}"
    assert [tag for tag, _ in read.elements] == ["span", "b", "small"]


def test_a_drawing_is_the_figure_drawn_once_and_only_when_it_is_looked_at() -> None:
    drawn = []

    def draw() -> Figure:
        drawn.append(figure())
        return drawn[-1]

    drawing = Drawing("plain", NASTY, draw)
    assert (drawing.text, drawn) == ("plain", [])
    assert drawing.html == drawing.html
    assert len(drawn) == 1
    ((tag, attributes),) = Reader(drawing.html).elements
    assert (tag, attributes["alt"]) == ("img", NASTY)
    scheme, _, content = (attributes["src"] or "").partition(",")
    assert scheme == "data:image/png;base64"
    with Image.open(BytesIO(base64.b64decode(content))) as picture:
        assert picture.size == (160, 80)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 2


def test_a_picture_is_shown_as_it_is() -> None:
    ((tag, attributes),) = Reader(Picture("a.png", NASTY, PIXEL).html).elements
    assert (tag, attributes["src"], attributes["alt"]) == ("img", PIXEL, NASTY)


def test_equal_exhibits_are_equal() -> None:
    assert Text("a") == Text("a") != Text("b")
    assert Spans("a", [("a", "")], {}) != Text("a")


def test_an_exhibit_that_shows_nothing_cannot_be() -> None:
    with pytest.raises(TypeError, match="abstract method"):
        Exhibit("a")  # type: ignore[abstract]
