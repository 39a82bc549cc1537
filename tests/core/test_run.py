from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnx.core.errors import RunError, RunWarning, UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.exporting import exported
from rnnx.core.run import Run
from rnnx.core.running.result import Result
from tests.core.small_runs import LM, NMT, content, run, samples


def test_a_loaded_run_tests_as_it_did(done: Result) -> None:
    before = content(done.folder)
    assert Run.load(done.folder).test() == done.values["test"]
    assert content(done.folder) == before


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("trainer.accelerator=tpu", "trainer.accelerator: expected one that this machine has "),
        ("trainer.limit_test_batches=0", "trainer.limit_test_batches: expected at least one batch, "),
        (
            "trainer.limit_test_batches=0.001",
            "trainer.limit_test_batches: .* fraction that leaves at least one ",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(done: Result, word: str, problem: str) -> None:
    with pytest.raises(UsageError, match=f"^{problem}"):
        Run.load(done.folder, word).test()


def test_a_run_is_loaded_by_its_name(done: Result) -> None:
    loaded = Experiment.load("nmt-gru", out=done.folder.parent)
    assert loaded.folder == done.folder
    assert loaded.config.cell.options["hidden_size"] == 16
    assert not loaded.task.training


def test_an_unknown_run_is_told_with_those_there_are(done: Result) -> None:
    with pytest.raises(UsageError, match=r"no run 'nmt-gro': .*\(nmt-gru\)"):
        Run.load("nmt-gro", out=done.folder.parent)


@pytest.fixture
def of_files(prefix: Path, tmp_path: Path) -> tuple[Result, str]:
    """A run whose validation data are the first lines of the rest, and where these are."""
    others = prefix.with_name("first")
    for language in (".es", ".en"):
        lines = Path(f"{prefix}{language}").read_text(encoding="utf-8").splitlines(keepends=True)
        Path(f"{others}{language}").write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")
    files = [f"data.train={prefix}", f"data.valid={others}", f"data.test={prefix}"]
    words = [*NMT[:3], *NMT[6:], "data=files", "data.source=es", "data.target=en", *files]
    return run(tmp_path / "runs", *words), str(others)


def test_a_model_is_measured_on_other_data_and_with_other_options(of_files: tuple[Result, str]) -> None:
    """On the validation data, and with greedy search, as the validation has it, it measures what that did."""
    done, others = of_files
    loaded = Run.load(done.folder, f"data.test={others}", "task.beam_size=1")
    assert loaded.test() == pytest.approx(done.values["valid"])
    assert Run.load(done.folder, f"data.test={others}").test()["loss"] != done.values["test"]["loss"]


def test_a_file_that_changed_since_the_training_is_told(text: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.txt"
    test.write_text("the cat sat\n" * 8)
    files = [f"data.train={text}", f"data.valid={text}", f"data.test={test}"]
    folder = run(tmp_path / "runs", *LM, *files).folder
    Run.load(folder).test()  # a warning would be an error
    Run.load(folder, f"data.test={text}").test()
    with test.open("a") as file:
        file.write("on the mat\n")
    with pytest.warns(RunWarning, match=f"^data: {test} is not what it was when the run began"):
        Run.load(folder).test()
    with pytest.warns(RunWarning, match=f"^data: {test} is not what it was when the run began"):
        Experiment.resume(folder, "trainer.max_epochs=2")
    test.write_text("the cat sat\n" * 8)
    Experiment.resume(folder, "trainer.max_epochs=3")


def test_bits_a_character_are_those_of_the_text_that_is_measured(text: Path, tmp_path: Path) -> None:
    """The text has short words, the other one long ones; a token is a word or the end of a line."""
    other = tmp_path / "other.txt"
    other.write_text("unforeseeable\ninexhaustible\n", encoding="utf-8")
    done = run(tmp_path / "runs", *LM, *(f"data.{split}={text}" for split in ("train", "valid", "test")))
    measured = Run.load(done.folder, f"data.test={other}").test()
    tokens, characters = 4, 28
    assert measured["bits_per_character"] == pytest.approx(
        math.log2(measured["perplexity"]) * tokens / characters
    )


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("beam_size=2", "'beam_size=2': expected SECTION.OPTION=VALUE, such as task.beam_size=2"),
        ("cell.hidden_size=8", "'cell.hidden_size=8': expected an option of task, data or trainer"),
        ("task.embedding_size=8", "task.embedding_size=8: .* holds a trained model, which is none of such"),
        ("data.train=OTHERS", "expected the source and target that the model of .* was trained with"),
    ],
)
def test_what_would_be_another_model_is_refused(
    of_files: tuple[Result, str], word: str, problem: str
) -> None:
    done, others = of_files
    with pytest.raises(UsageError, match=problem):
        Run.load(done.folder, word.replace("OTHERS", others)).test()


