"""Two tasks with which nothing is wrong, and their data: one reads sequences, one carries its state on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric

from rnnx.core.batch import Batch
from rnnx.core.data import Data, Loader, Meta, Split
from rnnx.core.errors import UsageError
from rnnx.core.exhibits.exhibit import Exhibit, Text
from rnnx.core.state import State, detach
from rnnx.core.task import Loss, Task

SYMBOLS = 5
SIZES: dict[Split, int] = {"train": 16, "valid": 9, "test": 9}


class Sequences(Data):
    """Sequences of symbols of 2 to 6 steps; what is asked for is the first one."""

    batch_size = 7

    def prepare(self) -> None:
        self.epoch = 0

    @property
    def meta(self) -> Meta:
        return {"symbols": [str(number) for number in range(SYMBOLS)], "rate": 0.5, "nothing": None}

    def loader(self, split: Split) -> Loader:
        return Batches(self, split)

    def order(self, split: Split) -> list[int]:
        """The positions of an epoch."""
        self.epoch += 1
        generator = torch.Generator().manual_seed(self.epoch)
        shuffled: list[int] = torch.randperm(SIZES[split], generator=generator).tolist()
        return shuffled if split == "train" else list(range(SIZES[split]))

    def batch(self, split: Split, positions: list[int]) -> Batch:
        """The examples at some positions."""
        generator = torch.Generator().manual_seed(len(split))
        inputs = torch.randint(SYMBOLS, (SIZES[split], 6), generator=generator)[positions]
        lengths = torch.tensor(positions) % 5 + 2
        inputs = inputs[:, : int(lengths.max())]
        real = torch.arange(inputs.shape[1]) < lengths.unsqueeze(1)
        return Batch(inputs.where(real, 0), lengths, inputs[:, 0], torch.tensor(positions))


class Batches:
    """Batches, anew each time they are asked for."""

    def __init__(self, data: Sequences, split: Split) -> None:
        self.data, self.split = data, split

    def __iter__(self) -> Iterator[Batch]:
        order = self.data.order(self.split)
        for start in range(0, len(order), self.data.batch_size):
            yield self.data.batch(self.split, order[start : start + self.data.batch_size])


class First(Task):
    """Tells the first symbol of a sequence.

    Args:
        pool: What of the outputs is looked at.
        doubled: Whether the loss is counted twice.
        needs_width: Whether only a net whose output is as wide as its input will do.
    """

    def __init__(
        self,
        net: Mapping[str, Any],
        meta: Meta,
        *,
        pool: Literal["mean", "largest"] = "mean",
        doubled: bool = False,
        needs_width: bool = False,
    ) -> None:
        super().__init__(net, meta)
        if needs_width:
            raise UsageError("task.needs_width: this net has another width")
        self.pool, self.doubled = pool, doubled
        self.embedding = nn.Embedding(SYMBOLS, 4)
        self.encoder = self.net.encoder(4)
        self.output = nn.Linear(self.encoder.output_size, SYMBOLS)
        self.dropout = nn.Dropout(0.1)

    def forward(self, batch: Batch) -> Tensor:
        y, _ = self.encoder(self.dropout(self.embedding(batch.inputs)), batch.lengths)  # (N, T, H)
        real = torch.arange(y.shape[1]).unsqueeze(0) < batch.lengths.unsqueeze(1)  # (N, T)
        if self.pool == "mean":
            seen = y.masked_fill(~real.unsqueeze(-1), 0).sum(1) / batch.lengths.unsqueeze(1)
        else:
            seen = y.masked_fill(~real.unsqueeze(-1), -torch.inf).max(1).values
        return self.output(seen)

    def loss(self, output: Tensor, batch: Batch) -> Loss:
        logits = output.to(torch.promote_types(output.dtype, torch.float32))
        total = F.cross_entropy(logits, batch.targets, reduction="sum")
        return Loss(total * (2 if self.doubled else 1), torch.tensor(len(batch)))

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        return {"accuracy": MeanMetric()}

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Tensor, loss: Loss, split: Split
    ) -> None:
        metrics["accuracy"].update((output.argmax(-1) == batch.targets).double())

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        rows = zip(batch.inputs, batch.lengths, self(batch).argmax(-1), strict=True)
        return [
            {"symbols": Text(" ".join(map(str, symbols[:length].tolist()))), "first": Text(str(int(found)))}
            for symbols, length, found in rows
        ]

    def figures(self, batch: Batch) -> dict[str, Figure]:
        return {"first": Figure()}

    def predict(self, lines: Iterable[str], *, loud: bool = False) -> Iterator[str]:
        """Answers.

        Args:
            lines: Symbols.
            loud: Whether the answer is marked.
        """
        for line in lines:
            symbols = torch.tensor([int(symbol) for symbol in line.split()] or [0])
            batch = Batch(symbols.unsqueeze(0), torch.tensor([len(symbols)]), symbols[:1], torch.arange(1))
            with torch.no_grad():
                yield f"{int(self(batch).argmax())}{'!' if loud else ''}"


class Texts(Data):
    """One text of symbols a split, in streams that go on from batch to batch."""

    streams, steps, batches = 3, 4, 3

    def prepare(self) -> None: ...

    @property
    def meta(self) -> Meta:
        return {"symbols": SYMBOLS}

    def loader(self, split: Split) -> Loader:
        return [self.batch(split, number) for number in range(self.batches)]

    def batch(self, split: Split, number: int) -> Batch:
        """The next steps of each stream; the last stream ends early."""
        generator = torch.Generator().manual_seed(len(split))
        text = torch.randint(SYMBOLS, (self.streams, self.batches * self.steps + 1), generator=generator)
        start = number * self.steps
        lengths = torch.full((self.streams,), self.steps)
        inputs, targets = text[:, start : start + self.steps], text[:, start + 1 : start + 1 + self.steps]
        if number > 0:
            lengths[-1] = 4 - number
        real = torch.arange(self.steps) < lengths.unsqueeze(1)
        return Batch(
            inputs.where(real, 0),
            lengths,
            targets.where(real, -100),
            torch.arange(self.streams),
            continues=number > 0,
        )


class Next(Task):
    """Tells each symbol from those before it, the state carried on from batch to batch."""

    def __init__(self, net: Mapping[str, Any], meta: Meta) -> None:
        super().__init__(net, meta)
        if self.net.bidirectional:
            raise UsageError("net.bidirectional: the future is not to be read")
        self.recurrent = self.net.decoder(SYMBOLS)
        self.output = nn.Linear(self.recurrent.output_size, SYMBOLS)
        self.carried: dict[bool, State] = {}

    def forward(self, batch: Batch) -> Tensor:
        before = self.carried[self.training] if batch.continues else None
        x = F.one_hot(batch.inputs, SYMBOLS).to(self.output.weight.dtype)
        y, after = self.recurrent(x, batch.lengths, before)
        self.carried[self.training] = detach(after)
        return self.output(y)

    def loss(self, output: Tensor, batch: Batch) -> Loss:
        logits = output.to(torch.promote_types(output.dtype, torch.float32)).flatten(0, 1)
        total = F.cross_entropy(logits, batch.targets.flatten(), reduction="sum")
        return Loss(total, batch.lengths.sum())

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        return {"nats": MeanMetric()}

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Tensor, loss: Loss, split: Split
    ) -> None:
        metrics["nats"].update(loss.total / loss.count, loss.count)

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        return [{"before": Text("0 1"), "after": Text(next(self.predict(["0 1"])))}]

    def figures(self, batch: Batch) -> dict[str, Figure]:
        return {}

    def predict(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            text = torch.tensor([[0, *map(int, line.split())]])
            y, _ = self.recurrent(F.one_hot(text, SYMBOLS).to(self.output.weight.dtype))
            yield str(int(self.output(y[0, -1]).argmax()))


@pytest.fixture
def first() -> type[Task]:
    """A task with which nothing is wrong."""
    return First


@pytest.fixture
def following() -> type[Task]:
    """Another, that carries its state on."""
    return Next


@pytest.fixture
def sequences() -> type[Data]:
    """Data for the first."""
    return Sequences


@pytest.fixture
def texts() -> type[Data]:
    """Data for the other."""
    return Texts
