"""A recurrent decoder with attention, for words in any language about anything that has a memory."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from rnnx.core import state as states
from rnnx.core.layers import Bridge, Noise
from rnnx.core.net import Net
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.linear import Linear
from rnnx.core.nets.padding import real_steps
from rnnx.core.nets.products import addmm, is_onednn_faster
from rnnx.core.state import State
from rnnx.tasks.parts.nets.attention import Attention, Mechanism, Memory, attention
from rnnx.tasks.parts.nets.cross_entropy import ALIGNMENT
from rnnx.tasks.parts.nets.embeddings import OneHot, tieable

ROWS = 16  # that attend together; each such group is padded to its own longest, and stays in the cache


@final
class Decoder(nn.Module):
    """Predicts a text token by token (Luong et al. 2015, section 3).

    The net's output ``y`` attends to the memory, and with the context that it gets makes the attentional
    vector ``a = tanh(W [context; y])``, from which the next token is predicted. With input feeding (section
    3.3) ``a`` is read together with the next token, and is then the last tensor of the state; without it the
    net reads all known tokens in one call. Without attention ``a = W y``.

    In training some of the known tokens may give way to those that the decoder finds most probable in their
    place (scheduled sampling, Bengio et al. 2015, without its schedule), so that it learns to go on from its
    own mistakes; these are found step by step.

    Args:
        embedding: Of the tokens.
        size: Width ``A`` of the attentional vectors; if tied, they are as wide as the embeddings.
        net: How cells are stacked.
        source_sizes: Widths of the state that the decoder starts from.
        value_size: Width of the memory's values.
        mechanism: Which attention; none to see the source through the first state only.
        bridged: Whether the first state is made of the source's by a layer; without it it is the source's,
            whose widths must be those of the net's state.
        input_feeding: Whether the attentional vector is an input of the next step.
        teacher_forcing: Probability with which each token that is read in training is the known one, and not
            the decoder's own.
        tied: Whether the output layer's weights are the embedding's (Press & Wolf 2017).
        embedding_dropout: Rate on embeddings.
        dropout: Rate on attentional vectors.
    """

    def __init__(
        self,
        embedding: nn.Embedding | OneHot,
        size: int,
        net: Net,
        *,
        source_sizes: tuple[int, ...],
        value_size: int,
        mechanism: Mechanism,
        bridged: bool,
        input_feeding: bool,
        teacher_forcing: float,
        tied: bool,
        embedding_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.size = embedding.embedding_dim if tied else size
        self.embedding, self.input_feeding, self.teacher_forcing = embedding, input_feeding, teacher_forcing
        self.net = net.decoder(embedding.embedding_dim + (self.size if input_feeding else 0))
        sizes, accounts = self.net.state_sizes, self.net.bookkeeping
        self.bridge = Bridge(source_sizes, sizes, accounts) if bridged else None
        self.attention: Attention | None = attention(mechanism, self.net.output_size, value_size)
        seen = 0 if self.attention is None else value_size
        self.combine = Linear(seen + self.net.output_size, self.size)
        self.output = Linear(self.size, embedding.num_embeddings)
        if tied:
            self.output.weight = tieable(embedding)
        self.embedding_dropout, self.dropout = Dropout(embedding_dropout), Dropout(dropout)

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """What the decoder attends to: values ``(N, S, E)`` where ``mask`` ``(N, S)`` is true."""
        return Memory(values, values, mask) if self.attention is None else self.attention.memory(values, mask)

    def start(self, source: State) -> State:
        """The state before the first token, from the source's state, tensors ``(N, size)``."""
        state = source
        if self.bridge is not None:
            state = self.bridge(source, self.net.initial_state(len(source[0]), self.output.weight))
        if self.input_feeding:
            state += (state[0].new_zeros(len(state[0]), self.size),)
        return state

    def forward(
        self, tokens: Tensor, lengths: Tensor, memory: Memory, state: State
    ) -> tuple[Tensor, Tensor | None]:
        """Reads known tokens; in training, with ``teacher_forcing`` below 1, also its own in their place.

        Args:
            tokens: What was written before each token to be predicted, ``(N, U)``.
            lengths: The real ones of each row, ``(N,)``.
            memory: Of ``N`` rows.
            state: From :meth:`start`.

        Returns:
            The attentional vectors ``(N, U, A)``, for :meth:`logits`, and the attention ``(N, U, S)``; on
            padding they mean nothing.
        """
        lengths = lengths.to(tokens.device)
        order = lengths.argsort(descending=True)
        x = self.embedding_dropout(self.embedding(tokens[order]))  # (N, U, E)
        read = self._step_by_step if self.input_feeding or self._reads_its_own else self._at_once
        vectors, weights = read(x, lengths[order], memory.select(order), states.select(state, order))
        back = order.argsort()
        return vectors[back], None if weights is None else weights[back]

    def step(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor | None, State]:
        """Reads one token of each text.

        Args:
            tokens: ``(M,)``; of each row of the memory equally many texts, side by side.
            memory: Of ``A`` rows.
            state: Tensors ``(M, size)``.

        Returns:
            The log-probabilities of the next token ``(M, V)``, the attention ``(M, S)``, and the state.
        """
        x = self.embedding_dropout(self.embedding(tokens))  # (M, E)
        vectors, weights, state = self._step(x, memory, state)
        return self._predict(vectors), weights, state

    def logits(self, vectors: Tensor) -> Tensor:
        """The scores of all tokens: ``(..., A) -> (..., V)``."""
        return self.output(vectors)

    @property
    def _reads_its_own(self) -> bool:
        return self.training and self.teacher_forcing < 1

    def _predict(self, vectors: Tensor) -> Tensor:
        """The log-probabilities of all tokens: ``(M, A) -> (M, V)``."""
        weight, bias = self.output.weight, self.output.bias
        if torch.is_grad_enabled() or vectors.dtype != weight.dtype or vectors.device.type != "cpu":
            return self.logits(vectors).log_softmax(-1)
        size = len(weight)
        if is_onednn_faster(vectors, weight.T):
            scores = addmm(bias, vectors, weight.T)
        else:  # MKL takes 1.6 times as long where the rows of a result do not start at whole cache lines
            scores = vectors.new_empty(len(vectors), -(-size // ALIGNMENT) * ALIGNMENT)
            torch.addmm(bias, vectors, weight.T, out=scores[:, :size])
            scores[:, size:] = -torch.inf
        return torch.log_softmax(scores, -1, out=scores)[:, :size]

    def _at_once(
        self, x: Tensor, lengths: Tensor, memory: Memory, state: State
    ) -> tuple[Tensor, Tensor | None]:
        """Reads rows, the longest first, without input feeding: one call of the net for all."""
        y, _ = self.net(x, lengths, state)  # (N, U, H)
        vectors: list[Tensor] = []
        weights: list[Tensor] = []
        for some, seen, longest in zip(
            y.split(ROWS), memory.split(ROWS), lengths[::ROWS].tolist(), strict=True
        ):
            vector, weight = self._attend(some[:, :longest].flatten(0, 1), seen)
            vectors.append(vector.unflatten(0, (len(some), longest)))
            if weight is not None:
                weights.append(weight.unflatten(0, (len(some), longest)))

        def padded(parts: list[Tensor]) -> Tensor:
            return torch.cat([F.pad(part, (0, 0, 0, x.shape[1] - part.shape[1])) for part in parts])

        return padded(vectors), padded(weights) if weights else None

    def _step_by_step(
        self, x: Tensor, lengths: Tensor, memory: Memory, state: State
    ) -> tuple[Tensor, Tensor | None]:
        """Reads rows, the longest first, one token after another; those still read are the first ones."""
        noise = self.net.noise(len(x), x)
        vectors: list[Tensor] = []
        weights: list[Tensor] = []
        for x_t, size in zip(x.unbind(1), real_steps(x, lengths).sum(0).tolist(), strict=True):
            if size == 0:
                break
            if size < len(memory.mask):
                memory, state = memory.select(slice(size)), states.select(state, slice(size))
            x_t = x_t[:size]
            if vectors and self._reads_its_own:
                x_t = self._sampled(x_t, vectors[-1][:size])
            vector, weight, state = self._step(x_t, memory, state, noise)
            vectors.append(vector)
            if weight is not None:
                weights.append(weight)

        def padded(rows: list[Tensor]) -> Tensor:
            return F.pad(pad_sequence(rows), (0, 0, 0, x.shape[1] - len(rows)))  # (N, U, A)

        return padded(vectors), padded(weights) if weights else None

    def _sampled(self, x: Tensor, vectors: Tensor) -> Tensor:
        """The known tokens ``(M, E)``, or by chance those most probable after the vectors ``(M, A)``."""
        with torch.no_grad():
            own = self.logits(vectors).argmax(-1)  # (M,)
            known = torch.rand(len(x), 1, device=x.device) < self.teacher_forcing
        return torch.where(known, x, self.embedding_dropout(self.embedding(own)))

    def _step(
        self, x: Tensor, memory: Memory, state: State, noise: Noise | None = None
    ) -> tuple[Tensor, Tensor | None, State]:
        """The attentional vectors ``(M, A)`` after tokens ``(M, E)``, the attention, and the state."""
        if not self.input_feeding:
            y, state = self.net.step(x, state, noise)
            vectors, weights = self._attend(y, memory)
            return vectors, weights, state
        past, (vector,) = states.split(state, (len(state) - 1, 1))
        y, past = self.net.step(torch.cat((x, vector), -1), past, noise)
        vectors, weights = self._attend(y, memory)
        return vectors, weights, (*past, vectors)

    def _attend(self, y: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """The attentional vectors ``(M, A)`` of outputs ``(M, H)``, and where they looked, ``(M, S)``."""
        if self.attention is None:
            return self.dropout(self.combine(y)), None
        context, weights = self.attention(y.unflatten(0, (len(memory.mask), -1)), memory)
        vectors = torch.tanh(self.combine(torch.cat((context.flatten(0, 1), y), -1)))
        return self.dropout(vectors), weights.flatten(0, 1)
