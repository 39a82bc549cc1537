"""Translation: rnnx beside the same network as one writes it in plain torch.

``python -m benchmarks.nmt --data FOLDER``, where the folder holds Multi30k's tokenised files, as
``train.lc.norm.tok.de.gz``. German to English: words seen twice, embeddings of 256, a GRU of 256 in each
direction that reads, one that writes, and 64 sentences in a batch; without input feeding and with it, as
JoeyNMT has it. All that training takes is timed, from a batch to the step of the optimiser; and all that
translating lines takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any, Final, Literal, TypeAlias, final

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from rnnx.core.batch import Batch
from rnnx.core.benchmark import interleaved
from rnnx.core.running.optimizers import Adam
from rnnx.core.state import State
from rnnx.tasks.data.nmt.files import Files
from rnnx.tasks.nmt import Translation
from rnnx.tasks.parts.generation.search import beam_search
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

WIDTH: Final = 256
BATCH: Final = 64
BEAM: Final = 5
SMOOTHING: Final = 0.1
DROPOUT: Final = 0.3
STEPS: Final = (10, 40, 160)
TRANSLATIONS: Final = 3
RENAMED: Final = {  # the parts of the rival, and what they are in rnnx
    "source": "embedding",
    "encoder": "encoder.layers.0",
    "bridge": "decoder.bridge.linear",
    "target": "decoder.embedding",
    "decoder": "decoder.net.layers.0",
    "key": "decoder.attention.key",
    "query": "decoder.attention.query",
    "energy": "decoder.attention.energy",
    "combine": "decoder.combine",
    "output": "decoder.output",
}

OURS: Final = "rnnx"
Attention: TypeAlias = Literal["additive", "general"]
Row: TypeAlias = tuple[str, float, list[float]]  # a way, things a second, and ratios of rounds


@final
class Rival(nn.Module):
    """The network in plain torch, as a good tutorial has it.

    Args:
        source: The words that are read.
        target: The words that are written.
        width: Of embeddings, states, and what words are predicted from.
        attention: The score of Bahdanau et al. 2015, or Luong et al.'s general one.
        input_feeding: Whether what was seen at one step is an input of the next.
        dropout: Rate on embeddings, on the encoder's outputs, and on what words are predicted from.
    """

    def __init__(
        self,
        source: Vocabulary,
        target: Vocabulary,
        width: int,
        attention: Attention,
        input_feeding: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.vocabulary, self.input_feeding = target, input_feeding
        self.source = nn.Embedding(len(source), width, source.pad)
        self.target = nn.Embedding(len(target), width, target.pad)
        self.encoder = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * width, width)
        self.decoder = (
            nn.GRUCell(2 * width, width) if input_feeding else nn.GRU(width, width, batch_first=True)
        )
        self.key = nn.Linear(2 * width, width, bias=attention == "additive")
        self.query = nn.Linear(width, width, bias=False) if attention == "additive" else None
        self.energy = nn.Linear(width, 1, bias=False) if attention == "additive" else None
        self.combine = nn.Linear(3 * width, width)
        self.output = nn.Linear(width, len(target))
        self.output.weight = self.target.weight
        self.dropout = nn.Dropout(dropout)

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The source's values ``(N, S, 2 H)``, keys ``(N, S, H)`` and mask, and the decoder's first state."""
        embedded = self.dropout(self.source(source))
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        packed, last = self.encoder(packed)
        values, _ = pad_packed_sequence(packed, batch_first=True)
        values = self.dropout(values)
        mask = torch.arange(values.shape[1]) < lengths.unsqueeze(1)
        state = torch.tanh(self.bridge(torch.cat((last[0], last[1]), -1)))
        return values, self.key(values), mask, state

    def attend(self, query: Tensor, values: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """What words are predicted from, of queries ``(N, U, H)``."""
        if self.energy is None or self.query is None:
            scores = query @ keys.transpose(1, 2)  # (N, U, S)
        else:
            both = self.query(query).unsqueeze(2) + keys.unsqueeze(1)  # (N, U, S, H)
            scores = self.energy(torch.tanh(both)).squeeze(-1)
        weights = scores.masked_fill(~mask.unsqueeze(1), -torch.inf).softmax(-1)
        return self.dropout(torch.tanh(self.combine(torch.cat((weights @ values, query), -1))))

    def forward(self, batch: Batch) -> Tensor:
        """The scores ``(N, U, V)`` of all words at each place of the target."""
        values, keys, mask, state = self.encode(batch.inputs, batch.lengths)
        before = F.pad(batch.targets[:, :-1], (1, 0), value=self.vocabulary.bos)
        x = self.dropout(self.target(before))
        if isinstance(self.decoder, nn.GRU):
            y, _ = self.decoder(x, state.unsqueeze(0))
            return self.output(self.attend(y, values, keys, mask))
        vectors = [torch.zeros_like(state)]
        for x_t in x.unbind(1):
            state = self.decoder(torch.cat((x_t, vectors[-1]), -1), state)
            vectors.append(self.attend(state.unsqueeze(1), values, keys, mask).squeeze(1))
        return self.output(torch.stack(vectors[1:], 1))

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy of a batch's words."""
        return F.cross_entropy(
            self(batch).flatten(0, 1),
            batch.targets.flatten(),
            ignore_index=self.vocabulary.pad,
            label_smoothing=SMOOTHING if self.training else 0.0,
        )

    @torch.inference_mode()
    def translate(
        self, source: Tensor, lengths: Tensor, longest: Tensor, beam: int, alpha: float
    ) -> list[tuple[float, list[int]]]:
        """The best translation of each sentence, and its score, by a beam over the whole batch.

        What rnnx looks for, in the same way: the best extensions of the live hypotheses are kept, those that
        end are compared by Wu et al.'s score, and it is over when no live one can become the best.

        Args:
            source: Word numbers, ``(N, S)``.
            lengths: ``(N,)``.
            longest: The most words of each translation, ``(N,)``.
            beam: How many hypotheses are kept.
            alpha: Exponent of the length penalty.
        """
        words, batch = self.vocabulary, len(source)
        encoded = self.encode(source, lengths)
        values, keys, mask, state = (tensor.repeat_interleave(beam, 0) for tensor in encoded)
        vector = torch.zeros_like(state)
        tokens = torch.full((batch * beam, 1), words.bos)
        scores = torch.full((batch, beam), -torch.inf)
        scores[:, 0] = 0
        first = torch.arange(0, batch * beam, beam).unsqueeze(1)
        best: list[tuple[float, list[int]]] = [(-torch.inf, [])] * batch
        for length in range(1, int(longest.max()) + 2):
            x = self.target(tokens[:, -1])
            if isinstance(self.decoder, nn.GRU):
                _, last = self.decoder(x.unsqueeze(1), state.unsqueeze(0))
                state = last[0]
            else:
                state = self.decoder(torch.cat((x, vector), -1), state)
            vector = self.attend(state.unsqueeze(1), values, keys, mask).squeeze(1)
            logs = self.output(vector).log_softmax(-1)
            logs[:, [words.pad, words.bos, words.unk]] = -torch.inf
            full = (length > longest).repeat_interleave(beam)
            if full.any():
                logs[full] = logs[full].index_fill(
                    1, torch.tensor([n for n in range(len(words)) if n != words.eos]), -torch.inf
                )
            total = scores.unsqueeze(2) + logs.view(batch, beam, -1)
            scores, chosen = total.flatten(1).topk(beam)
            parents, new = (first + chosen // len(words)).flatten(), chosen % len(words)
            tokens = torch.cat((tokens[parents], new.view(-1, 1)), 1)
            state, vector = state[parents], vector[parents]
            ended = (new == words.eos) & scores.isfinite()
            for n, k in ended.nonzero().tolist():
                score = scores[n, k].item() / ((5 + length) / 6) ** alpha
                if score > best[n][0]:
                    best[n] = score, tokens[n * beam + k, 1:-1].tolist()
            scores = scores.masked_fill(ended, -torch.inf)
            reachable = scores.amax(1) / ((6 + longest) / 6) ** alpha
            if all(score >= limit for (score, _), limit in zip(best, reachable.tolist(), strict=True)):
                break
        return best


def built(
    meta: dict[str, Any],
    attention: Attention,
    input_feeding: bool,
    width: int = WIDTH,
    dropout: float = DROPOUT,
) -> tuple[Translation, Rival]:
    """The network in rnnx, and the same with the same weights in plain torch."""
    net = {"cell": {"name": "gru", "hidden_size": width}, "bidirectional": True}
    ours = Translation(
        net,
        meta,
        embedding_size=width,
        attention=attention,
        input_feeding=input_feeding,
        dropout=dropout,
        label_smoothing=SMOOTHING,
    )
    theirs = Rival(ours.source, ours.target, width, attention, input_feeding, dropout)
    copy(ours, theirs)
    return ours, theirs


def copy(ours: Translation, theirs: Rival) -> None:
    """Gives the rival the weights of a model of rnnx."""
    weights = ours.state_dict()

    def name(parameter: str) -> str:
        part, rest = parameter.split(".", 1)
        kind = rest.removesuffix("_reverse").removesuffix("_l0")
        if part == "encoder":
            kind = f"{'back' if rest.endswith('_reverse') else 'forth'}.cell.{kind}"
        elif part == "decoder":
            kind = f"cell.{kind}"
        return f"{RENAMED[part]}.{kind}"

    theirs.load_state_dict({parameter: weights[name(parameter)] for parameter in theirs.state_dict()})


def training(
    model: nn.Module, loss: Callable[[Batch], Tensor], batches: Iterable[Batch], count: int
) -> Callable[[], None]:
    """What takes a step of training on each of the next so many batches."""
    optimizer, following = Adam(lr=1e-3).build(model.parameters()), iter(batches)
    model.train()

    def train() -> None:
        for batch in islice(following, count):
            optimizer.zero_grad()
            loss(batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return train


def mean_loss(ours: Translation, batch: Batch) -> Tensor:
    """The mean cross-entropy of a batch's words."""
    found = ours.loss(ours(batch), batch)
    return found.total / found.count


def plainly(ours: Translation, theirs: Rival, lines: Sequence[str], sort: bool) -> Iterator[str]:
    """The rival's translations of lines, 64 at a time: in their order, or all lines sorted by length."""
    rows = [torch.tensor([*ids, ours.source.eos]) for ids in ours.source.encode(lines)]
    order = sorted(range(len(rows)), key=lambda place: len(rows[place])) if sort else range(len(rows))
    texts: dict[int, str] = {}
    for start in range(0, len(rows), BATCH):
        places = order[start : start + BATCH]
        lengths = torch.tensor([len(rows[place]) for place in places])
        source = pad_sequence([rows[place] for place in places], batch_first=True)
        longest = ours.search.limits(lengths)
        found = theirs.translate(source, lengths, longest, BEAM, ours.search.length_penalty)
        texts |= {place: ours.target.decode(words) for place, (_, words) in zip(places, found, strict=True)}
    return (texts[place] for place in range(len(rows)))


@torch.inference_mode()
def step_times(ours: Translation, batch: Batch) -> list[float]:
    """The seconds of each step of a beam none of whose hypotheses may end."""
    memory, state = ours._encode(batch.inputs, batch.lengths)
    clock = []

    def step(tokens: Tensor, state: State, examples: Tensor) -> tuple[Tensor, Tensor | None, State]:
        clock.append(perf_counter())
        return ours.decoder.step(tokens, memory, state)

    start = torch.full((len(batch),), ours.target.bos)
    longest = max(STEPS) + 5
    beam_search(step, state, start, end=None, max_length=longest, beam_size=BEAM, forbidden=[ours.target.eos])
    return [after - before for before, after in pairwise(clock)]


def train_in_turn(
    ours: Translation, theirs: Rival, read: Sequence[Batch], loader: Any, count: int, rounds: int
) -> list[Row]:
    """Trains both on batches, so many in a round; and the rival on their sentences drawn at random."""
    drawn = torch.cat([batch.index for batch in read])
    mixed = [loader.dataset[places.tolist()] for places in drawn[torch.randperm(len(drawn))].split(BATCH)]
    other = deepcopy(theirs)
    times = interleaved(
        {
            OURS: training(ours, partial(mean_loss, ours), read, count),
            "plain torch, the same batches": training(theirs, theirs.loss, read, count),
            "plain torch, batches drawn at random": training(other, other.loss, mixed, count),
        },
        rounds,
    )
    words = sum(int(batch.target_lengths.sum()) for batch in read[count:] if batch.target_lengths is not None)
    return rows(times, words / rounds)


def translate_in_turn(ours: Translation, theirs: Rival, lines: Sequence[str]) -> tuple[list[Row], int]:
    """Translates lines, and tells how many come out the same."""
    said: dict[str, list[str]] = {}
    ways = {
        OURS: lambda: ours.predict(lines, beam_size=BEAM),
        "plain torch": lambda: plainly(ours, theirs, lines, sort=False),
        "plain torch, all lines sorted by length": lambda: plainly(ours, theirs, lines, sort=True),
    }

    def note(way: str) -> None:
        said[way] = list(ways[way]())

    times = interleaved({way: partial(note, way) for way in ways}, TRANSLATIONS)
    same = sum(len(set(texts)) == 1 for texts in zip(*said.values(), strict=True))
    return rows(times, len(lines)), same


def rows(times: dict[str, list[float]], count: float) -> list[Row]:
    """Of each way, the things it does in a second, and how many times the seconds of rnnx a round takes."""
    return [
        (way, count / median(taken), [theirs / mine for theirs, mine in zip(taken, times[OURS], strict=True)])
        for way, taken in times.items()
    ]


def table(what: str, found: Iterable[tuple[str, Row]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"\n| network | way | {what} a second | rnnx is faster by | least to most |\n|---|---|---|---|---|"
    for form, (way, rate, ratios) in found:
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        yield f"| {form} | {way} | {rate:,.0f} | {median(ratios):.2f} | {spread} |"


def main(
    data: Annotated[Path, typer.Option(help="The folder of Multi30k's tokenised files.")],
    threads: Annotated[int, typer.Option(help="Threads that torch may use.")] = 1,
    attention: Annotated[Attention, typer.Option(help="How the decoder looks at the source.")] = "additive",
    count: Annotated[int, typer.Option(help="Batches of 64 sentences in a round of training.")] = 3,
    rounds: Annotated[int, typer.Option(help="Rounds of training in which each way is timed once.")] = 10,
    before: Annotated[int, typer.Option(help="Batches trained on before anything is translated.")] = 100,
    sentences: Annotated[int, typer.Option(help="Test sentences that are translated.")] = 320,
    weights: Annotated[
        Path | None, typer.Option(help="A folder of trained weights: read if they are there, or kept.")
    ] = None,
) -> None:
    """Trains and translates in turn, and writes tables: words and sentences a second, ratios in a round."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    source = corpus(data)
    lines = [german for german, _ in source.pairs()["test"][:sentences]]
    loader: Any = source.loader("train")
    read, last = list(islice(loader, count * (rounds + 1) + before)), list(source.loader("test"))[-1]
    timed, others = read[: count * (rounds + 1)], read[count * (rounds + 1) :]
    tables: dict[str, list[tuple[str, Row]]] = {"target words, training": [], "sentences, beam 5,": []}
    notes = []
    for form, input_feeding in (("without input feeding", False), ("with input feeding", True)):
        ours, theirs = built(source.meta, attention, input_feeding)
        training_rows, decoding_rows = tables.values()
        training_rows += [(form, row) for row in train_in_turn(ours, theirs, timed, loader, count, rounds)]
        file = weights and weights / f"{attention}{'-feeding' if input_feeding else ''}.pt"
        if file and file.exists():
            ours.load_state_dict(torch.load(file, weights_only=True))
        else:
            training(ours, partial(mean_loss, ours), others, before)()
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.save(ours.state_dict(), file)
        copy(ours.eval(), theirs.eval())
        rows_found, same = translate_in_turn(ours, theirs, lines)
        decoding_rows += [(form, row) for row in rows_found]
        seconds = step_times(ours, last)
        at = ", ".join(f"{1e3 * median(seconds[n - 4 : n + 5]):.1f} ms at step {n}" for n in STEPS)
        notes.append(f"{form}: {same} of {len(lines)} translations are the same; a step of the beam, {at}")
    typer.echo(f"torch {torch.__version__}, {threads} thread(s), {attention} attention")
    for what, found in tables.items():
        typer.echo("\n".join(table(what, found)))
    typer.echo("\n" + "\n".join(notes))


def corpus(folder: Path) -> Files:
    """Multi30k, German to English."""
    train, valid, test = (
        str(folder / f"{name}.lc.norm.tok") for name in ("train", "val", "test_2016_flickr")
    )
    return Files(
        train=train, valid=valid, test=test, source="de", target="en", min_frequency=2, batch_size=BATCH
    )


if __name__ == "__main__":
    typer.run(main)
