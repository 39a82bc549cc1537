from __future__ import annotations

import re

import pytest

from rnnx.core.exhibits.exhibit import TINT
from rnnx.core.exhibits.palettes import OKABE_ITO, distinct, scale


def channels(colour: str) -> list[float]:
    assert re.fullmatch("#[0-9a-f]{6}", colour)
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def luminance(colour: list[float]) -> float:
    """As WCAG 2 has it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("page", "ink"), [("#ffffff", "#222222"), ("#111111", "#eeeeee")])
@pytest.mark.parametrize("colour", [*OKABE_ITO, *scale("abcde").values()])
def test_text_on_a_tint_has_the_contrast_that_wcag_asks_of_small_text(
    page: str, ink: str, colour: str
) -> None:
    share = int(TINT, 16) / 255
    below = [share * c + (1 - share) * p for c, p in zip(channels(colour), channels(page), strict=True)]
    dark, light = sorted([luminance(below), luminance(channels(ink))])
    assert (light + 0.05) / (dark + 0.05) >= 7


def test_labels_have_colours_of_their_own_as_far_as_there_are_some() -> None:
    colours = distinct(f"{n}" for n in range(9))
    assert list(colours) == [f"{n}" for n in range(9)]
    assert len(set(colours.values())) == 7
    assert colours["7"] == colours["0"]
    assert distinct([]) == {}


def test_a_scale_goes_from_one_end_to_the_other() -> None:
    assert scale([]) == {}
    assert list(scale(["no", "yes"]).values()) == ["#d55e00", "#0072b2"]
    five = list(scale("abcde").values())
    assert [five[0], five[2], five[4]] == ["#d55e00", "#999999", "#0072b2"]
    assert all(
        low <= middle <= high or low >= middle >= high
        for low, middle, high in zip(*map(channels, five[:3]), strict=True)
    )
