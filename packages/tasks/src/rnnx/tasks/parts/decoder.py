"""A recurrent decoder with attention, for words in any language about anything that has a memory."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from rnnx.core import state as states
from rnnx.core.layers import Bridge, Noise
from rnnx.core.net import Net
from rnnx.core.state import State
from rnnx.tasks.parts.attention import Attention, Memory, Score, attention
from rnnx.tasks.parts.embeddings import OneHot, tieable


@final
class Decoder(nn.Module):
    """Predicts a text token by token (Luong et al. 2015, section 3).

    The net's output looks at the memory, and the two make the attentional vector ``a = tanh(W [context;
    y])``, from which the next token is predicted. With input feeding (section 3.3) ``a`` is read together
    with the next token, and is then the last tensor of the state; without it the net reads all known tokens
    in one call.

    Args:
        embedding: Of the tokens.
        size: Width ``A`` of the attentional vectors; if tied, they are as wide as the embeddings.
        net: How cells are stacked.
        source_sizes: Widths of the state that the decoder starts from.
        value_size: Width of the memory's values.
        score: Which attention; none to see the source through the first state only.
        input_feeding: Whether the attentional vector is an input of the next step.
        tied: Whether the output layer's weights are the embedding's (Press & Wolf 2017).
        dropout: Rate on embeddings and on attentional vectors.
    """

    def __init__(
        self,
        embedding: nn.Embedding | OneHot,
        size: int,
        net: Net,
        source_sizes: tuple[int, ...],
        value_size: int,
        score: Score,
        input_feeding: bool,
        tied: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.size = embedding.embedding_dim if tied else size
        self.embedding, self.input_feeding = embedding, input_feeding
        self.net = net.decoder(embedding.embedding_dim + (self.size if input_feeding else 0))
        self.bridge = Bridge(source_sizes, self.net.state_sizes)
        self.attention: Attention | None = attention(score, self.net.output_size, value_size)
        seen = 0 if self.attention is None else value_size
        self.combine = nn.Linear(seen + self.net.output_size, self.size)
        self.output = nn.Linear(self.size, embedding.num_embeddings)
        if tied:
            self.output.weight = tieable(embedding)
        self.dropout = nn.Dropout(dropout)

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """What the decoder looks at: values ``(N, S, E)`` where ``mask`` ``(N, S)`` is true."""
        return Memory(values, values, mask) if self.attention is None else self.attention.memory(values, mask)

    def start(self, source: State) -> State:
        """The state before the first token, from the source's state, tensors ``(N, size)``."""
        state = self.bridge(source)
        if self.input_feeding:
            state += (state[0].new_zeros(len(state[0]), self.size),)
        return state

    def forward(
        self, tokens: Tensor, lengths: Tensor, memory: Memory, state: State
    ) -> tuple[Tensor, Tensor | None]:
        """Reads known tokens.

        Args:
            tokens: What was written before each token to be predicted, ``(N, U)``.
            lengths: The real ones of each row, ``(N,)``.
            memory: Of ``N`` rows.
            state: From :meth:`start`.

        Returns:
            The attentional vectors ``(N, U, A)``, for :meth:`logits`, and the attention ``(N, U, S)``.
        """
        x = self.dropout(self.embedding(tokens))  # (N, U, E)
        if not self.input_feeding:
            y, _ = self.net(x, lengths, state)
            return self._attend(y, memory)
        vectors: list[Tensor] = []
        weights: list[Tensor] = []
        noise = self.net.noise(len(x), x)
        for x_t in x.unbind(1):  # (N, E)
            vector, weight, state = self._feed(x_t, memory, state, noise)
            vectors.append(vector)
            if weight is not None:
                weights.append(weight)
        return torch.cat(vectors, 1), torch.cat(weights, 1) if weights else None

    def step(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor | None, State]:
        """Reads one token a row.

        Args:
            tokens: ``(M,)``.
            memory: Of ``M`` rows.
            state: Tensors ``(M, size)``.

        Returns:
            The log-probabilities of the next token ``(M, V)``, the attention ``(M, S)``, and the state.
        """
        x = self.dropout(self.embedding(tokens))  # (M, E)
        if self.input_feeding:
            vector, weights, state = self._feed(x, memory, state)
        else:
            y, state = self.net.step(x, state)
            vector, weights = self._attend(y.unsqueeze(1), memory)
        weights = None if weights is None else weights.squeeze(1)
        return self.logits(vector.squeeze(1)).log_softmax(-1), weights, state

    def logits(self, vectors: Tensor) -> Tensor:
        """The scores of all tokens: ``(..., A) -> (..., V)``."""
        return self.output(vectors)

    def _feed(
        self, x: Tensor, memory: Memory, state: State, noise: Noise | None = None
    ) -> tuple[Tensor, Tensor | None, State]:
        past, (vector,) = states.split(state, (len(state) - 1, 1))
        y, past = self.net.step(torch.cat((x, vector), -1), past, noise)
        vectors, weights = self._attend(y.unsqueeze(1), memory)  # (M, 1, A)
        return vectors, weights, (*past, vectors.squeeze(1))

    def _attend(self, y: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        if self.attention is None:
            return self.dropout(torch.tanh(self.combine(y))), None
        context, weights = self.attention(y, memory)
        return self.dropout(torch.tanh(self.combine(torch.cat((context, y), -1)))), weights
