from __future__ import annotations

import pytest

from rnnx.core.errors import InputError
from rnnx.tasks.data.captioning.listing import checked


def test_blanks_around_a_caption_are_taken_off() -> None:
    assert checked("\t A dog runs . ", "a.txt", 3) == "A dog runs ."


@pytest.mark.parametrize("caption", ["", " \t", ".", "''", "- !"])
def test_a_caption_without_a_word_is_refused(caption: str) -> None:
    with pytest.raises(InputError) as caught:
        checked(caption, "a.txt", 3)
    assert str(caught.value) == f"a.txt:3: expected a caption with a word in it, got {caption!r}"
