"""The memory benchmarks: adding, copying, and pictures pixel by pixel (Hochreiter & Schmidhuber 1997)."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric, Metric

from rnnx.core.batch import Batch
from rnnx.core.data import Meta, Split
from rnnx.core.errors import UsageError
from rnnx.core.exhibits.exhibit import Exhibit, Text
from rnnx.core.nets.linear import Linear
from rnnx.core.task import Loss, Task
from rnnx.tasks.parts.lines import each

if TYPE_CHECKING:
    from matplotlib.figure import Figure


NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
SHOWN: Final = 60  # characters of a line that is refused


class Problem(ABC):
    """What is read, what is answered, and how well: one for each kind of data.

    The answers ``(N, K)`` are read off the net's last ``K`` outputs.

    Attributes:
        metric: The name of the score.
        input_size: Features of a step, as the net reads them.
        output_size: Numbers that an answer is made from.
        answers: ``K``.
    """

    metric: ClassVar[str]
    input_size: int
    output_size: int
    answers: int

    def features(self, inputs: Tensor) -> Tensor:
        """A batch's inputs as the net reads them, ``(N, T, input_size)``; by default they are that."""
        return inputs

    @abstractmethod
    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """The summed loss of outputs ``(N, K, output_size)`` against targets ``(N, K)``, a scalar."""

    @abstractmethod
    def answer(self, output: Tensor) -> Tensor:
        """The answers ``(N, K)`` of outputs ``(N, K, output_size)``."""

    @abstractmethod
    def score(self, answers: Tensor, targets: Tensor) -> Tensor:
        """What the metric is the mean of, for each answer, ``(N, K)``."""

    @abstractmethod
    def parse(self, line: str) -> Tensor:
        """One example's inputs, ``(T, ...)``, of a line.

        Raises:
            ValueError: the line is not of that form; says why.
        """

    @abstractmethod
    def question(self, inputs: Tensor) -> str:
        """The line that :meth:`parse` reads one example's inputs ``(T, ...)`` from."""

    @abstractmethod
    def text(self, answers: Tensor) -> str:
        """One example's answers, ``(K,)``, in words."""

    def figures(self, inputs: Tensor, title: str) -> dict[str, Figure]:
        """Pictures of one example's inputs ``(T, ...)`` under a title, by name; by default there are none."""
        return {}


@final
class Numbers(Problem):
    """Numbers from numbers, by the squared error: the adding problem, where chance is 1/6 = 0.167.

    A line has the steps separated by blanks, the features of each joined by colons.

    Example:
        >>> problem = Numbers({"features": 2, "answers": 1})
        >>> problem.parse("0.25:1 0.5:0").tolist()
        [[0.25, 1.0], [0.5, 0.0]]
    """

    metric = "mse"

    def __init__(self, meta: Meta) -> None:
        self.input_size, self.output_size, self.answers = meta["features"], 1, meta["answers"]

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(self.answer(output), targets, reduction="sum")

    def answer(self, output: Tensor) -> Tensor:
        return output.squeeze(-1)

    def score(self, answers: Tensor, targets: Tensor) -> Tensor:
        return (answers - targets).square()

    def parse(self, line: str) -> Tensor:
        steps = [_numbers(step, ":", self.input_size) for step in line.split()]
        if len(steps) < self.answers:
            raise ValueError(f"expected steps separated by blanks, at least {self.answers}, got {len(steps)}")
        return torch.tensor(steps)

    def question(self, inputs: Tensor) -> str:
        return " ".join(":".join(f"{number:.3g}" for number in step) for step in inputs.tolist())

    def text(self, answers: Tensor) -> str:
        return " ".join(f"{number:.4f}" for number in answers.tolist())


