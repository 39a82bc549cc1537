"""The memory task against hand calculation and against loops over the steps of its net."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.data import Data
from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.exhibit import Text
from rnnx.core.experiment import Experiment
from rnnx.core.running.optimizers import Adam
from rnnx.core.running.result import Result
from rnnx.tasks.data.memory.adding import Adding
from rnnx.tasks.data.memory.copying import Copying
from rnnx.tasks.data.memory.digits import Digits
from rnnx.tasks.memory import Memory

GRU = {"name": "gru", "hidden_size": 6}
NET: dict[str, Any] = {"cell": GRU}
SOURCES: dict[str, Callable[[], Data]] = {
    "adding": lambda: Adding(length=7, train=40, valid=11, test=11, batch_size=4),
    "copying": lambda: Copying(length=3, lag=4, train=40, valid=11, test=11, batch_size=4),
    "pixels": lambda: Digits(batch_size=7),
    "rows": lambda: Digits(by="row", batch_size=7),
}

doubles = pytest.mark.usefixtures("doubles")
quiet = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
    "ignore:.*logging interval",
)
each_source = pytest.mark.parametrize("name", SOURCES)


def source(name: str) -> Data:
    """Small data, made anew."""
    return SOURCES[name]()


def built(data: Data, net: dict[str, Any] = NET, sharp: float = 3.0) -> Memory:
    """A model that says something: weights larger than at the start of a training, from a seed."""
    torch.manual_seed(1)
    model = Memory(net, data.meta)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(sharp)
    return model.eval()


def constant(data: Data, *answer: float) -> Memory:
    """A model that answers the same whatever it read."""
    model = built(data)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor(answer))
    return model


def first(data: Data) -> Batch:
    return next(iter(data.loader("test")))


def gathered(data: Data, split: str = "test") -> Tensor:
    """The targets of a split."""
    return torch.cat([batch.targets for batch in data.loader(split)])  # type: ignore[arg-type]


def scored(model: Memory, data: Data, folder: Path) -> dict[str, float]:
    (values,) = trainer(folder).test(model, data.loader("test"), verbose=False)
    return dict(values)


def trainer(folder: Path, epochs: int = 1) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=epochs,
    )


# ------------------------------------------------------------------------------------ what is read off


@torch.no_grad()
def stepped(model: Memory, steps: Sequence[Tensor], answers: int) -> Tensor:
    """What the last answers of one sequence are made from, read step by step."""
    state = model.recurrent.initial_state(1, steps[0].unsqueeze(0))
    outputs = []
    for step in steps:
        y, state = model.recurrent.step(step.unsqueeze(0), state)
        outputs.append(y[0])
    return torch.stack([model.output.weight @ y + model.output.bias for y in outputs[-answers:]])


@doubles
def test_a_number_is_read_off_the_last_output(cell: dict[str, Any]) -> None:
    data = Adding(length=5, test=3)
    model, batch = built(data, {"cell": cell}), first(data)
    for inputs, output in zip(batch.inputs, model(batch), strict=True):
        assert output.shape == (1, 1)
        assert torch.allclose(output, stepped(model, list(inputs), 1), atol=1e-12)


@doubles
def test_symbols_are_read_off_the_last_outputs_in_order() -> None:
    data = source("copying")
    model, batch = built(data), first(data)
    for tokens, output in zip(batch.inputs.tolist(), model(batch), strict=True):
        steps = [torch.eye(10)[token] for token in tokens]
        assert torch.allclose(output, stepped(model, steps, 3), atol=1e-12)


@doubles
@each_source
def test_padding_and_neighbours_change_nothing(name: str) -> None:
    """Rows of other lengths too: the last outputs are those of the row's own last steps."""
    data = source(name)
    model, batch = built(data), first(data)
    steps = batch.inputs.shape[1]
    junk = batch.inputs.roll(1, 0)
    cut = [steps - n % 4 for n in range(len(batch))]
    padded = torch.stack(
        [
            torch.cat((row[:length], noise[length:], noise[:2]))
            for row, noise, length in zip(batch.inputs, junk, cut, strict=True)
        ]
    )
    together = model(Batch(padded, torch.tensor(cut), batch.targets, batch.index))
    for n, length in enumerate(cut):
        one = batch.inputs[n : n + 1, :length]
        alone = model(Batch(one, torch.tensor([length]), batch.targets[n : n + 1], batch.index[:1]))
        assert torch.allclose(together[n], alone[0], atol=1e-12)


