from __future__ import annotations

import csv
import json
import math
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from rnnx.core.errors import InputError, UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.resolution import resolve
from rnnx.core.run import Run
from rnnx.core.running.result import Result
from rnnx.core.running.training import count_parameters
from tests.core.small_runs import LM, NMT, content, run, samples

TIMED = ("tokens_per_second",)  # metrics that differ from one run to the next


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [
            {key: value for key, value in row.items() if key not in TIMED} for row in csv.DictReader(file)
        ]


def column(folder: Path, name: str) -> list[float]:
    return [float(row[name]) for row in history(folder) if row[name]]


def test_the_folder_holds_the_run_and_nothing_else(done: Result) -> None:
    assert done.folder.name == "nmt-gru"
    assert set(content(done.folder)) == {
        "config.yaml",
        "metrics.csv",
        "flow.json",
        "result.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "samples/test.json",
        "samples/test.tsv",
        "plots/attention.png",
        "plots/curves.png",
        "plots/gradient_flow.png",
    }


def test_the_result_is_what_result_json_says(done: Result) -> None:
    values = json.loads((done.folder / "result.json").read_text())
    assert values == done.values
    assert list(values) == [
        "test",
        "valid",
        "seconds",
        "throughput",
        "parameters",
        "seed",
        "versions",
        "command",
    ]
    for split in ("test", "valid"):
        assert set(values[split]) == {"loss", "perplexity", "bleu", "chrf"}
        assert values[split]["perplexity"] == pytest.approx(math.exp(values[split]["loss"]), rel=1e-4)
    assert set(values["seconds"]) == {"fit", "test"}
    assert min(values["seconds"].values()) > 0
    assert values["throughput"]["train_tokens_per_second"] > 0
    assert values["seed"] == 1
    assert values["command"] == "rnnx run cell=gru"
    assert values["versions"] == {
        "rnnx": version("rnnx-core"),
        "torch": torch.__version__,
        "lightning": version("lightning"),
        "python": platform.python_version(),
    }


def test_metrics_csv_has_each_step_each_validation_and_the_test(done: Result) -> None:
    rows = history(done.folder)
    assert set(rows[0]) == {
        "epoch",
        "step",
        "train/loss",
        "gradient_norm",
        "learning_rate",
        *(
            f"{split}/{name}"
            for split in ("valid", "test")
            for name in ("loss", "perplexity", "bleu", "chrf")
        ),
    }
    steps = [int(row["step"]) for row in rows if row["train/loss"]]
    assert steps == list(range(len(steps)))
    assert len(steps) >= 2 * 96 / 32
    assert (
        len(column(done.folder, "gradient_norm")) == len(column(done.folder, "learning_rate")) == len(steps)
    )
    assert [row["epoch"] for row in rows if row["valid/loss"]] == ["0", "1"]
    assert {
        name.removeprefix("test/"): float(value)
        for name, value in rows[-1].items()
        if name.startswith("test/")
    } == done.values["test"]