class Choice(Problem, ABC):
    """One of several at each answer, by the cross-entropy in nats.

    Args:
        names: What there is to choose from.
        answers: ``K``.
    """

    metric = "accuracy"

    def __init__(self, names: Sequence[str], answers: int) -> None:
        self.names, self.output_size, self.answers = names, len(names), answers

    @final
    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output.flatten(0, 1), targets.flatten(), reduction="sum")

    @final
    def answer(self, output: Tensor) -> Tensor:
        return output.argmax(-1)

    @final
    def score(self, answers: Tensor, targets: Tensor) -> Tensor:
        return 100.0 * (answers == targets)

    @final
    def text(self, answers: Tensor) -> str:
        return " ".join(self.names[answer] for answer in answers.tolist())


@final
class Classes(Choice):
    """The class of a picture: sequential digits.

    A line has all pixels, separated by blanks, from 0 to ``scale``.

    Example:
        >>> meta = {"classes": ["a", "b"], "answers": 1, "features": 2, "shape": [2, 2], "scale": 4}
        >>> Classes(meta).parse("0 1 2 4").tolist()
        [[0.0, 0.25], [0.5, 1.0]]
    """

    def __init__(self, meta: Meta) -> None:
        super().__init__(meta["classes"], meta["answers"])
        self.input_size, self.shape, self.scale = meta["features"], meta["shape"], meta["scale"]

    def parse(self, line: str) -> Tensor:
        pixels = _numbers(line, None, math.prod(self.shape))
        return torch.tensor(pixels).unflatten(0, (-1, self.input_size)) / self.scale

    def question(self, inputs: Tensor) -> str:
        return " ".join(f"{pixel * self.scale:.3g}" for pixel in inputs.flatten().tolist())

    def figures(self, inputs: Tensor, title: str) -> dict[str, Figure]:
        """The picture."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(3, 3), layout="constrained")
        axes = figure.subplots()
        axes.imshow(inputs.detach().float().cpu().reshape(self.shape).numpy(), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(title)
        axes.set_axis_off()
        return {"first": figure}


@final
class Symbols(Choice):
    """Symbols read long ago, in order: the copying problem. Chance is ln 8 = 2.079 nats and 12.5%.

    The net reads tokens as one-hot vectors. A line has the symbols, separated by blanks; what follows them in
    a sequence (blanks and the delimiter) is added.

    Example:
        >>> problem = Symbols({"symbols": ["a", "b"], "tokens": 4, "answers": 3, "after": [2, 3, 2, 2, 2]})
        >>> problem.parse("b a b").tolist()
        [1, 0, 1, 2, 3, 2, 2, 2]
    """

    def __init__(self, meta: Meta) -> None:
        super().__init__(meta["symbols"], meta["answers"])
        self.input_size, self.after = meta["tokens"], meta["after"]

    def features(self, inputs: Tensor) -> Tensor:
        return F.one_hot(inputs, self.input_size)

    def parse(self, line: str) -> Tensor:
        words = line.split()
        if len(words) != self.answers or not set(words).issubset(self.names):
            raise ValueError(
                f"expected {self.answers} symbols separated by blanks, each one of {', '.join(self.names)}, "
                f"got {shorten(line, SHOWN)!r}"
            )
        return torch.tensor([*map(self.names.index, words), *self.after])

    def question(self, inputs: Tensor) -> str:
        return self.text(inputs[: self.answers])


PROBLEMS: Final[dict[str, Callable[[Meta], Problem]]] = {
    "numbers": Numbers,
    "classes": Classes,
    "symbols": Symbols,
}


@final
class Memory(Task):
    """Reads a sequence, and answers at its end what only a memory can.

    The data says of which kind it is: the sum of two numbers long past (``adding`` and ``toy``; the score is
    ``mse``, and chance 1/6 = 0.167), the symbols that came first (``copying``; ``accuracy`` in percent of the
    symbols, and chance 12.5), or the class of a picture read pixel by pixel (``digits``; ``accuracy`` in
    percent, and chance 10). The answers are a linear function of the net's last outputs.
    """

    falling: ClassVar[frozenset[str]] = Task.falling | {"mse"}
    counted: ClassVar[str] = "answers"

    def __init__(self, net: Mapping[str, Any], meta: Meta) -> None:
        super().__init__(net, meta)
        if self.net.bidirectional:
            raise UsageError(
                "net.bidirectional: task 'memory' measures how far back a net remembers, so it must not read "
                "from the end; set net.bidirectional=false"
            )
        self.problem: Problem = PROBLEMS[meta["kind"]](meta)
        self.recurrent = self.net.decoder(self.problem.input_size)
        self.output = Linear(self.recurrent.output_size, self.problem.output_size)

    def forward(self, batch: Batch) -> Tensor:
        """What the answers are made from, ``(N, K, output_size)``."""
        return self._read(batch.inputs, batch.lengths)

    def loss(self, output: Tensor, batch: Batch) -> Loss:
        """The squared error or the cross-entropy of each answer."""
        count = torch.tensor(batch.targets.numel(), device=output.device)
        return Loss(self.problem.loss(output, batch.targets), count)

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """The mean squared error, or the share of right answers in percent."""
        return {self.problem.metric: MeanMetric(nan_strategy="disable")}  # a lost run says so

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Tensor, loss: Loss, split: Split
    ) -> None:
        """Adds the scores of a batch."""
        metrics[self.problem.metric].update(self.problem.score(self.problem.answer(output), batch.targets))

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        """The input as :meth:`predict` reads it, the expected answer and the model's."""
        return [
            {
                "input": Text(self.problem.question(inputs[:length])),
                "expected": Text(self.problem.text(targets)),
                "answer": Text(self.problem.text(answers)),
            }
            for inputs, length, targets, answers in zip(
                batch.inputs,
                batch.lengths.tolist(),
                batch.targets,
                self.problem.answer(self(batch)),
                strict=True,
            )
        ]

    def figures(self, batch: Batch) -> dict[str, Figure]:
        """The first picture, where the data is pictures."""
        first = self.samples(batch)[0]
        inputs = batch.inputs[0, : int(batch.lengths[0])]
        return self.problem.figures(inputs, f"{first['expected'].text}, answered {first['answer'].text}")

    def predict(self, lines: Iterable[str]) -> Iterator[str]:
        """Answers each line.

        Args:
            lines: What each is made of is separated by blanks: of the adding problem ``value:mark``, as in
                ``0.3:0 0.8:1 0.5:1``; of copying the symbols, as in ``3 1 8``; of digits the 64 pixels from 0
                to 16.

        Returns:
            The sum; the symbols remembered; the class.

        Raises:
            InputError: a line is not of that form.
        """
        for inputs in each(lines, self.problem.parse):
            with torch.no_grad():
                output = self._read(inputs.unsqueeze(0).to(self.device), torch.tensor([len(inputs)]))
            yield self.problem.text(self.problem.answer(output)[0])

    def _read(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        features = self.problem.features(inputs).to(self.output.weight.dtype)
        y, _ = self.recurrent(features, lengths)  # (N, T, H)
        back = torch.arange(-self.problem.answers, 0, device=y.device)
        places = lengths.to(y.device).unsqueeze(1) + back  # (N, K), the last real steps
        rows = torch.arange(len(y), device=y.device).unsqueeze(1)
        output = self.output(y[rows, places])
        return output.to(torch.promote_types(output.dtype, torch.float32))


def _numbers(text: str, separator: str | None, count: int) -> list[float]:
    """The numbers that a text has between separators; None for blanks.

    Raises:
        ValueError: they are not so many, or something else is among them.
    """
    words = text.split(separator)
    numbers = [float(word) for word in words if NUMBER.fullmatch(word) and math.isfinite(float(word))]
    if not len(numbers) == len(words) == count:
        raise ValueError(
            f"expected {count} finite numbers separated by {separator or 'blanks'}, got {len(numbers)} in "
            f"{shorten(text, SHOWN)!r}"
        )
    return numbers