def test_a_net_that_reads_from_the_end_is_refused() -> None:
    with pytest.raises(UsageError, match=r"set net\.bidirectional=false"):
        Memory({"cell": GRU, "bidirectional": True}, source("adding").meta)


# ------------------------------------------------------------------------------------ loss and metrics


def test_the_loss_of_numbers_is_their_squared_error() -> None:
    batch = Batch(torch.zeros(2, 3, 2), torch.tensor([3, 3]), torch.tensor([[0.5], [1.5]]), torch.arange(2))
    model = constant(source("adding"), 0.75)
    loss = model.loss(model(batch), batch)
    assert loss.total.item() == pytest.approx(0.25**2 + 0.75**2)
    assert loss.count.item() == 2


def test_the_loss_of_symbols_is_their_cross_entropy() -> None:
    """Of 3 symbols in each of two rows, from hand-made probabilities."""
    p = [0.5, 0.2, 0.1, 0.1, 0.04, 0.03, 0.02, 0.01]
    model = constant(source("copying"), *map(math.log, p))
    inputs = torch.zeros(2, 10, dtype=torch.long)
    batch = Batch(inputs, torch.tensor([10, 10]), torch.tensor([[0, 7, 1], [2, 2, 0]]), torch.arange(2))
    loss = model.loss(model(batch), batch)
    expected = -sum(math.log(p[symbol]) for symbol in (0, 7, 1, 2, 2, 0))
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)
    assert loss.count.item() == 6


@quiet
def test_the_mean_squared_error_is_over_all_examples(tmp_path: Path) -> None:
    """Also where the last batch is smaller; whoever answers 1 is wrong by 1/6."""
    data = Adding(length=4, test=2003, batch_size=1000)
    targets = gathered(data).double().numpy()
    values = scored(constant(data, 1.0), data, tmp_path)
    expected = ((targets - 1) ** 2).mean()
    assert values == pytest.approx({"test/loss": expected, "test/mse": expected}, rel=1e-5)
    assert values["test/mse"] == pytest.approx(1 / 6, abs=0.015)


@quiet
def test_accuracy_is_over_all_symbols_in_percent(tmp_path: Path) -> None:
    """A model that always says the symbol 5, and thinks all others equally likely."""
    data = Copying(length=3, lag=1, test=503, batch_size=250)
    scores = [0.0] * 8
    scores[4] = 1.0
    values = scored(constant(data, *scores), data, tmp_path)
    right = np.mean(gathered(data).numpy() == 4)
    nats = math.log(7 + math.e) - right
    assert values == pytest.approx({"test/loss": nats, "test/accuracy": 100 * right}, rel=1e-5)
    assert values["test/accuracy"] == pytest.approx(12.5, abs=3)


@quiet
def test_accuracy_of_digits_is_the_share_of_right_classes(tmp_path: Path) -> None:
    data = source("pixels")
    model = constant(data, *[0.0] * 3, 1.0, *[0.0] * 6)
    values = scored(model, data, tmp_path)
    assert values["test/accuracy"] == pytest.approx(100 * np.mean(gathered(data).numpy() == 3))
    assert values["test/accuracy"] == pytest.approx(10, abs=1)


def test_a_lost_model_says_so() -> None:
    """One answer that is no number is not left out of the mean."""
    data = source("adding")
    model, batch = built(data), first(data)
    batch.inputs[0] = math.nan
    metrics = model.metrics("test")
    output = model(batch)
    model.observe(metrics, batch, output, model.loss(output, batch), "test")
    assert math.isnan(metrics["mse"].compute())


@quiet
def test_it_learns_and_its_checkpoint_answers_without_the_data(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = Copying(length=2, lag=2, train=1000, valid=100, batch_size=50)
    model = Memory({"cell": {"name": "gru", "hidden_size": 32}}, data.meta)
    model.optimizer = Adam(lr=0.01)
    run = trainer(tmp_path, epochs=12)
    run.fit(model, data.loader("train"), data.loader("valid"))
    assert run.callback_metrics["valid/accuracy"] > 99  # chance is 12.5
    run.save_checkpoint(tmp_path / "model.ckpt")

    plain = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert plain["hyper_parameters"]["meta"] == data.meta
    again = Memory.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True).eval()
    assert list(again.predict(["3 1", "8 8", "1 7"])) == ["3 1", "8 8", "1 7"]
    assert (Memory.monitor, Memory.mode) == ("loss", "min")


