"""The character encoder against its cell, step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.errors import UsageError
from rnnx.core.layers import Bidirectional, Recurrent, Stack
from rnnx.tasks.parts.nets.characters import CharacterEncoder
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

LETTERS = Vocabulary.train(["abcdefg"], "char", specials=("<pad>", "<unk>"))
TWICE = [6, 1, 0, 0]
WORDS = torch.tensor([[2, 3, 4, 5], TWICE, [7, 0, 0, 0], TWICE, [2, 2, 8, 0]])

doubles = pytest.mark.usefixtures("doubles")


def stepped(net: Recurrent, x: Tensor) -> Tensor:
    """The output after the last of ``(T, E)``."""
    state = net.initial_state(1, x)
    for step in x:
        y, state = net.step(step.unsqueeze(0), state)
    return y[0]


@doubles
@torch.no_grad()
def test_a_word_is_what_each_direction_says_at_its_end(cell: dict[str, Any]) -> None:
    encoder = CharacterEncoder(cell, LETTERS, embedding_size=5, hidden_size=8).eval()
    vectors = encoder(WORDS)
    assert vectors.shape == (5, encoder.output_size)
    assert isinstance(encoder.net, Stack)
    (both,) = encoder.net.layers
    assert isinstance(both, Bidirectional)
    back = encoder.net.layers[0].back  # type: ignore[union-attr]
    back.reverse = False
    for word, vector in zip(WORDS, vectors, strict=True):
        x = encoder.embedding(word[word != 0])
        expected = torch.cat((stepped(both.forth, x), stepped(back, x.flip(0))))
        assert torch.allclose(vector, expected, atol=1e-10)


def test_its_width_is_not_that_of_the_task() -> None:
    encoder = CharacterEncoder({"name": "lstm", "hidden_size": 64}, LETTERS, embedding_size=3, hidden_size=7)
    assert encoder.output_size == 14
    assert encoder(WORDS).shape == (5, 14)
    assert encoder.embedding.embedding_dim == 3


def test_other_options_of_the_cell_are_kept() -> None:
    sizes = [
        sum(
            weight.numel()
            for weight in CharacterEncoder(
                {"name": "lstm", "hidden_size": 64, **options}, LETTERS, embedding_size=3, hidden_size=7
            ).parameters()
        )
        for options in ({}, {"output_gate": False})
    ]
    assert sizes[1] < sizes[0]


def test_a_width_that_cannot_be_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^task\.character_size: cell\.hidden_size: expected a multiple of 8"
    ):
        CharacterEncoder({"name": "clockwork", "hidden_size": 64}, LETTERS, embedding_size=3, hidden_size=7)


@doubles
def test_padding_has_no_vector_and_every_character_has_one() -> None:
    encoder = CharacterEncoder({"name": "gru"}, LETTERS, embedding_size=4, hidden_size=3)
    norms = encoder.embedding.weight.norm(dim=1)  # type: ignore[operator]
    assert norms[0] == 0
    assert (norms[1:] > 0).all()
    assert encoder.embedding.weight.abs().max() <= (3 / 4) ** 0.5  # type: ignore[operator]
