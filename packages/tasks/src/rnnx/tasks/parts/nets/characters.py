"""A vector for each word, made from its characters by a small net of any cell (Lample et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor, nn

from rnnx.core.errors import UsageError
from rnnx.core.net import Net
from rnnx.core.spec import Spec
from rnnx.tasks.parts.nets.embeddings import embeddings
from rnnx.tasks.parts.texts.vocabulary import Vocabulary


@final
class CharacterEncoder(nn.Module):
    """Reads each word's characters in both directions, and gives what each direction says at its end.

    Args:
        cell: The cell, as plain data; its ``hidden_size``, if it has one, is not that of the task's net.
        characters: Their vocabulary.
        embedding_size: Width of a character's embedding.
        hidden_size: The cell's, in each direction; the task's option ``character_size``.

    Raises:
        UsageError: the cell cannot be of that size.

    Example:
        >>> letters = Vocabulary.train(["abc"], "char", specials=("<pad>", "<unk>"))
        >>> encoder = CharacterEncoder({"name": "gru"}, letters, embedding_size=5, hidden_size=4)
        >>> encoder(torch.tensor([[2, 3, 4], [2, 0, 0]])).shape
        torch.Size([2, 8])
    """

    def __init__(
        self, cell: Mapping[str, Any], characters: Vocabulary, embedding_size: int, hidden_size: int
    ) -> None:
        super().__init__()
        spec = Spec.from_plain("cell", cell)
        if "hidden_size" in spec.options:
            spec = replace(spec, options=spec.options | {"hidden_size": hidden_size})
        bound = (3 / embedding_size) ** 0.5
        self.embedding = embeddings(
            characters, None, "uniform", size=embedding_size, scale=bound, frozen=False
        )
        self.pad = characters.pad
        try:
            self.net = Net(spec, bidirectional=True).encoder(embedding_size)
        except UsageError as error:
            raise UsageError(*(f"task.character_size: {problem}" for problem in error.problems)) from None
        self.output_size = self.net.output_size

    def forward(self, characters: Tensor) -> Tensor:
        """Words ``(M, C)``, padded, each of one character at least, to ``(M, output_size)``.

        A word that occurs several times is read once.
        """
        characters, places = characters.unique(dim=0, return_inverse=True)
        return self.read(characters)[places]

    def read(self, characters: Tensor) -> Tensor:
        """As :meth:`forward`, of words each of which is read; padding is read as one character."""
        lengths = (characters != self.pad).sum(1).clamp(min=1)
        y, _ = self.net(self.embedding(characters), lengths)
        forth, back = y.chunk(2, -1)  # (M, C, H)
        last = forth.gather(1, (lengths - 1).view(-1, 1, 1).expand(-1, 1, forth.shape[-1]))
        return torch.cat((last.squeeze(1), back[:, 0]), -1)