def test_the_configuration_runs_again_and_gives_the_same_bit_for_bit(done: Result, tmp_path: Path) -> None:
    again = run(tmp_path, str(done.folder / "config.yaml"))
    assert again.folder == tmp_path / "nmt-gru"
    assert history(again.folder) == history(done.folder)
    assert [again.values[key] for key in ("test", "valid", "parameters")] == [
        done.values[key] for key in ("test", "valid", "parameters")
    ]
    first, second = (
        torch.load(folder / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
        for folder in (done.folder, again.folder)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_is_another_run(done: Result, tmp_path: Path) -> None:
    other = run(tmp_path, str(done.folder / "config.yaml"), "seed=2")
    assert column(other.folder, "train/loss")[0] != column(done.folder, "train/loss")[0]


@pytest.mark.parametrize("name", ["best", "last"])
def test_checkpoints_are_tensors_and_plain_data(done: Result, name: str) -> None:
    checkpoint = torch.load(done.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    assert checkpoint["rnnx"]["version"] == version("rnnx-core")
    assert checkpoint["rnnx"]["config"]["cell"]["hidden_size"] == 16
    assert checkpoint["hyper_parameters"]["net"]["cell"]["name"] == "gru"


def test_what_is_tested_is_the_best_checkpoint(tmp_path: Path) -> None:
    for name, text in {"train": "ab" * 1000, "valid": "aabb" * 100, "test": "ba" * 200}.items():
        (tmp_path / name).write_text(text)  # what is learnt in training is wrong in validation
    files = [f"data.{split}={tmp_path / split}" for split in ("train", "valid", "test")]
    result = run(tmp_path, *LM, *files, "trainer.max_epochs=4", "optimizer.lr=0.01")
    losses = column(result.folder, "valid/loss")
    best = losses.index(min(losses))
    assert best < len(losses) - 1, "the last is the best: this run cannot tell them apart"
    assert result.values["valid"]["loss"] == losses[best]
    steps = {
        name: torch.load(result.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["global_step"]
        for name in ("best", "previous", "last")
    }
    assert len({steps["last"] // len(losses) * (best + 1), steps["best"]}) == 1
    assert steps["previous"] == steps["last"]


def test_samples_are_what_the_loaded_model_predicts(done: Result) -> None:
    rows = samples(done.folder)
    assert rows == done.texts
    assert len(rows) == 5
    assert list(rows[0]) == ["source", "reference", "translation"]
    shown = json.loads((done.folder / "samples" / "test.json").read_text())
    assert [list(row) for row in shown] == [["source", "reference", "translation", "attention"]] * 5
    assert [row["translation"]["text"] for row in shown] == [row["translation"] for row in rows]
    assert len({row["attention"]["html"] for row in shown}) == len({tuple(row.values()) for row in rows})
    predicted = list(Run.load(done.folder).predict([row["source"] for row in rows]))
    assert predicted == [row["translation"] for row in rows]


def test_plots_are_pictures(done: Result) -> None:
    assert {path.name for path in done.plots} == {"attention.png", "curves.png", "gradient_flow.png"}
    for path in done.plots:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert len(set(imread(path)[..., :3].reshape(-1, 3).sum(1).tolist())) > 2


def test_an_existing_folder_is_refused_and_left_as_it_is(done: Result, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError) as refused:
        run(tmp_path, *NMT, "name=mine")
    assert str(refused.value).startswith(f"name: the run folder {tmp_path / 'mine'} exists already")
    assert content(tmp_path) == {"mine/thesis.txt": b"years of work"}


def test_runs_without_a_name_are_numbered(text: Path, tmp_path: Path) -> None:
    (tmp_path / "lm-elman-3").mkdir()
    folders = [run(tmp_path, *LM, f"data.text={text}").folder.name for _ in range(3)]
    assert folders == ["lm-elman", "lm-elman-2", "lm-elman-4"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["data=files", "data.source=es", "data.target=en"], InputError),
        (["data=files", "data.source=es", "data.target=xx"], UsageError),
        (["net.bidirectional=true", "task=lm"], UsageError),
    ],
    ids=["unequal", "missing", "refused by the task"],
)
def test_what_cannot_start_leaves_nothing_behind(
    prefix: Path, tmp_path: Path, words: list[str], error: type[Exception]
) -> None:
    with prefix.with_name("numbers.es").open("a") as file:
        file.write("seis\n")
    if "data=files" in words:
        words = [*words, *(f"data.{split}={prefix}" for split in ("train", "valid", "test"))]
    with pytest.raises(error):
        run(tmp_path / "runs", "cell=gru", "logger=csv", *words)
    assert not (tmp_path / "runs").exists()


def test_a_language_model_is_a_run_like_any_other(text: Path, tmp_path: Path) -> None:
    result = run(tmp_path, *LM, f"data.text={text}", "data.level=char")
    assert set(result.values["test"]) == {"loss", "perplexity", "bits_per_character"}
    assert result.values["test"]["bits_per_character"] == pytest.approx(
        result.values["test"]["loss"] / math.log(2), rel=1e-4
    )
    weights = torch.load(result.folder / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert result.values["parameters"] == sum(weight.numel() for weight in weights.values())
    loaded = Run.load(result.folder)
    assert count_parameters(loaded.task) == result.values["parameters"]
    assert loaded.test() == result.values["test"]
    drawn = [list(loaded.predict(["the "], length=7, seed=3)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(drawn[0][0]) == len("the ") + 7


def test_a_baseline_is_a_run_without_a_model(text: Path, tmp_path: Path) -> None:
    result = run(tmp_path, *LM, f"data.text={text}", "baseline=ngram")
    assert result.folder.name == "lm-ngram"
    assert set(content(result.folder)) == {"config.yaml", "data.json", "result.json"}
    assert json.loads((result.folder / "result.json").read_text()) == result.values
    assert set(result.values["test"]) == {"loss", "perplexity", "bits_per_character"}
    again = run(tmp_path, str(result.folder / "config.yaml"))
    assert again.values["test"] == result.values["test"]
    with pytest.raises(UsageError, match="baseline 'ngram'"):
        Run.load(result.folder)


def test_a_run_whose_gradient_flow_cannot_be_measured_stands(
    text: Path, tmp_path: Path, stranger: Callable[[str, str, str], None]
) -> None:
    source = '''
        """A cell that takes no more rows than it is trained with."""
        from torch import nn
        from rnnx.core.cell import Cell


        class Picky(Cell):
            """Takes four rows."""

            def __init__(self, input_size: int, *, hidden_size: int = 8) -> None:
                super().__init__()
                self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
                self.input = nn.Linear(input_size, hidden_size)

            def project(self, x):
                return self.input(x)

            def step(self, z, state):
                if len(z) > 4:
                    raise ValueError("more than four rows")
                h = (z + state[0]).tanh()
                return h, (h,)
    '''
    stranger("cells", "picky:Picky", source)
    with pytest.warns(UserWarning, match=r"no picture of the run's gradient flow: more than four rows"):
        result = run(tmp_path, "cell=picky", *LM[1:], f"data.text={text}")
    assert [path.name for path in result.plots] == ["curves.png"]
    assert "test" in json.loads((result.folder / "result.json").read_text())
    with pytest.raises(ValueError, match="more than four rows"):
        Run.load(result.folder).flow()


def test_a_run_says_a_line_after_each_epoch_and_nothing_else(
    text: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    words = (*LM, f"data.text={text}", f"out={tmp_path}", "trainer.max_epochs=2")
    Experiment.from_words(*words).run(say=said.append)
    losses = column(tmp_path / "lm-elman", "valid/loss")
    assert [line.split(" (")[0] for line in said] == ["epoch 1", "epoch 2"]
    assert all(f"valid loss {loss:.4g}" in line for loss, line in zip(losses, said, strict=True))
    assert capfd.readouterr() == ("", "")


def test_preparing_makes_no_folder(tmp_path: Path) -> None:
    experiment = Experiment.from_words(*NMT, f"out={tmp_path / 'runs'}")
    data, model = experiment.prepare()
    assert len(next(iter(data.loader("valid")))) > 0
    assert count_parameters(model) > 0
    assert not (tmp_path / "runs").exists()


# net.match


def size(*words: str) -> int:
    """The parameters of what is prepared."""
    return count_parameters(Experiment.from_words(*words).prepare()[1])


@pytest.mark.parametrize("budget", [3000, 5001, 20_000])
@pytest.mark.parametrize(
    "words",
    [[], ["cell=clockwork"], ["cell=lstm", "cell.peepholes=true", "net.layers=2", "net.transitions=2"]],
    ids=["elman", "clockwork", "lstm"],
)
def test_the_model_has_as_many_parameters_as_hidden_sizes_allow(
    text: Path, budget: int, words: list[str]
) -> None:
    given = [*LM, f"data.text={text}", *words]
    experiment = Experiment.from_words(*given, f"net.match={budget}")
    found = count_parameters(experiment.prepare()[1])
    chosen = experiment.config.cell.options["hidden_size"]
    step = 8 if "cell=clockwork" in words else 1  # it has eight modules of one width
    assert chosen % step == 0
    assert found == size(*given, f"cell.hidden_size={chosen}")
    for other in (chosen - step, chosen + step):
        if other:
            assert abs(size(*given, f"cell.hidden_size={other}") - budget) >= abs(found - budget)


def test_a_model_that_is_matched_is_the_one_of_that_size(text: Path, tmp_path: Path) -> None:
    """Trying sizes draws no random number; the configuration holds the size, and runs again to the same."""
    words = (*LM, f"data.text={text}")
    matched = run(tmp_path / "matched", *words, "net.match=3000", "cell.hidden_size=500")
    config = resolve([str(matched.folder / "config.yaml")])
    chosen = config.cell.options["hidden_size"]
    assert chosen != 500
    given = run(tmp_path / "given", *words, f"cell.hidden_size={chosen}")
    again = run(tmp_path / "again", str(matched.folder / "config.yaml"))
    weights = [
        torch.load(result.folder / "checkpoints/best.ckpt", weights_only=True)
        for result in (matched, given, again)
    ]
    for checkpoint in weights:
        assert checkpoint["hyper_parameters"]["net"]["cell"]["hidden_size"] == chosen
        assert checkpoint["rnnx"]["config"]["cell"]["hidden_size"] == chosen
        assert checkpoint["state_dict"].keys() == weights[0]["state_dict"].keys()
        assert all(map(torch.equal, checkpoint["state_dict"].values(), weights[0]["state_dict"].values()))
    assert matched.values["test"] == given.values["test"] == again.values["test"]
    assert matched.values["parameters"] == given.values["parameters"] == again.values["parameters"]
    assert resolve([str(again.folder / "config.yaml")]).cell == config.cell
    assert Run.load(matched.folder).test() == matched.values["test"]


SIZED = '''
    """A cell of its own."""
    from typing import Annotated

    import torch
    from annotated_types import Ge, Le
    from torch import nn

    from rnnx.core.cell import Cell


    class Sized(Cell):
        """A leaky sum.

        Args:
            {option}: Its width.
        """

        def __init__(self, input_size: int, *, {option}: Annotated[int, Ge(8), Le(40)] = 8) -> None:
            super().__init__()
            self.input_size, self.output_size, self.state_sizes = input_size, {option}, ({option},)
            self.linear = nn.Linear(input_size, {option})

        def project(self, x):
            return self.linear(x)

        def step(self, z, state):
            h = torch.tanh(z + state[0])
            return h, (h,)
'''


def test_a_cell_without_a_hidden_size_has_none_to_solve_for(
    text: Path, tmp_path: Path, stranger: Callable[[str, str, str], None]
) -> None:
    stranger("cells", "thick:Sized", SIZED.format(option="thickness"))
    words = ("cell=thick", *(word for word in LM if "cell" not in word), f"data.text={text}")
    with pytest.raises(UsageError) as refused:
        run(tmp_path / "runs", *words, "net.match=3000")
    assert str(refused.value) == (
        "net.match: cell 'thick' has no option hidden_size to solve for; set it to 0"
    )
    assert not (tmp_path / "runs").exists()
    assert size(*words) == size(*words, "net.match=0")


def test_a_size_is_within_the_bounds_of_the_cells_option(
    text: Path, stranger: Callable[[str, str, str], None]
) -> None:
    """What is solved for could have been given."""
    stranger("cells", "bounded:Sized", SIZED.format(option="hidden_size"))
    words = ("cell=bounded", *LM[1:], f"data.text={text}")
    least, most = (size(*words, f"cell.hidden_size={bound}") for bound in (8, 40))
    for budget, expected in ((least, 8), (most - 1, 40), (most + 100_000, 40)):
        experiment = Experiment.from_words(*words, f"net.match={budget}")
        experiment.prepare()
        assert experiment.config.cell.options["hidden_size"] == expected
    with pytest.raises(UsageError, match=rf"cell\.hidden_size=8, the least .* has {least:,} parameters"):
        size(*words, f"net.match={least - 1}")


def test_a_budget_that_is_too_small_leaves_nothing_behind(text: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"net\.match: with cell\.hidden_size=1, .* more than 100;"):
        run(tmp_path / "runs", *LM, f"data.text={text}", "net.match=100")
    assert not (tmp_path / "runs").exists()


def test_dropout_between_layers_that_are_not_there_is_told_once(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="dropout") as told:
        run(tmp_path, *NMT, "net.dropout=0.5", "trainer.max_epochs=1")
    (message,) = [str(warning.message) for warning in told]
    assert message.startswith("net.dropout: 0.5 drops nothing, as it is between layers and there is one; ")


@pytest.mark.parametrize("words", [("net.dropout=0.5", "net.layers=2"), ("net.layers=1",)])
def test_dropout_that_is_there_or_not_asked_for_is_not(tmp_path: Path, words: tuple[str, ...]) -> None:
    Experiment.from_words(*NMT, *words, f"out={tmp_path}").prepare()