def test_predicting_needs_no_data(prefix: Path, tmp_path: Path) -> None:
    data = [f"data.{split}={prefix}" for split in ("train", "valid", "test")]
    result = run(
        tmp_path / "runs", *NMT[:3], *NMT[6:], "data=files", "data.source=es", "data.target=en", *data
    )
    expected = [row["translation"] for row in samples(result.folder)]
    sources = [row["source"] for row in samples(result.folder)]
    prefix.with_name("numbers.es").unlink()
    prefix.with_name("numbers.en").unlink()
    moved = shutil.move(result.folder, tmp_path / "elsewhere")
    assert list(Run.load(moved).predict(sources)) == expected
    with pytest.raises(UsageError, match=r"numbers\.es"):
        Run.load(moved).test()


@pytest.fixture(scope="module")
def second(done: Result) -> Result:
    """Another run beside ``done``, of another cell, width, depth and attention."""
    words = [*NMT, "cell=lstm", "cell.hidden_size=8", "net.layers=2", "task.attention=general", "seed=2"]
    return run(done.folder.parent, *words)


def test_a_run_together_with_itself_is_that_run(done: Result) -> None:
    before = content(done.folder)
    twice = Run.ensemble([done.folder, done.folder])
    lines = ["la casa", "", "el gato come"]
    assert list(twice.predict(lines, n_best=3)) == list(Run.load(done.folder).predict(lines, n_best=3))
    assert twice.test() == pytest.approx(done.values["test"], rel=1e-6)
    assert content(done.folder) == before


def test_several_runs_answer_as_their_models_do_together(done: Result, second: Result) -> None:
    """The first has the last word on how it is searched; of one run it is that run."""
    names = [done.folder.name, second.folder]
    both = Run.ensemble(names, "task.beam_size=2", "task.min_length=3", out=done.folder.parent)
    first, other = Run.load(done.folder, "task.beam_size=2", "task.min_length=3"), Run.load(second.folder)
    first.task.join(other.task)
    lines = ["la casa", "el gato come"]
    found = list(both.predict(lines, scores=True))
    assert found == list(first.predict(lines, scores=True))
    for alone in (done, second):
        assert found != list(Run.load(alone.folder, "task.min_length=3").predict(lines, scores=True))
    assert both.test() == first.test()
    one = Run.ensemble([done.folder]).predict(lines, scores=True)
    assert list(one) == list(Run.load(done.folder).predict(lines, scores=True))


def test_runs_that_do_not_fit_are_named_with_what_differs(done: Result, text: Path, tmp_path: Path) -> None:
    fewer = run(tmp_path / "runs", *NMT, "data.min_frequency=3")
    both = f"{done.folder} and {fewer.folder}"
    sizes = [len(Run.load(one.folder).task.target) for one in (done, fewer)]
    with pytest.raises(UsageError) as raised:
        Run.ensemble([done.folder, fewer.folder])
    assert str(raised.value) == (
        f"{both}: expected one target vocabulary, got {sizes[0]} tokens of level word and {sizes[1]} of "
        "level word; train both on the same data"
    )
    lm = run(tmp_path / "runs", *LM, f"data.text={text}", "data.level=char")
    with pytest.raises(UsageError) as raised:
        Run.ensemble([done.folder, lm.folder])
    assert str(raised.value) == f"{done.folder} and {lm.folder}: expected runs of one task, got nmt and lm"
    memory = run(
        tmp_path / "runs", "task=memory", *(f"data.{split}=4" for split in ("train", "valid", "test"))
    )
    with pytest.raises(UsageError) as raised:
        Run.ensemble([memory.folder, memory.folder])
    assert str(raised.value) == (
        f"{memory.folder} and {memory.folder}: expected one run, as the task knows no way for several to "
        "answer together"
    )
    with pytest.raises(UsageError, match=r"^runs: expected one at least, got none$"):
        Run.ensemble([])


def test_predictions_come_while_lines_are_read(done: Result) -> None:
    def endless():
        while True:
            yield "una casa"

    assert len(list(islice(Run.load(done.folder).predict(endless(), batch_size=2), 3))) == 3


@pytest.mark.parametrize("text", ["una casa", b"una casa"])
def test_one_text_is_not_read_letter_by_letter(done: Result, text: Any) -> None:
    with pytest.raises(UsageError, match=r"^lines: expected a list of texts, .*una casa.*; put it"):
        Run.load(done.folder).predict(text)


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ({"beam_size": 0}, ["beam_size: expected an integer of at least 1 or null, got 0"]),
        ({"beam_size": 2.5}, ["beam_size: expected an integer of at least 1 or null, got 2.5"]),
        ({"n_best": "two"}, ["n_best: expected an integer of at least 1, got 'two'"]),
        (
            {"width": 3, "batch_size": 0},
            [
                "width: no such option of Run.predict with task 'nmt' (options: mode, beam_size, "
                "n_best, length_penalty, coverage_penalty, min_length, max_length, max_ratio, "
                "no_repeat_ngram, replace_unknown and 4 more)",
                "batch_size: expected an integer of at least 1, got 0",
            ],
        ),
        (
            {"beam_sise": 3},
            ["beam_sise: no such option of Run.predict with task 'nmt'; did you mean 'beam_size'?"],
        ),
    ],
)
def test_options_are_checked_before_anything_is_read(
    done: Result, options: dict[str, Any], problems: list[str]
) -> None:
    def unread() -> Iterator[str]:
        raise AssertionError
        yield ""

    with pytest.raises(UsageError) as refused:
        Run.load(done.folder).predict(unread(), **options)
    assert list(refused.value.problems) == problems


