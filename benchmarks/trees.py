"""Trees: rnnx beside the same network as a recursion over each tree, node by node.

``python -m benchmarks.trees --data FOLDER``, where the folder holds the Stanford Sentiment Treebank's
``train.txt``, ``dev.txt`` and ``test.txt``. A binary Tree-LSTM of 150 units reads word vectors of 300, and
the class of each node is told. All that training takes is timed, from a batch to the step of the optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, NamedTuple, final

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from rnnx.core.batch import Batch
from rnnx.core.benchmark import interleaved
from rnnx.core.running.optimizers import Adagrad
from rnnx.tasks.data.sentiment.trees import Trees
from rnnx.tasks.sentiment import Sentiment

INPUT: Final = 300
HIDDEN: Final = 150
NET: Final[dict[str, Any]] = {"cell": {"name": "tree-lstm", "hidden_size": HIDDEN, "composition": "binary"}}


@final
class Tree(NamedTuple):
    """A tree as one writes it.

    Attributes:
        words: Of the leaves, in the order of the text.
        root: A node is the tuple of its children: none of a leaf, else two.
        classes: Of the nodes, ``(T,)``, children before their parents; -100 where there is none.
    """

    words: Tensor
    root: tuple[Any, ...]
    classes: Tensor


@final
class Rival(nn.Module):
    """The network in plain torch, a tree at a time, by recursion.

    Args:
        words: How many there are.
        classes: How many there are.
        input_size: Width of a word's vector.
        hidden_size: Width of a node's state.
        dropout: Rate on what classes are told from.
        together: Whether what needs no recursion, the leaves' products and the classes of all nodes, is one
            product for a whole tree; otherwise each node has its own.
    """

    def __init__(
        self, words: int, classes: int, input_size: int, hidden_size: int, dropout: float, together: bool
    ) -> None:
        super().__init__()
        self.together = together
        self.embedding = nn.Embedding(words, input_size, 0)
        self.leaf = nn.Linear(input_size, 3 * hidden_size)
        self.inner = nn.Linear(2 * hidden_size, 5 * hidden_size)
        self.output = nn.Linear(hidden_size, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tree: Tree) -> Tensor:
        """The scores of the classes of a tree's nodes, ``(T, C)``."""
        x = self.embedding(tree.words)
        leaves = (self.leaf(x) if self.together else x).split(1)
        outputs: list[Tensor] = []
        self._compose(tree.root, iter(leaves).__next__, outputs)
        if self.together:
            return self.output(self.dropout(torch.cat(outputs)))
        return torch.cat([self.output(self.dropout(h)) for h in outputs])

    def loss(self, trees: Sequence[Tree]) -> Tensor:
        """The mean cross-entropy of all nodes of some trees."""
        scores = torch.cat([self(tree) for tree in trees])
        return F.cross_entropy(scores, torch.cat([tree.classes for tree in trees]))

    def _compose(
        self, node: tuple[Any, ...], leaf: Callable[[], Tensor], outputs: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """A node's state, ``(1, H)``, after those below it; its output is added to the others'."""
        if not node:
            gates = leaf() if self.together else self.leaf(leaf())
            i, u, o = gates.chunk(3, -1)
            c = torch.sigmoid(i) * torch.tanh(u)
        else:
            (h_1, c_1), (h_2, c_2) = (self._compose(child, leaf, outputs) for child in node)
            i, f_1, f_2, u, o = self.inner(torch.cat((h_1, h_2), -1)).chunk(5, -1)
            c = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(f_1) * c_1 + torch.sigmoid(f_2) * c_2
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
        return h, c


def trees(batch: Batch) -> list[Tree]:
    """The trees of a batch."""
    assert batch.parents is not None
    return [
        _tree(words[:length], parents[:length], classes[:length])
        for words, parents, classes, length in zip(
            batch.inputs, batch.parents, batch.targets, batch.lengths.tolist(), strict=True
        )
    ]


def _tree(words: Tensor, parents: Tensor, classes: Tensor) -> Tree:
    children: list[list[int]] = [[] for _ in words]
    for node, parent in enumerate(parents.tolist()):
        if parent >= 0:
            children[parent].append(node)

    def below(node: int) -> tuple[Any, ...]:
        return tuple(map(below, children[node]))

    return Tree(words[words != 0], below(len(words) - 1), classes)


def copy(ours: Sentiment, theirs: Rival) -> None:
    """Gives the rival the weights of a model of rnnx, whose rows are those of the gates ``i f u o``."""
    weights = ours.state_dict()
    (layer,) = {name.rsplit(".", 1)[0] for name in weights if name.endswith("weight_hh")}
    i, f, u, o = weights[f"{layer}.bias_ih"].chunk(4)
    i_x, _, u_x, o_x = weights[f"{layer}.weight_ih"].chunk(4)
    own = {name: weights[name] for name in ("embedding.weight", "output.weight", "output.bias")}
    theirs.load_state_dict(
        {
            **own,
            "leaf.weight": torch.cat((i_x, u_x, o_x)),
            "leaf.bias": torch.cat((i, u, o)),
            "inner.weight": weights[f"{layer}.weight_hh"],
            "inner.bias": torch.cat((i, f, f, u, o)),
        }
    )


def main(
    data: Annotated[Path, typer.Option(help="The folder of train.txt, dev.txt and test.txt.")],
    threads: Annotated[int, typer.Option(help="Threads that torch may use.")] = 1,
    batches: Annotated[int, typer.Option(help="Batches of 20 in a round.")] = 6,
    rounds: Annotated[int, typer.Option(help="Rounds in which each way is timed once.")] = 12,
    seconds: Annotated[float, typer.Option(help="No round begins after these.")] = 200,
) -> None:
    """Trains on the same trees in turn, and writes a table: trees a second, and their ratios in a round."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    train, valid, test = (str(data / f"{name}.txt") for name in ("train", "dev", "test"))
    source = Trees(train=train, valid=valid, test=test, batch_size=20)
    ours = Sentiment(NET, source.meta, embedding_size=INPUT, dropout=0.5)
    words, classes = ours.embedding.num_embeddings, ours.output.out_features
    read = list(islice(source.loader("train"), batches))
    apart = [trees(batch) for batch in read]

    def loss(batch: Batch) -> Tensor:
        found = ours.loss(ours(batch), batch)
        return found.total / found.count

    ways = {"rnnx": training(ours, loss, read)}
    for name, together in (("node by node", False), ("the same, leaves and classes at once", True)):
        theirs = Rival(words, classes, INPUT, HIDDEN, 0.5, together)
        copy(ours, theirs)
        ways[name] = training(theirs, theirs.loss, apart)
    times = interleaved(ways, rounds, seconds)
    count = sum(map(len, read))
    done = len(times["rnnx"])
    typer.echo(f"torch {torch.__version__}, {threads} thread(s), {done} rounds of {count} trees\n")
    typer.echo("| way | trees a second | rnnx is faster by | least | most |\n|---|---|---|---|---|")
    for name, taken in times.items():
        ratios = [own / mine for own, mine in zip(taken, times["rnnx"], strict=True)]
        figures = f"{median(ratios):.1f} | {min(ratios):.1f} | {max(ratios):.1f}"
        typer.echo(f"| {name} | {count / median(taken):.0f} | {figures} |")


def training(model: nn.Module, loss: Callable[[Any], Tensor], batches: Sequence[Any]) -> Callable[[], None]:
    """What takes a step of training on each batch."""
    optimizer = Adagrad(lr=0.05).build(model.parameters())

    def train() -> None:
        for batch in batches:
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()

    return train


if __name__ == "__main__":
    typer.run(main)
