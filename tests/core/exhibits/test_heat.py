from __future__ import annotations

import pytest

from rnnx.core.exhibits.heat import Heat


@pytest.mark.parametrize(
    ("value", "colour"),
    [
        (1.0, "rgba(0,114,178,0.70)"),
        (0.5, "rgba(0,114,178,0.35)"),
        (9.0, "rgba(0,114,178,0.70)"),
        (-1.0, "rgba(213,94,0,0.70)"),
        (-0.5, "rgba(213,94,0,0.35)"),
    ],
)
def test_the_sign_is_the_colour_and_the_size_its_depth(value: float, colour: str) -> None:
    assert f'style="background:{colour};">a</span>' in Heat("a", [[("a", value)]]).html


def test_zero_has_no_colour() -> None:
    assert ",0.00)" in Heat("a", [[("a", 0.0)]]).html


def test_pieces_are_texts_and_a_line_ends_where_it_ended() -> None:
    html = Heat("", [[("<", 0.0)], [("\n", 0.0)], [("b", 0.0)]]).html
    assert "&lt;</span>" in html
    assert "↵</span><br><span" in html


def test_what_stands_below_a_piece_is_in_its_column() -> None:
    html = Heat("", [[("a", 0.0), ("x", 1.0), (" ", 0.5)], [("b", 0.0), ("y", 1.0)]]).html
    first, second = html.split("inline-block")[1:]
    assert [first.index(f">{piece}</div>") for piece in ("a", "x", "\u00a0")] == sorted(
        first.index(f">{piece}</div>") for piece in ("a", "x", "\u00a0")
    )
    assert ">y</div>" in second
    assert ">y</div>" not in first