# ------------------------------------------------------------------------------- samples and answers


@doubles
@each_source
def test_samples_are_inputs_expected_answers_and_answers(name: str) -> None:
    """What a sample shows as its input is a line that has the sample's answer."""
    data = source(name)
    model = built(
        data, {"cell": {"name": "elman", "hidden_size": 16}}, sharp=5.0
    )  # answers much and at random
    samples = model.samples(first(data))
    assert len(samples) == len(first(data))
    assert all(list(sample) == ["input", "expected", "answer"] for sample in samples)
    assert len({sample["answer"].text for sample in samples}) > 1
    if name != "adding":  # whose numbers are written with three digits
        assert list(model.predict([sample["input"].text for sample in samples])) == [
            sample["answer"].text for sample in samples
        ]


def test_an_input_is_written_as_it_is_read() -> None:
    inputs = torch.tensor([[[0.25, 0.0], [0.12345, 1.0], [0.5, 1.0]]])
    model = constant(source("adding"), 0.75)
    batch = Batch(inputs, torch.tensor([3]), torch.tensor([[0.62346]]), torch.arange(1))
    assert model.samples(batch) == [
        {"input": Text("0.25:0 0.123:1 0.5:1"), "expected": Text("0.6235"), "answer": Text("0.7500")}
    ]

    model = constant(source("copying"), *[0.0] * 7, 1.0)
    batch = Batch(
        torch.tensor([[0, 7, 2, 8, 8, 8, 9, 8, 8, 8]]),
        torch.tensor([10]),
        torch.tensor([[0, 7, 2]]),
        torch.arange(1),
    )
    assert model.samples(batch) == [
        {"input": Text("1 8 3"), "expected": Text("1 8 3"), "answer": Text("8 8 8")}
    ]

    model = constant(source("rows"), *[0.0] * 9, 1.0)
    batch = first(source("rows"))
    (sample, *_) = model.samples(batch)
    pixels = [int(pixel) for pixel in sample["input"].text.split()]
    assert pixels == [round(16 * pixel) for pixel in batch.inputs[0].flatten().tolist()]
    assert (sample["expected"].text, sample["answer"].text) == (str(int(batch.targets[0, 0])), "9")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("adding", "0.3:0  .8:1 5e-1:1\t1.:0"),
        ("copying", " 3  1 8 "),
        ("pixels", " ".join(str(n % 17) for n in range(64))),
        ("rows", "\t".join(str(n % 17) for n in range(64))),
    ],
)
def test_a_line_is_read_as_the_data_makes_it(name: str, line: str) -> None:
    expected = {
        "adding": [[0.3, 0.0], [0.8, 1.0], [0.5, 1.0], [1.0, 0.0]],
        "copying": [2, 0, 7, 8, 8, 8, 9, 8, 8, 8],
        "pixels": [[n % 17 / 16] for n in range(64)],
        "rows": [[(8 * y + x) % 17 / 16 for x in range(8)] for y in range(8)],
    }
    model = built(source(name))
    inputs = model.problem.parse(line)
    assert torch.equal(inputs, torch.tensor(expected[name]))
    batch = Batch(inputs.unsqueeze(0), torch.tensor([len(inputs)]), torch.zeros(1, 1), torch.arange(1))
    answer = model.problem.answer(model(batch))[0]
    assert list(model.predict([line])) == [model.problem.text(answer)]


