from __future__ import annotations

import pytest

from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.tasks.data.lm.toy import Toy
from rnnx.tasks.parts.files.library_source import library_source
from rnnx.tasks.parts.texts.vocabulary import Vocabulary


def test_it_is_the_library_source_cut_in_order() -> None:
    data = Toy(characters=20_000)
    vocabulary = Vocabulary.from_plain(data.meta["vocabulary"])
    whole = "".join(vocabulary.decode(data.tokens(split)) for split in ("train", "valid", "test"))
    assert whole == library_source(20_000)
    assert len(whole) == 20_000
    assert data.meta["level"] == "char"
    assert 900 <= data.meta["characters"]["valid"] <= 1100


def test_too_little_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(["task=lm", "data=toy", "data.characters=999"])
    assert str(caught.value) == "data.characters: expected an integer of at least 1000, got 999"
