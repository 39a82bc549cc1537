"""Named entities: rnnx beside the same network as one writes it in plain torch.

``python -m benchmarks.ner --data FOLDER``, where the folder holds CoNLL-2003's ``eng.train``, ``eng.testa``
and ``eng.testb``. Word vectors of 100, characters of 30 read by an LSTM of 50, words by one of 200, both ways
together, and a CRF. All that training takes is timed, from a batch to the step of the optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, final

import torch
import typer
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnx.core.batch import Batch
from rnnx.core.benchmark import interleaved
from rnnx.core.running.optimizers import Adam
from rnnx.tasks.data.ner.files import Files
from rnnx.tasks.ner import Entities

NET: Final[dict[str, Any]] = {"cell": {"name": "lstm", "hidden_size": 100}, "bidirectional": True}
OPTIONS: Final[dict[str, Any]] = {
    "embedding_size": 100,
    "character_embedding_size": 30,
    "character_size": 25,
    "constraints": False,
    "dropout": 0.5,
    "singleton_dropout": 0.0,
}


@final
class Rival(nn.Module):
    """The network in plain torch, as NCRF++ (Yang & Zhang 2018) has it.

    Args:
        words: How many words there are.
        characters: How many characters there are.
        tags: How many tags there are.
        embedding_size: Width of a word's vector.
        character_embedding_size: Width of a character's.
        character_size: Width of the LSTM over characters in each direction.
        hidden_size: Width of the LSTM over words in each direction.
        dropout: Rate on what the LSTM over words reads and on what it gives.
    """

    def __init__(
        self,
        words: int,
        characters: int,
        tags: int,
        embedding_size: int,
        character_embedding_size: int,
        character_size: int,
        hidden_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, embedding_size, 0)
        self.characters = nn.Embedding(characters, character_embedding_size, 0)
        self.spelling = nn.LSTM(
            character_embedding_size, character_size, batch_first=True, bidirectional=True
        )
        width = embedding_size + 2 * character_size
        self.encoder = nn.LSTM(width, hidden_size, batch_first=True, bidirectional=True)
        self.scores = nn.Linear(2 * hidden_size, tags)
        self.start = nn.Parameter(torch.zeros(tags))
        self.transition = nn.Parameter(torch.zeros(tags, tags))
        self.end = nn.Parameter(torch.zeros(tags))
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Tensor:
        """The scores of the tags of each word, ``(N, T, K)``."""
        words, characters = batch.inputs[..., 0], batch.inputs[..., 1:]  # (N, T), (N, T, C)
        spelt = characters.flatten(0, 1)
        lengths = (spelt != 0).sum(1).clamp(min=1)  # padding is read as words of a character
        packed = pack_padded_sequence(self.characters(spelt), lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.spelling(packed)  # (2, N T, H)
        spelling = torch.cat((last[0], last[1]), -1).unflatten(0, words.shape)
        x = self.dropout(torch.cat((self.words(words), spelling), -1))
        packed = pack_padded_sequence(x, batch.lengths, batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True)
        return self.scores(self.dropout(y))

    def loss(self, batch: Batch) -> Tensor:
        """The negative log-likelihood of a batch's tags, a word."""
        scores, tags = self(batch), batch.targets
        mask = torch.arange(scores.shape[1]) < batch.lengths.unsqueeze(1)  # (N, T)
        rows = torch.arange(len(scores))
        alpha = self.start + scores[:, 0]
        total = self.start[tags[:, 0]] + scores[rows, 0, tags[:, 0]]
        for t in range(1, scores.shape[1]):
            after = (alpha.unsqueeze(2) + self.transition + scores[:, t].unsqueeze(1)).logsumexp(1)
            alpha = torch.where(mask[:, t].unsqueeze(1), after, alpha)
            step = self.transition[tags[:, t - 1], tags[:, t]] + scores[rows, t, tags[:, t]]
            total = total + step * mask[:, t]
        total = total + self.end[tags[rows, batch.lengths - 1]]
        return ((alpha + self.end).logsumexp(1) - total).sum() / batch.lengths.sum()


def counterparts(theirs: Rival) -> dict[str, str]:
    """The name that each parameter of the rival has in rnnx."""
    lstms = {"spelling": "characters.net", "encoder": "encoder"}

    def name(parameter: str) -> str:
        owner, _, rest = parameter.partition(".")
        if owner in lstms:
            kind, _, side = rest.partition("_l0")
            return f"{lstms[owner]}.layers.0.{'back' if side else 'forth'}.cell.{kind}"
        renamed = {"words": "embedding", "characters": "characters.embedding"}
        return f"{renamed.get(owner, owner)}.{rest}" if rest else f"tagging.{owner}"

    return {parameter: name(parameter) for parameter, _ in theirs.named_parameters()}


def main(
    data: Annotated[Path, typer.Option(help="The folder of eng.train, eng.testa and eng.testb.")],
    threads: Annotated[int, typer.Option(help="Threads that torch may use.")] = 1,
    batches: Annotated[int, typer.Option(help="Batches of 10 in a round.")] = 30,
    rounds: Annotated[int, typer.Option(help="Rounds in which each way is timed once.")] = 20,
    seconds: Annotated[float, typer.Option(help="No round begins after these.")] = 200,
) -> None:
    """Trains on sentences in turn, and writes a table: sentences a second, and their ratios in a round."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    train, valid, test = (str(data / f"eng.{name}") for name in ("train", "testa", "testb"))
    source = Files(train=train, valid=valid, test=test, tagging="iobes", batch_size=10)
    ours = Entities(NET, source.meta, **OPTIONS)
    loader: Any = source.loader("train")
    alike = list(islice(loader, batches))
    order = torch.cat([batch.index for batch in alike])
    drawn = order[torch.randperm(len(order))].split(10)
    mixed = [loader.dataset[positions.tolist()] for positions in drawn]

    def loss(batch: Batch) -> Tensor:
        found = ours.loss(ours(batch), batch)
        return found.total / found.count

    ways = {"rnnx": training(ours, loss, alike)}
    for name, read in (("its batches drawn at random", mixed), ("batches as rnnx's", alike)):
        theirs = rival(ours)
        ways[f"plain torch, {name}"] = training(theirs, theirs.loss, read)
    times = interleaved(ways, rounds, seconds)
    done = len(times["rnnx"])
    typer.echo(f"torch {torch.__version__}, {threads} thread(s), {done} rounds of {len(order)} sentences\n")
    typer.echo("| way | sentences a second | rnnx is faster by | least | most |\n|---|---|---|---|---|")
    for name, taken in times.items():
        ratios = [own / mine for own, mine in zip(taken, times["rnnx"], strict=True)]
        figures = f"{median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f}"
        typer.echo(f"| {name} | {len(order) / median(taken):.0f} | {figures} |")


def rival(ours: Entities) -> Rival:
    """The same network with the same weights."""
    assert ours.characters is not None
    theirs = Rival(
        ours.embedding.num_embeddings,
        ours.characters.embedding.num_embeddings,
        len(ours.tags),
        ours.embedding.embedding_dim,
        ours.characters.embedding.embedding_dim,
        ours.characters.output_size // 2,
        ours.encoder.output_size // 2,
        ours.dropout.p,
    ).to(ours.scores.weight)
    weights = ours.state_dict()
    theirs.load_state_dict({own: weights[name] for own, name in counterparts(theirs).items()})
    return theirs


def training(model: nn.Module, loss: Callable[[Any], Tensor], batches: Sequence[Any]) -> Callable[[], None]:
    """What takes a step of training on each batch."""
    optimizer = Adam(lr=1e-3).build(model.parameters())

    def train() -> None:
        for batch in batches:
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()

    return train


if __name__ == "__main__":
    typer.run(main)
