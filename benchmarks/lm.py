"""Word language models: rnnx beside torch's plain example model, written with ``nn.LSTM``.

``python -m benchmarks.lm --data FOLDER``, where the folder holds ``ptb.train.txt``, ``ptb.valid.txt`` and
``ptb.test.txt``. Both train on the same batches, in turn, and the ratio is the median over the rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, TypeAlias, final

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from rnnx.core.batch import Batch
from rnnx.core.benchmark import interleaved
from rnnx.core.running.optimizers import SGD
from rnnx.tasks.data.lm.files import Files
from rnnx.tasks.lm import LanguageModel

ROWS: Final = 20
STEPS: Final = 35
LAYERS: Final = 2
DROPOUT: Final = 0.2
CLIP: Final = 0.25
RATE: Final = 20.0

Pair: TypeAlias = tuple[Tensor, Tensor]


@final
class Rival(nn.Module):
    """The network of pytorch/examples/word_language_model: embedding, ``nn.LSTM``, linear layer.

    Args:
        words: Of the vocabulary.
        width: Of embeddings and states.
        dropout: Rate on the embeddings, between the layers, and on the outputs.
    """

    def __init__(self, words: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, width, LAYERS, dropout=dropout)
        self.output = nn.Linear(width, words)
        self.dropout = nn.Dropout(dropout)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def forward(self, tokens: Tensor, state: Pair | None) -> tuple[Tensor, Pair]:
        """The log-probabilities ``(T * N, V)`` after each of the tokens ``(T, N)``, and the last state."""
        y, state = self.lstm(self.dropout(self.embedding(tokens)), state)
        return self.output(self.dropout(y)).flatten(0, 1).log_softmax(-1), state


@final
class RivalTraining:
    """The example's training loop, a batch at a time.

    Args:
        model: What is trained.
        batches: Tokens and targets, ``(T, N)`` each.
    """

    def __init__(self, model: Rival, batches: Sequence[Pair]) -> None:
        self.model, self.batches = model.train(), cycle(batches)
        self.state: Pair | None = None

    def __call__(self) -> float:
        """Makes a step.

        Returns:
            The loss before it, in nats a token.
        """
        tokens, targets = next(self.batches)
        self.model.zero_grad()
        if self.state is not None:
            self.state = self.state[0].detach(), self.state[1].detach()
        logs, self.state = self.model(tokens, self.state)
        loss = F.nll_loss(logs, targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        for parameter in self.model.parameters():
            assert parameter.grad is not None
            parameter.data.add_(parameter.grad, alpha=-RATE)
        return loss.item()


@final
class Training:
    """The task of rnnx, in what Lightning calls of it and does between.

    Args:
        task: What is trained.
        batches: As they are loaded.
    """

    def __init__(self, task: LanguageModel, batches: Sequence[Batch]) -> None:
        self.task, self.batches = task.train(), cycle(batches)
        self.optimizer = SGD(lr=RATE).build(task.parameters())

    def __call__(self) -> float:
        """Makes a step.

        Returns:
            The loss before it, in nats a token.
        """
        batch = next(self.batches)
        self.optimizer.zero_grad()
        loss = self.task.loss(self.task(batch), batch)
        mean = loss.total / loss.count
        mean.backward()
        nn.utils.clip_grad_norm_(self.task.parameters(), CLIP)
        self.optimizer.step()
        return mean.item()


def built(meta: dict[str, Any], width: int, dropout: float) -> tuple[LanguageModel, Rival]:
    """The two models, with the same weights.

    Args:
        meta: What the data is.
        width: Of embeddings and states.
        dropout: Rate.
    """
    net = {"cell": {"name": "lstm", "hidden_size": width}, "layers": LAYERS, "dropout": dropout}
    task = LanguageModel(net, meta, embedding_size=width, dropout=dropout)
    rival = Rival(len(task.vocabulary), width, dropout)
    weights = task.state_dict()

    def name(parameter: str) -> str:
        """Of the same parameter in the task; the rival's is ``lstm.weight_ih_l1``, say."""
        module, _, rest = parameter.partition(".")
        if module != "lstm":
            return parameter
        kind, layer = rest.split("_l")
        return f"recurrent.layers.{layer}.cell.{kind}"

    rival.load_state_dict({parameter: weights[name(parameter)] for parameter in rival.state_dict()})
    return task, rival


def turned(batches: Sequence[Batch]) -> list[Pair]:
    """The batches as the example has them: along time first."""
    return [(batch.inputs.T.contiguous(), batch.targets.T.contiguous()) for batch in batches]


def loaded(folder: Path, count: int) -> tuple[dict[str, Any], list[Batch]]:
    """What the data is, and the first batches."""
    train, valid, test = (str(folder / f"ptb.{split}.txt") for split in ("train", "valid", "test"))
    data = Files(level="word", batch_size=ROWS, bptt=STEPS, train=train, valid=valid, test=test)
    data.prepare()
    return dict(data.meta), list(islice(data.loader("train"), count))


def table(rows: Sequence[tuple[str, float, float, list[float]]]) -> Iterator[str]:
    """Lines of Markdown.

    Args:
        rows: What was compared, the tokens a second of the two, and the ratio of each round.
    """
    yield "| word LM, PTB, batch 20 x 35 | rnnx, tokens/s | torch's example | ratio (median) | middle half |"
    yield "|---|---|---|---|---|"
    for name, ours, theirs, ratios in rows:
        ordered = sorted(ratios)
        low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
        yield f"| {name} | {ours:,.0f} | {theirs:,.0f} | {median(ratios):.2f} | {low:.2f} to {high:.2f} |"


def main(
    data: Annotated[Path, typer.Option(help="The folder of the Penn Treebank's files.")],
    widths: Annotated[str, typer.Option(help="Of embeddings and states.")] = "200,650",
    threads: Annotated[str, typer.Option(help="How many compute.")] = "1,2",
    rounds: Annotated[int, typer.Option(help="How many at most.")] = 30,
    seconds: Annotated[float, typer.Option(help="Each comparison takes about so long.")] = 60.0,
) -> None:
    """Prints the tokens a second of both in training, and the ratio, ours over theirs."""
    meta, batches = loaded(data, rounds + 1)
    rows = []
    for width in map(int, widths.split(",")):
        for count in map(int, threads.split(",")):
            torch.set_num_threads(count)
            task, rival = built(meta, width, DROPOUT)
            calls: dict[str, Callable[[], object]] = {
                "ours": Training(task, batches),
                "theirs": RivalTraining(rival, turned(batches)),
            }
            times = interleaved(calls, rounds, seconds)
            ours, theirs = (ROWS * STEPS / median(times[name]) for name in ("ours", "theirs"))
            ratios = [slow / fast for fast, slow in zip(times["ours"], times["theirs"], strict=True)]
            rows.append((f"{LAYERS} x {width}, threads {count}", ours, theirs, ratios))
    typer.echo("\n".join(table(rows)))


if __name__ == "__main__":
    typer.run(main)
