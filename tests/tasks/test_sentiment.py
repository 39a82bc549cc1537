"""Sentiment against plain loops and recursions over its net, hand calculation, and files of vectors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import lightning as L
import pytest
import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.data import Data, Meta
from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.experiment import Experiment
from rnnx.core.layers import Layer, Stack
from rnnx.core.running.optimizers import Adam
from rnnx.core.testing import checks
from rnnx.core.testing.check import Check
from rnnx.core.testing.kit import name_of, problem
from rnnx.tasks.data.sentiment.toy import Toy
from rnnx.tasks.parts.files.brackets import Tree, parse_tree
from rnnx.tasks.parts.nets.pooling import Pooling
from rnnx.tasks.parts.pictures.phrases import Phrases
from rnnx.tasks.parts.texts.reader import Reader
from rnnx.tasks.parts.texts.vocabulary import PAD, UNK, Vocabulary
from rnnx.tasks.sentiment import Logits, Sentiment

CLASSES = ["bad", "fair", "good"]
TREES = [
    "(good (fair it) (good (? is) (good (fair so) (good good))))",
    "(bad bad)",
    "(bad (bad (? not) (good good)) (bad (fair ,) (bad bad)))",
    "(? (? so) (fair it))",
]
WORDS = Vocabulary.train([parse_tree(line).text for line in TREES], "word", specials=(PAD, UNK))
GRU = {"name": "gru", "hidden_size": 6}
NET: dict[str, Any] = {"cell": GRU}

doubles = pytest.mark.usefixtures("doubles")
quiet = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
    "ignore:.*logging interval",
)
each_pooling = pytest.mark.parametrize("pooling", get_args(Pooling))


def reader(trees: bool) -> Reader:
    return Reader(WORDS, CLASSES, trees)


def meta(trees: bool) -> Meta:
    return {**reader(trees).to_plain(), "vectors": None, "examples": {}}


def built(trees: bool, net: dict[str, Any] = NET, sharp: float = 3.0, **options: Any) -> Sentiment:
    """A model that says something: weights larger than at the start of a training, from a seed."""
    torch.manual_seed(1)
    model = Sentiment(net, meta(trees), **({"embedding_size": 5, "embedding_scale": 0.5} | options))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(sharp)
    return model.eval()


def constant(trees: bool, *scores: float, **options: Any) -> Sentiment:
    """A model that answers the same whatever it read."""
    model = built(trees, **options)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor(scores))
    return model


def batch_of(trees: bool, lines: list[str] = TREES) -> Batch:
    """The trees, or their texts, each with the class of its root."""
    made = reader(trees)
    parsed = [parse_tree(line) for line in lines]
    examples = [made.tree(tree) if trees else made.text(tree.text, tree.labels[-1]) for tree in parsed]
    return made.batch(examples, range(len(lines)))


# -------------------------------------------------------------------------------------------- the net


def composed(model: Sentiment, tree: Tree) -> list[Tensor]:
    """The scores of each node, from a recursion over the tree, a node at a time."""
    assert isinstance(model.encoder, Stack)
    (layer,) = model.encoder.layers
    assert isinstance(layer, Layer)
    cell, weight = layer.cell, model.embedding.weight
    states, scores = [], []
    for number, word in enumerate(tree.words):
        token = WORDS.tokens.index(word) if word else WORDS.pad
        x = weight[token].unsqueeze(0) if word else weight.new_zeros(1, 5)
        below = [state for state, parent in zip(states, tree.parents, strict=False) if parent == number]
        if not below:
            below = [cell.initial_state(1, x)]
        children = tuple(torch.stack(tensors, 1) for tensors in zip(*below, strict=True))
        mask = torch.full((1, len(below)), bool(not word))
        y, state = cell.fold(cell.project(x), children, mask)
        states.append(state)
        scores.append(model.output.weight @ y[0] + model.output.bias)
    return scores


@doubles
@torch.no_grad()
def test_a_tree_is_composed_node_by_node(cell: dict[str, Any]) -> None:
    """Whatever the cell; the scores of the whole are those of its root."""
    model, batch = built(True, {"cell": cell}), batch_of(True)
    scores = model(batch)
    assert scores.nodes is not None
    for row, line in enumerate(TREES):
        expected = composed(model, parse_tree(line))
        for found, wanted in zip(scores.nodes[row], expected, strict=False):
            assert torch.allclose(found, wanted, atol=1e-10)
        assert torch.allclose(scores.texts[row], expected[-1], atol=1e-10)


def steps(model: Sentiment, text: str) -> Tensor:
    """The outputs of a net of one direction, read step by step."""
    state = model.encoder.initial_state(1, model.embedding.weight)
    outputs = []
    for word in text.split():
        x = model.embedding(torch.tensor([WORDS.tokens.index(word)]))
        y, state = model.encoder.step(x, state)
        outputs.append(y[0])
    return torch.stack(outputs)


@doubles
@torch.no_grad()
def test_a_text_is_read_in_order(cell: dict[str, Any]) -> None:
    model, batch = built(False, {"cell": cell}), batch_of(False)
    scores = model(batch)
    assert scores.nodes is None
    for row, line in enumerate(TREES):
        last = steps(model, parse_tree(line).text)[-1]
        expected = model.output.weight @ last + model.output.bias
        assert torch.allclose(scores.texts[row], expected, atol=1e-10)


@doubles
@torch.no_grad()
@pytest.mark.parametrize(("pooling", "pooled"), [("mean", lambda y: y.mean(0)), ("max", lambda y: y.amax(0))])
def test_a_text_is_pooled(pooling: str, pooled: Any) -> None:
    model, batch = built(False, pooling=pooling), batch_of(False)
    for row, line in enumerate(TREES):
        expected = model.output(pooled(steps(model, parse_tree(line).text)))
        assert torch.allclose(model(batch).texts[row], expected, atol=1e-10)


@doubles
@torch.no_grad()
def test_both_directions_are_read_to_their_ends() -> None:
    """The last output of the one beside the first of the other: what each gives after all words."""
    model = built(False, NET | {"bidirectional": True})
    one = batch_of(False, TREES[:1])
    y, _ = model.encoder(model.embedding(one.inputs))
    assert model.output.weight.shape == (3, 24)
    expected = model.output(torch.cat((y[0, -1], y[0, 0])))
    assert torch.allclose(model(batch_of(False)).texts[0], expected, atol=1e-10)


@doubles
@torch.no_grad()
@each_pooling
@pytest.mark.parametrize("net", [{}, {"bidirectional": True}, {"layers": 2, "skip": "dense"}], ids=str)
def test_neighbours_change_nothing_of_a_text(pooling: Pooling, net: dict[str, Any]) -> None:
    model = built(False, NET | net, pooling=pooling)
    together = model(batch_of(False)).texts
    for row, line in enumerate(TREES):
        assert torch.allclose(together[row], model(batch_of(False, [line])).texts[0], atol=1e-10)


@doubles
@torch.no_grad()
@pytest.mark.parametrize("net", [{"layers": 2}, {"layers": 2, "skip": "dense"}], ids=str)
def test_neighbours_change_nothing_of_a_tree(net: dict[str, Any]) -> None:
    model = built(True, NET | net)
    together = model(batch_of(True))
    for row, line in enumerate(TREES):
        alone = model(batch_of(True, [line]))
        assert together.nodes is not None
        assert alone.nodes is not None
        assert torch.allclose(together.nodes[row, : alone.nodes.shape[1]], alone.nodes[0], atol=1e-10)
        assert torch.allclose(together.texts[row], alone.texts[0], atol=1e-10)


def test_inner_nodes_read_nothing_also_of_one_hot_words() -> None:
    """The scores of the first inner node depend on no row of the input matrix but those of its leaves."""
    model = built(True, embedding="one-hot")
    assert model.encoder.input_size == len(WORDS)
    batch = batch_of(True, TREES[:1])
    scores = model(batch).texts
    layer = next(module for module in model.modules() if isinstance(module, Layer))
    (gradient,) = torch.autograd.grad(scores.sum(), [layer.cell.weight_ih])
    read = gradient.any(0).nonzero().flatten().tolist()
    assert read == sorted(WORDS.tokens.index(word) for word in ("it", "is", "so", "good"))


def test_a_net_that_reads_from_the_end_reads_no_trees() -> None:
    with pytest.raises(UsageError, match=r"^net\.bidirectional: .* set net\.bidirectional=false"):
        Sentiment(NET | {"bidirectional": True}, meta(True))


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_trees_are_not_pooled(pooling: Pooling) -> None:
    with pytest.raises(UsageError, match=r"^task\.pooling: .* got .*; set task\.pooling=last"):
        Sentiment(NET, meta(True), pooling=pooling)


# ----------------------------------------------------------------------------------- loss and metrics


def test_the_loss_of_trees_is_that_of_all_labelled_nodes() -> None:
    model, batch = constant(True, *map(math.log, (0.5, 0.2, 0.3))), batch_of(True, TREES[:3])
    labels = ["fair", "fair", "good", "good", "good", "good"]  # of the first, without the unlabelled
    labels += ["bad", "good", "bad", "fair", "bad", "bad", "bad"]
    loss = model.loss(model(batch), batch)
    p = {"bad": 0.5, "fair": 0.2, "good": 0.3}
    assert loss.total.item() == pytest.approx(-sum(math.log(p[label]) for label in labels), rel=1e-5)
    assert loss.count.item() == len(labels)


def test_the_loss_of_trees_may_be_that_of_their_roots() -> None:
    model = constant(True, *map(math.log, (0.5, 0.2, 0.3)), all_nodes=False)
    batch = batch_of(True, TREES[:3])
    loss = model.loss(model(batch), batch)
    assert loss.total.item() == pytest.approx(-math.log(0.3 * 0.5 * 0.5), rel=1e-5)
    assert loss.count.item() == 3


def test_the_loss_of_texts_is_that_of_each() -> None:
    model, batch = constant(False, *map(math.log, (0.5, 0.2, 0.3))), batch_of(False, TREES[:3])
    loss = model.loss(model(batch), batch)
    assert loss.total.item() == pytest.approx(-math.log(0.3 * 0.5 * 0.5), rel=1e-5)
    assert loss.count.item() == 3


def scored(model: Sentiment, batches: list[Batch]) -> dict[str, float]:
    metrics = model.metrics("test")
    for batch in batches:
        output = model(batch)
        model.observe(metrics, batch, output, model.loss(output, batch), "test")
    values: dict[str, Any] = metrics["confusion"].compute()
    values |= {name: metric.compute() for name, metric in metrics.items() if name != "confusion"}
    return {name: float(value) for name, value in values.items()}


def test_metrics_are_of_roots_and_of_all_nodes() -> None:
    """Of a model that always says bad: 2 of 3 roots and 5 of 13 nodes."""
    model = constant(True, 1.0, 0.0, 0.0)
    values = scored(model, [batch_of(True, TREES[:2]), batch_of(True, TREES[2:3])])
    assert values == {
        "accuracy": pytest.approx(200 / 3),
        "f1": pytest.approx((80 + 0) / 2),
        "node_accuracy": pytest.approx(100 * 5 / 13),
    }


def test_texts_have_no_nodes_to_score() -> None:
    values = scored(constant(False, 1.0, 0.0, 0.0), [batch_of(False, TREES[:3])])
    assert values == {"accuracy": pytest.approx(200 / 3), "f1": pytest.approx(40)}


# ------------------------------------------------------------------------------- samples and answers


def texts_of(samples: list[dict[str, Exhibit]]) -> list[dict[str, str]]:
    return [{name: exhibit.text for name, exhibit in sample.items()} for sample in samples]


def test_a_tree_is_shown_with_its_classes_and_with_the_answers() -> None:
    (sample, *_) = constant(True, 0.0, 1.0, 0.0).samples(batch_of(True, TREES[:2]))
    text, answer = sample["text"], sample["answer"]
    assert isinstance(text, Phrases)
    assert isinstance(answer, Phrases)
    assert text.tree.words == answer.tree.words == ["it", "is", "so", "good", "", "", ""]
    assert text.tree.labels == ["fair", "", "fair", "good", "good", "good", "good"]
    assert answer.tree.labels == ["fair"] * 7
    assert text.tree.parents == answer.tree.parents
    assert len(set(text.colours.values())) == 3


def test_samples_are_texts_expected_answers_and_answers() -> None:
    assert texts_of(constant(False, 0.0, 1.0, 0.0).samples(batch_of(False, TREES[:2]))) == [
        {"text": "it is so good", "expected": "good", "answer": "fair"},
        {"text": "bad", "expected": "bad", "answer": "fair"},
    ]
    assert texts_of(constant(True, 0.0, 1.0, 0.0).samples(batch_of(True, TREES[:2]))) == [
        {
            "text": "(2 (1 it) (2 (? is) (2 (1 so) (2 good))))",
            "expected": "good",
            "answer": "fair",
        },
        {"text": "(0 bad)", "expected": "bad", "answer": "fair"},
    ]


@torch.no_grad()
@pytest.mark.parametrize("trees", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_answers_are_classes_and_their_probabilities(trees: bool, batch_size: int) -> None:
    model = built(trees)
    lines = TREES if trees else [parse_tree(line).text for line in TREES]
    probabilities = model(batch_of(trees)).texts.softmax(-1)
    expected = [f"{CLASSES[int(row.argmax())]}\t{row.max():.4f}" for row in probabilities]
    assert list(model.predict(lines, batch_size=batch_size)) == expected
    assert len(set(expected)) > 2


def test_labels_of_a_tree_that_is_asked_about_do_not_matter() -> None:
    model = built(True)
    first, second = model.predict([TREES[0], "(S (NP it) (VP (V is) (A (D so) (A good))))"])
    assert first == second


def test_a_line_without_words_is_answered_too() -> None:
    model = built(False, pooling="max")
    probability = model.output.bias.softmax(-1)
    expected = f"{CLASSES[int(probability.argmax())]}\t{probability.max():.4f}"
    assert list(model.predict(["", "  "])) == [expected] * 2
    assert list(model.predict(["so good", "", "bad"]))[1] == expected


@pytest.mark.parametrize("size", [1, 64])
def test_a_line_that_is_no_tree_is_refused_and_its_number_said(size: int) -> None:
    model = built(True)
    answers = model.predict([TREES[0], "so good", TREES[1]], batch_size=size)
    assert next(answers) == next(model.predict(TREES[:1]))
    with pytest.raises(InputError) as caught:
        next(answers)
    assert str(caught.value) == "the input:2: expected '(', got 'so' at character 1"


def test_lines_are_read_when_their_turn_comes() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "so good"

    assert len(list(islice(built(False).predict(endless(), batch_size=2), 5))) == 5


def test_the_figure_is_the_confusion_of_the_last_test() -> None:
    model = constant(True, 1.0, 0.0, 0.0)
    assert model.figures(batch_of(True, TREES[:2])) == {}
    scored(model, [batch_of(True, TREES[:2]), batch_of(True, TREES[2:3])])
    model.metrics("valid")
    (figure,) = model.figures(batch_of(True, TREES[:2])).values()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == CLASSES
    counts = [text.get_text() for text in figure.axes[0].texts]
    assert counts == ["2", "0", "0", "0", "0", "0", "1", "0", "0"]


# ---------------------------------------------------------------------------------- runs and checkpoints


def trained(folder: Path, *words: str) -> Experiment:
    return Experiment.from_words(
        "task=sentiment",
        "cell.hidden_size=8",
        "task.embedding_size=6",
        "data.train=64",
        "data.valid=16",
        "data.test=16",
        "logger=none",
        "trainer.max_epochs=1",
        f"out={folder}",
        *words,
    )


@quiet
@pytest.mark.parametrize(
    ("words", "metrics"),
    [
        (("cell=tree-lstm",), {"accuracy", "f1", "node_accuracy", "loss"}),
        (("cell=gru", "data.trees=false", "net.bidirectional=true"), {"accuracy", "f1", "loss"}),
    ],
    ids=["trees", "texts"],
)
def test_a_run_is_trained_tested_and_asked(words: tuple[str, ...], metrics: set[str], tmp_path: Path) -> None:
    result = trained(tmp_path, *words).run()
    values = json.loads((result.folder / "result.json").read_text())
    for split in ("valid", "test"):
        assert set(values[split]) == metrics
        assert all(map(math.isfinite, values[split].values()))
    assert "confusion" in {plot.stem for plot in result.plots}
    run = Experiment.load(result.folder)
    assert run.test() == pytest.approx(values["test"], rel=1e-4)
    answers = list(run.predict([sample["text"] for sample in result.texts]))
    assert [answer.split("\t")[0] for answer in answers] == [sample["answer"] for sample in result.texts]


@quiet
def test_a_run_with_vectors_is_loaded_without_their_file(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("good 1 2 3\nthe 4 5 6\n")
    words = (f"data.vectors={file}", "task.embedding_frozen=true", "cell=elman", "data.trees=false")
    result = trained(tmp_path, *words).run()
    file.unlink()
    run = Experiment.load(result.folder)
    assert isinstance(run.task, Sentiment)
    tokens = run.task.reader.vocabulary.tokens
    weight = run.task.embedding.state_dict()["weight"]
    assert weight[[tokens.index("good"), tokens.index("the")]].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert weight.shape == (len(tokens), 3)
    assert len(list(run.predict(["the film is good"]))) == 1
    assert run.test() == pytest.approx(result.values["test"], rel=1e-4)


@quiet
def test_vectors_are_tuned_unless_they_are_frozen(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("the 1 2 3\n")
    for frozen in (False, True):
        words = (f"data.vectors={file}", f"task.embedding_frozen={json.dumps(frozen)}", "cell=elman")
        task = Experiment.load(trained(tmp_path, *words).run().folder).task
        assert isinstance(task, Sentiment)
        row = task.embedding.state_dict()["weight"][task.reader.vocabulary.tokens.index("the")]
        assert (row.tolist() == [1, 2, 3]) is frozen


@quiet
@pytest.mark.parametrize("trees", [True, False])
def test_it_learns_what_follows_from_the_words(trees: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    data: Data = Toy(trees=trees, train=1000, valid=100, test=10, batch_size=16)
    net = {"cell": {"name": "tree-lstm" if trees else "gru", "hidden_size": 48}}
    model = Sentiment(net, data.meta, embedding_size=32, dropout=0.0)
    model.optimizer = Adam(lr=0.01)
    run = L.Trainer(
        accelerator="cpu",
        default_root_dir=tmp_path,
        max_epochs=6,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=6,
        gradient_clip_val=1.0,
    )
    run.fit(model, data.loader("train"), data.loader("valid"))
    assert run.callback_metrics["valid/accuracy"] > 80  # the most frequent class: 36
    assert (Sentiment.monitor, Sentiment.mode) == ("accuracy", "max")


@pytest.mark.parametrize("check", checks("task"), ids=name_of)
def test_conformance_on_texts(check: Check) -> None:
    """Those on trees are among the checks of all that is installed."""
    assert problem(check, Sentiment, Toy(trees=False, train=200, valid=40, test=40)) is None


# ---------------------------------------------------------------------------------- several models


@doubles
@pytest.mark.parametrize("trees", [False, True])
def test_several_tell_the_mean_of_their_probabilities(trees: bool) -> None:
    lines = TREES if trees else [parse_tree(line).text for line in TREES]
    made = [
        built(trees),
        built(trees, {"cell": {"name": "lstm" if not trees else "tree-lstm", "hidden_size": 4}}, sharp=5.0),
    ]
    batch = made[0].reader.batch([made[0].reader.read(line) for line in lines], range(len(lines)))
    alone: list[Logits] = [model(batch) for model in made]
    shares = (alone[0].texts.softmax(-1) + alone[1].texts.softmax(-1)) / 2
    made[0].join(made[1])
    told = made[0](batch)
    torch.testing.assert_close(told.texts.exp(), shares)
    if trees:
        nodes = [one.nodes for one in alone if one.nodes is not None]
        torch.testing.assert_close(told.nodes.exp(), (nodes[0].softmax(-1) + nodes[1].softmax(-1)) / 2)
    answers = [line.split("\t") for line in made[0].predict(lines)]
    assert [CLASSES.index(name) for name, _ in answers] == shares.argmax(-1).tolist()
    assert [float(share) for _, share in answers] == pytest.approx(shares.amax(-1).tolist(), abs=6e-5)


def test_models_that_read_or_tell_something_else_are_not_joined() -> None:
    def refused(other: Sentiment, problem: str) -> None:
        with pytest.raises(UsageError, match=problem):
            built(False).join(other)

    def of(reader: Reader) -> Sentiment:
        return Sentiment(NET, {**reader.to_plain(), "vectors": None, "examples": {}})

    fewer = Vocabulary.train(["it"], "word", specials=(PAD, UNK))
    refused(of(Reader(fewer, CLASSES, False)), r"^expected one vocabulary, got .* and 3 of level word; train")
    classes = ["bad", "good"]
    problem = r"^expected the same classes, got bad, fair, good and bad, good; train both on the same data$"
    refused(of(Reader(WORDS, classes, False)), problem)
    refused(built(True), r"^expected two that read trees, or none, got one; train both on the same data$")