def test_an_option_that_is_no_plain_data_is_refused(done: Result) -> None:
    with pytest.raises(UsageError, match=r"^Run\.predict with task 'nmt': expected Python's own .* Tensor"):
        Run.load(done.folder).predict(["la casa"], beam_size=torch.tensor(3))


def test_options_reach_the_task(done: Result, tmp_path: Path) -> None:
    options = {"beam_size": 3, "n_best": 2, "max_length": 4, "attention": tmp_path / "seen.png"}
    answers = list(Run.load(done.folder).predict(["la casa"], **options))
    assert len(answers) == 2
    assert (tmp_path / "seen.png").exists()


def test_a_run_with_a_damaged_checkpoint_is_not_loaded(done: Result, tmp_path: Path) -> None:
    folder = shutil.copytree(done.folder, tmp_path / "copy")
    (folder / "checkpoints/best.ckpt").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"best\.ckpt: expected a checkpoint"):
        Run.load(folder)
    (folder / "checkpoints/best.ckpt").unlink()
    with pytest.raises(UsageError, match=r"best\.ckpt: expected a checkpoint, and there is no such file"):
        Run.load(folder)


@pytest.fixture
def nought(done: Result, tmp_path: Path) -> Path:
    """A copy of the run with one checkpoint more, whose weights are all zero."""
    folder = shutil.copytree(done.folder, tmp_path / "copy")
    checkpoint = torch.load(folder / "checkpoints/best.ckpt")
    checkpoint["state_dict"] = {name: 0 * value for name, value in checkpoint["state_dict"].items()}
    torch.save(checkpoint, folder / "checkpoints/nought.ckpt")
    return folder / "checkpoints/nought.ckpt"


def test_another_checkpoint_is_loaded_by_its_path(nought: Path) -> None:
    """With no weights each word is as probable as any other, as the softmax of zeros is."""
    run = Run.load(nought)
    assert (run.folder, run.checkpoint) == (nought.parents[1], nought)
    assert not any(parameter.any() for parameter in run.task.parameters())
    assert run.test()["loss"] == pytest.approx(math.log(len(run.task.target)), rel=1e-5)
    for best in (nought.parents[1], nought.with_name("best.ckpt")):
        run = Run.load(best)
        assert run.checkpoint is None
        assert any(parameter.any() for parameter in run.task.parameters())


def test_checkpoints_of_one_run_answer_together(done: Result, nought: Path) -> None:
    """A word and the end, each with the mean of a model's probability and of 1/n, if one knows nothing."""

    def score(*models: Path) -> float:
        options = {"beam_size": 1, "min_length": 1, "max_length": 1, "length_penalty": 0.0, "scores": True}
        return float(next(Run.ensemble(models).predict(["la casa"], **options)).rpartition(" ")[2])

    nothing = -2 * math.log(len(Run.load(nought).task.target))
    assert score(nought, nought) == pytest.approx(nothing, abs=1e-4)
    assert score(done.folder, nought) == pytest.approx(score(nought, done.folder), abs=1e-4)
    assert nothing + 0.1 < score(done.folder, nought) < score(done.folder) - 0.1


def test_what_a_run_came_to_is_not_told_of_another_checkpoint(nought: Path, tmp_path: Path) -> None:
    for model, told in ((nought, False), (nought.with_name("best.ckpt"), True)):
        folder = tmp_path / model.stem
        exported.write(Run.load(model), folder)
        assert (folder / "result.json").exists() == told
        assert ("| metric |" in (folder / "README.md").read_text()) == told
        assert Run.load(folder).task.state_dict().keys() == Run.load(model).task.state_dict().keys()


def test_the_gradient_flow_is_measured_on_the_test_data(done: Result) -> None:
    before = content(done.folder)
    flows = Run.load(done.folder).flow()
    assert [flow.layer for flow in flows] == ["encoder.layers.0", "decoder.net.layers.0"]
    assert flows == Run.load(done.folder).flow()
    assert json.loads((done.folder / "flow.json").read_text()) == [flow.to_plain() for flow in flows]
    assert content(done.folder) == before


def test_the_gradient_flow_goes_on_from_chunk_to_chunk(text: Path, tmp_path: Path) -> None:
    """The test text is 100 of 2000 characters, one stream in chunks of 10."""
    result = run(tmp_path, *LM, f"data.text={text}", "data.level=char", "data.bptt=10")
    (flow,) = Run.load(result.folder).flow()
    assert len(flow.state) == 100
