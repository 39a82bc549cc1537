from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.trees import NET, Rival, copy, trees
from rnnx.tasks.parts.files.brackets import parse_tree
from rnnx.tasks.parts.texts.reader import Reader
from rnnx.tasks.parts.texts.vocabulary import PAD, UNK, Vocabulary
from rnnx.tasks.sentiment import Sentiment

LINES = [
    "(1 (0 it) (2 (1 is) (2 (1 so) (2 good))))",
    "(0 bad)",
    "(0 (0 (1 not) (2 good)) (0 (0 (1 ,) (0 (1 it) (0 is))) (0 bad)))",
]


@pytest.mark.parametrize("together", [False, True])
def test_node_by_node_it_is_the_same_network(together: bool) -> None:
    torch.manual_seed(0)
    words = Vocabulary.train([parse_tree(line).text for line in LINES], "word", specials=(PAD, UNK))
    reader = Reader(words, ["0", "1", "2"], trees=True)
    net = {**NET, "cell": {**NET["cell"], "hidden_size": 4}}
    meta = {**reader.to_plain(), "vectors": None, "examples": {}}
    ours = Sentiment(net, meta, embedding_size=5, embedding_scale=1.0, dropout=0.0).double()
    theirs = Rival(len(words), 3, 5, 4, 0.0, together).double()
    copy(ours, theirs)
    batch = reader.batch([reader.tree(parse_tree(line)) for line in LINES], range(3))
    loss = ours.loss(ours(batch), batch)
    mine, other = loss.total / loss.count, theirs.loss(trees(batch))
    torch.testing.assert_close(mine, other)
    mine.backward()
    other.backward()
    gradients = {name: parameter.grad for name, parameter in ours.named_parameters()}
    weight_ih, weight_hh, bias = (
        gradients[f"encoder.layers.0.cell.{name}"] for name in ("weight_ih", "weight_hh", "bias_ih")
    )
    i, f, u, o = grad(weight_ih).chunk(4)
    torch.testing.assert_close(torch.cat((i, u, o)), theirs.leaf.weight.grad)
    assert not f.any()  # a leaf has nothing to forget
    torch.testing.assert_close(weight_hh, theirs.inner.weight.grad)
    i, f, u, o = grad(bias).chunk(4)  # the leaves' and the inner nodes' in one
    leaf_i, leaf_u, leaf_o = grad(theirs.leaf.bias.grad).chunk(3)
    inner_i, f_1, f_2, inner_u, inner_o = grad(theirs.inner.bias.grad).chunk(5)
    torch.testing.assert_close(
        (i, f, u, o), (leaf_i + inner_i, f_1 + f_2, leaf_u + inner_u, leaf_o + inner_o)
    )
    for name in ("embedding.weight", "output.weight", "output.bias"):
        torch.testing.assert_close(gradients[name], theirs.get_parameter(name).grad)


def grad(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient
