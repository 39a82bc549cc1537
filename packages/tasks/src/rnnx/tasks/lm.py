"""Language modelling: the next character, word or sub-word (Mikolov et al. 2010; Zaremba et al. 2014)."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self, TypeAlias, final

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn
from torchmetrics import Metric

from rnnx.core import state as states
from rnnx.core.batch import Batch
from rnnx.core.bounds import AboveZero, Count, Fraction, NonNegative, Positive, Rate, Seed
from rnnx.core.data import Meta, Split
from rnnx.core.errors import RunError, UsageError
from rnnx.core.exhibits.activations import activations
from rnnx.core.exhibits.bars import Bars
from rnnx.core.exhibits.exhibit import Exhibit, Text
from rnnx.core.exhibits.heat import Heat, shown
from rnnx.core.exhibits.view import View
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.linear import Linear
from rnnx.core.state import State
from rnnx.core.task import Loss, Task
from rnnx.tasks.parts.ensemble import log_probabilities, mean, together
from rnnx.tasks.parts.generation.sampling import filter_logits, sample
from rnnx.tasks.parts.generation.search import Step, beam_search
from rnnx.tasks.parts.idle import refuse_idle
from rnnx.tasks.parts.lines import each
from rnnx.tasks.parts.nets.cross_entropy import cross_entropy
from rnnx.tasks.parts.nets.embeddings import Initialization, embeddings, tieable, without_vector_files
from rnnx.tasks.parts.scores.text_scores import BitsPerCharacter, Perplexity
from rnnx.tasks.parts.texts.vocabulary import EOS, Vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 10  # tokens that may come next
START = "▸"  # stands for what starts a text
SAMPLE_LENGTH = 60  # tokens of a sample's continuation: about a line of characters
SAMPLE_TEMPERATURE = 0.8  # below 1: fewer slips of a tail of improbable tokens, and texts still differ
Mode: TypeAlias = Literal["generate", "complete", "score"]
OPTIONS: Final[Mapping[Mode, Sequence[str]]] = {  # of use in each mode
    "generate": ("length", "temperature", "top_k", "top_p", "seed"),
    "complete": ("length", "n_best", "beam_size"),
    "score": (),
}
LENGTH, N_BEST, BEAM_SIZE = 100, 5, 10  # if not said


@final
class LanguageModel(Task):
    """Predicts each token of a text from all before it.

    The text is read in chunks; the state is carried from one to the next and the graph cut between them
    (truncated backpropagation through time).

    Args:
        embedding: How the vectors of tokens start: one-hot (as wide as the vocabulary, and never trained),
            zero, uniform or normal (see embedding_scale), xavier or he; of tokens that data.vectors has, as
            there.
        embedding_size: Width of the embeddings; with data.vectors they are as wide as those.
        embedding_scale: A uniform start is between minus and plus this; of a normal one it is the standard
            deviation.
        embedding_frozen: Whether embeddings stay as they start.
        tied: Whether the embedding is the output layer's matrix too (Press & Wolf 2017).
        dropout: Rate on the embeddings and on the net's outputs (Zaremba et al. 2014).
        initial_range: Output weights start uniform between minus and plus this, unless they are tied.
    """

    monitor: ClassVar[str] = "perplexity"
    pipeline: ClassVar[str | None] = "text-generation"
    counted: ClassVar[str] = "tokens"

    def __init__(
        self,
        net: Mapping[str, Any],
        meta: Meta,
        *,
        embedding: Initialization = "uniform",
        embedding_size: Positive = 128,
        embedding_scale: AboveZero = 0.1,
        embedding_frozen: bool = False,
        tied: bool = False,
        dropout: Rate = 0.1,
        initial_range: NonNegative = 0.1,
    ) -> None:
        super().__init__(net, meta)
        if self.net.bidirectional:
            raise UsageError(
                "net.bidirectional: task 'lm' predicts the next token, so its net must not read the future; "
                "set net.bidirectional=false"
            )
        self.hparams["meta"] = without_vector_files(meta, "vectors")
        self.vocabulary = Vocabulary.from_plain(meta["vocabulary"])
        self.embedding = embeddings(
            self.vocabulary,
            meta["vectors"],
            embedding,
            size=embedding_size,
            scale=embedding_scale,
            frozen=embedding_frozen,
        )
        self.recurrent = self.net.decoder(self.embedding.embedding_dim)
        width = self.embedding.embedding_dim if tied else self.recurrent.output_size
        self.narrow = (
            nn.Identity()
            if width == self.recurrent.output_size
            else Linear(self.recurrent.output_size, width)
        )
        self.output = Linear(width, len(self.vocabulary))
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.output.bias)
        if tied:
            self.output.weight = tieable(self.embedding)
        else:
            nn.init.uniform_(self.output.weight, -initial_range, initial_range)

    def forward(self, batch: Batch) -> Tensor:
        """What the next token at each place is predicted from, ``(N, T, H)``, after the batch before."""
        stream = "train" if self.training else "evaluation"
        state = self.carried.get(stream) if batch.continues else None
        y, state = self._read(batch.inputs, batch.lengths, state)
        self.carried[stream] = states.detach(state)
        return y

    def loss(self, output: Tensor, batch: Batch) -> Loss:
        """Cross-entropy in nats a token."""
        _, *others = self.members
        if not others:
            return Loss(cross_entropy(self.output, output, batch.targets), batch.lengths.sum())
        said = [output, *(other(batch) for other in others)]
        scores = (member.output(y.flatten(0, 1)) for member, y in zip(self.members, said, strict=True))
        return Loss(-log_probabilities(scores, batch.targets.flatten()).sum(), batch.lengths.sum())

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Perplexity a token, and bits a character."""
        characters = self.meta["characters"][split] / self.meta["tokens"][split]
        return {"perplexity": Perplexity(), "bits_per_character": BitsPerCharacter(characters)}

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Tensor, loss: Loss, split: Split
    ) -> None:
        """Adds the losses of a batch."""
        for metric in metrics.values():
            metric.update(loss.total, loss.count)

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        """A continuation of the first half of each row, drawn at temperature 0.8."""
        samples: list[dict[str, Exhibit]] = []
        for row, length in zip(batch.inputs, batch.lengths.tolist(), strict=True):
            prompt = row[: (length + 1) // 2]
            if len(prompt):
                drawn = self._continue(prompt, length=SAMPLE_LENGTH, temperature=SAMPLE_TEMPERATURE)
                continuation = Text(self._text(drawn, prompt))
                samples.append({"prompt": Text(self._text(prompt)), "continuation": continuation})
        return samples

    def figures(self, batch: Batch) -> dict[str, Figure]:
        """No pictures."""
        return {}

    def predict(
        self,
        lines: Iterable[str],
        *,
        mode: Mode = "generate",
        length: Positive | None = None,
        temperature: NonNegative | None = None,
        top_k: Count | None = None,
        top_p: Fraction | None = None,
        n_best: Positive | None = None,
        beam_size: Positive | None = None,
        seed: Seed | None = None,
    ) -> Iterator[str]:
        r"""Continues prompts, or tells how probable lines are.

        Args:
            lines: Prompts (an empty one starts a text), or sentences to be scored.
            mode: generate draws a continuation; complete finds the n_best most probable ones; score gives the
                natural logarithm of each line's probability at the beginning of a text, its end included.
            length: Tokens of a continuation; 100 if not said.
            temperature: With mode=generate; below 1 the probable becomes more so, 0 takes the most probable;
                1 if not said.
            top_k: With mode=generate, draws from the k most probable tokens; from all if 0 or not said.
            top_p: With mode=generate, draws from the fewest tokens that together have this probability; from
                all if 1 or not said.
            n_best: Continuations of a prompt, with mode=complete; 5 if not said.
            beam_size: Hypotheses kept at each step, with mode=complete, at least n_best; 10 if not said.
            seed: Of the drawing, with mode=generate; another text each time if not said.

        Returns:
            The prompt with its continuation; or the continuations, a line each with ``\n`` for a line break,
            and the logarithm of each one's probability after a tab; or the logarithm and the line after a
            tab.

        Raises:
            UsageError: an option is given that is of no use in the mode.
            RunError: the numbers of the model are not finite.
        """
        refuse_idle(
            mode,
            OPTIONS[mode],
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            n_best=n_best,
            beam_size=beam_size,
            seed=seed,
        )
        length, n_best = length or LENGTH, n_best or N_BEST
        generator = None if seed is None else torch.Generator(self.device).manual_seed(seed)
        for line, tokens in each(lines, lambda line: (line, self._encode(line))):
            if mode == "score":
                yield f"{self._score(tokens):.4f}\t{line}"
                continue
            prompt = torch.tensor([self.meta["start"], *tokens], device=self.device)
            if mode == "generate":
                drawn = self._continue(
                    prompt,
                    length=length,
                    temperature=1.0 if temperature is None else temperature,
                    top_k=top_k or 0,
                    top_p=top_p or 1.0,
                    generator=generator,
                )
                yield line + self._glue(line) + self._text(drawn, prompt)
            else:
                yield from self._complete(prompt, length, n_best, max(beam_size or BEAM_SIZE, n_best))

    def agree(self, other: Self) -> None:
        """Another model must predict the same tokens."""
        if found := self.vocabulary.difference(other.vocabulary):
            raise UsageError(f"expected one vocabulary, got {found}; train both on the same data")

    def views(self) -> list[View]:
        """Text drawn token by token, what was expected at each place of a text, and the units over it."""
        return [
            View.of("generate", self.generate),
            View.of("expect", self.expect),
            activations(self.recurrent, self._read_aloud, "" if self._glue("-") == "" else " "),
        ]

    def generate(
        self,
        line: str,
        *,
        length: Positive = 200,
        temperature: NonNegative = 0.8,
        top_k: Count = 0,
        top_p: Fraction = 1.0,
        seed: Seed | None = None,
    ) -> Iterator[dict[str, Exhibit]]:
        """Continues a prompt, token by token; the deeper its blue, the more probable a token was.

        Args:
            line: The prompt; an empty one starts a text.
            length: Tokens of the continuation.
            temperature: Below 1 the probable becomes more so; 0 takes the most probable.
            top_k: Draws from the k most probable tokens; 0 for all.
            top_p: Draws from the fewest tokens that together have this probability; 1 for all.
            seed: Of the drawing; another text each time if not said.

        Returns:
            After each token the text so far, each token of it coloured by the probability that it was drawn
            with, and what was most probable in its place.
        """
        generator = None if seed is None else torch.Generator(self.device).manual_seed(seed)
        tokens = torch.tensor([self.meta["start"], *self._encode(line)], device=self.device)
        prompt, drawn = tokens, tokens[:0]
        step, state = self._step(), self._after(tokens[:-1])
        token = tokens[-1:]
        text = begin = line + self._glue(line)
        columns = [[(begin, 0.0)]]
        for _ in range(length):
            with torch.no_grad():
                logits, _, state = step(token, state, token)
            kept = filter_logits(
                logits.float(), temperature=temperature, top_k=top_k, top_p=top_p
            ).exp()  # (1, V)
            token = kept.multinomial(1, generator=generator).squeeze(1)
            drawn = torch.cat((drawn, token))
            before, text = text, begin + self._text(drawn, prompt)
            piece = text.removeprefix(before)
            columns = [*columns, [(piece, float(kept[0, token]))]]  # another list than the one shown before
            yield {"text": Heat(text, columns), "what was to come": Bars.of(self._likeliest(kept[0], SHOWN))}

    def expect(
        self, line: str, *, guesses: Annotated[int, Ge(0), Le(20)] = 5
    ) -> Iterator[dict[str, Exhibit]]:
        """What was expected at each place of a text, from what stands before it; deep blue is probable.

        Args:
            line: The text.
            guesses: How many of the most probable tokens are shown below each place.

        Returns:
            Each token coloured by its probability, below it what was most probable in its place; the bits
            that the text takes; and what comes after it.
        """
        tokens = self._encode(line)
        given = torch.tensor([self.meta["start"], *tokens], device=self.device)
        shares = self._expected(given).exp()  # (T + 1, V)
        columns, bits, said = [], [], []
        for piece, token, row in zip(self._pieces(given[1:]), tokens, shares[:-1], strict=True):
            share = float(row[token])
            columns.append([(piece, share), *self._likeliest(row, guesses)])
            bits.append(-math.log2(max(share, sys.float_info.min)))
            said.append(f"{shown(piece)}: {bits[-1]:.2f}")
        yield {
            "expected": Heat("; ".join(said), columns),
            "bits": Text(f"{sum(bits):.1f} in all, {sum(bits) / max(len(bits), 1):.2f} a token"),
            "what comes next": Bars.of(self._likeliest(shares[-1], SHOWN)),
        }

    def _read(self, tokens: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """What each next token is predicted from, ``(N, T, H)``, and the state after tokens ``(N, T)``."""
        y, state = self.recurrent(self.dropout(self.embedding(tokens)), lengths, state)  # (N, T, H)
        return self.narrow(self.dropout(y)), state

    def _step(self) -> Step:
        """What all members predict after a token, together."""
        counts = [len(member.recurrent.state_sizes) for member in self.members]
        return together([member._predict for member in self.members], counts)

    def _predict(self, tokens: Tensor, state: State, examples: Tensor) -> tuple[Tensor, None, State]:
        """A :class:`~rnnx.tasks.parts.generation.search.Step` of this model alone, without attention."""
        y, state = self.recurrent.step(self.embedding(tokens), state)
        return self.output(self.narrow(y)).log_softmax(-1), None, state

    @torch.no_grad()
    def _expected(self, tokens: Tensor) -> Tensor:
        """The log-probabilities of what comes after each of some tokens ``(T,)``, ``(T, V)``."""
        read = [member._read(tokens.unsqueeze(0), None, None)[0] for member in self.members]
        scores = (member.output(y[0]) for member, y in zip(self.members, read, strict=True))
        return mean([score.double().log_softmax(-1) for score in scores])

    def _read_aloud(self, line: str) -> list[str]:
        """Has the net read a line, after what starts a text; and gives its tokens as text."""
        tokens = torch.tensor([self.meta["start"], *self._encode(line)], device=self.device)
        self._read(tokens.unsqueeze(0), None, None)
        return [START, *self._pieces(tokens[1:])]

    def _likeliest(self, shares: Tensor, count: int) -> list[tuple[str, float]]:
        """The most probable tokens, of probabilities ``(V,)``."""
        best = shares.topk(min(count, len(shares)))
        return list(zip(map(shown, self._pieces(best.indices)), best.values.tolist(), strict=True))

    def _pieces(self, tokens: Tensor) -> list[str]:
        """Tokens ``(T,)`` as pieces of text, with the blank that follows a word or begins a sub-word."""
        texts, blank = [self._text(token, token) for token in tokens.unsqueeze(1)], self._glue("-")
        return [text if text == "\n" else text + blank for text in texts]

    @torch.no_grad()
    def _after(self, tokens: Tensor) -> State:
        """The state of all members after tokens ``(T,)``; where there are none, the initial one."""
        every: list[Tensor] = []
        for member in self.members:
            state = member.recurrent.initial_state(1, member.output.weight)
            every += member._read(tokens.unsqueeze(0), None, state)[1] if len(tokens) else state
        return tuple(every)

    def _continue(
        self,
        prompt: Tensor,
        *,
        length: int,
        temperature: float,
        top_k: int = 0,
        top_p: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Tokens ``(length,)`` drawn after a prompt ``(T,)``, ``T`` at least 1."""
        (drawn,) = sample(
            self._step(),
            self._after(prompt[:-1]),
            prompt[-1:],
            length=length,
            generator=generator,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        return drawn

    def _complete(self, prompt: Tensor, length: int, n_best: int, beam_size: int) -> Iterator[str]:
        (found,) = beam_search(
            self._step(),
            self._after(prompt[:-1]),
            prompt[-1:],
            end=None,
            max_length=length,
            beam_size=beam_size,
            n_best=n_best,
        )
        if not found:
            raise RunError(
                "the search found no text: the model's numbers are no longer finite; train again with a "
                "lower optimizer.lr"
            )
        for hypothesis in found:
            text = self._text(torch.tensor(hypothesis.tokens), prompt).replace("\n", r"\n")
            yield f"{text}\t{hypothesis.log_probability:.4f}"

    @torch.no_grad()
    def _score(self, tokens: list[int]) -> float:
        """The natural logarithm of the probability of a line, its end included."""
        targets = torch.tensor([*tokens, *self._ending()], device=self.device)
        inputs = F.pad(targets[:-1], (1, 0), value=self.meta["start"])
        return self._expected(inputs).gather(1, targets.unsqueeze(1)).sum().item()

    def _encode(self, line: str) -> list[int]:
        (tokens,) = self.vocabulary.encode([line])
        return tokens

    def _ending(self) -> list[int]:
        """The tokens at the end of a line."""
        return [self.vocabulary.eos] if EOS in self.vocabulary.specials else self._encode("\n")

    def _glue(self, line: str) -> str:
        """What stands between a prompt and its continuation: a blank between words."""
        return " " if line and self.vocabulary.level == "word" else ""

    def _text(self, tokens: Tensor, after: Tensor | None = None) -> str:
        """The text of tokens ``(T,)``, a new line after each end token.

        Args:
            tokens: The tokens.
            after: What they go on from, ``(S,)``; none where they begin a line.
        """
        if EOS not in self.vocabulary.specials:
            return self.vocabulary.decode(tokens.tolist())
        pieces: list[list[int]] = [[]]
        for token in tokens.tolist():
            if token == self.vocabulary.eos:
                pieces.append([])
            else:
                pieces[-1].append(token)
        begins = after is None or int(after[-1]) == self.vocabulary.eos
        first = (self.vocabulary.decode if begins else self.vocabulary.decode_within)(pieces[0])
        return "\n".join([first, *map(self.vocabulary.decode, pieces[1:])])