@pytest.mark.parametrize(
    ("name", "line", "problem"),
    [
        ("adding", "0.3:0 0.5", "expected 2 finite numbers separated by :, got 1 in '0.5'"),
        ("adding", "0.3:0 x:1", "expected 2 finite numbers separated by :, got 1 in 'x:1'"),
        ("adding", "0.3:0 1:1:1", "expected 2 finite numbers separated by :, got 3 in '1:1:1'"),
        ("adding", "0.3:0 nan:1", "expected 2 finite numbers separated by :, got 1 in 'nan:1'"),
        ("adding", "0.3:0 1e400:1", "expected 2 finite numbers separated by :, got 1 in '1e400:1'"),
        ("adding", "  ", "expected steps separated by blanks, at least 1, got 0"),
        ("pixels", "1 2 3", "expected 64 finite numbers separated by blanks, got 3 in '1 2 3'"),
        (
            "pixels",
            "1 " * 63 + "x",
            "expected 64 finite numbers separated by blanks, got 63 in '" + "1 " * 27 + "[...]'",
        ),
        (
            "copying",
            "1 2",
            "expected 3 symbols separated by blanks, each one of 1, 2, 3, 4, 5, 6, 7, 8, got '1 2'",
        ),
        (
            "copying",
            "1 2 9",
            "expected 3 symbols separated by blanks, each one of 1, 2, 3, 4, 5, 6, 7, 8, got '1 2 9'",
        ),
    ],
)
def test_a_line_of_another_form_is_refused_and_its_number_said(name: str, line: str, problem: str) -> None:
    data = source(name)
    model = built(data)
    answers = model.predict([model.samples(first(data))[0]["input"].text, line])
    next(answers)
    with pytest.raises(InputError) as caught:
        next(answers)
    assert str(caught.value) == f"the input:2: {problem}"


def test_lines_are_read_when_their_turn_comes() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "0.5:1 0.25:1"

    assert len(list(islice(built(source("adding")).predict(endless()), 3))) == 3


def test_the_first_digit_is_drawn() -> None:
    batch = first(source("rows"))
    (figure,) = constant(source("rows"), *[0.0] * 9, 1.0).figures(batch).values()
    (axes,) = figure.axes
    (image,) = axes.get_images()
    assert np.array_equal(image.get_array(), batch.inputs[0].numpy())
    assert axes.get_title() == f"{int(batch.targets[0, 0])}, answered 9"
    (figure,) = built(source("pixels")).figures(first(source("pixels"))).values()
    assert np.array_equal(figure.axes[0].get_images()[0].get_array(), batch.inputs[0].numpy())


def test_numbers_and_symbols_are_not_drawn() -> None:
    for data in (source("adding"), source("copying")):
        assert built(data).figures(first(data)) == {}


# ------------------------------------------------------------------------------------------- a real run


def run(folder: Path, *words: str) -> Result:
    return Experiment.from_words(
        "task=memory",
        "cell=elman",
        "cell.hidden_size=8",
        "logger=none",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=3",
        "trainer.limit_val_batches=2",
        "trainer.limit_test_batches=2",
        f"out={folder}",
        *words,
    ).run()


@quiet
@pytest.mark.parametrize(
    ("words", "metric", "line"),
    [
        (("data.test=9",), "mse", "0.5:1 0.25:0 0.125:1"),
        (("data=adding", "data.length=9", "trainer.precision=bf16-mixed"), "mse", "0.5:1 0.25:0 0.125:1"),
        (("data=copying", "data.lag=5"), "accuracy", "1 2 3 4 5 6 7 8 1 2"),
        (
            ("data=digits", "data.by=row"),
            "accuracy",
            " ".join(["0", "16"] * 32),
        ),
    ],
    ids=["toy", "adding", "copying", "digits"],
)
def test_a_run_is_trained_tested_and_asked(
    words: tuple[str, ...], metric: str, line: str, tmp_path: Path
) -> None:
    result = run(tmp_path, *words)
    values = json.loads((result.folder / "result.json").read_text())
    for split in ("valid", "test"):
        assert set(values[split]) == {"loss", metric}
        assert all(map(math.isfinite, values[split].values()))
        assert values[split].get("mse", values[split]["loss"]) == pytest.approx(
            values[split]["loss"], rel=1e-5
        )
    loaded = Experiment.load(result.folder)
    assert loaded.test() == pytest.approx(values["test"], rel=1e-4)
    assert result.texts
    lines = [result.texts[0]["input"], line]
    assert len(list(loaded.predict(lines))) == 2


@quiet
def test_what_a_run_is_tested_on_does_not_depend_on_its_seed(tmp_path: Path) -> None:
    """The same net, not trained: the same scores."""
    scores = []
    for seed in (1, 2):
        experiment = Experiment.from_words("task=memory", "cell.hidden_size=4", f"seed={seed}")
        data, _ = experiment.prepare()
        scores.append(scored(built(data), data, tmp_path))
    assert scores[0] == scores[1]
