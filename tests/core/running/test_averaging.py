"""The mean of the weights of checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnx.core.errors import RunError, UsageError
from rnnx.core.run import Run
from rnnx.core.running.averaging import average, chosen
from rnnx.core.running.checkpoints import read_checkpoint
from rnnx.core.running.result import Result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's, without a checkpoint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "a" / "checkpoints").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "config.yaml").touch()
    return Path("runs") / "a"


def write(folder: Path, step: int, **weights: Any) -> Path:
    path = folder / "checkpoints" / f"step-{step}.ckpt"
    torch.save({"state_dict": weights, "hyper_parameters": {"net": step}, "global_step": step}, path)
    return path


def test_the_mean_is_that_of_each_number_and_counts_are_the_last(folder: Path) -> None:
    """By hand: (1 + 2 + 6) / 3 and (-4 + 0 + 1) / 3; 60,000 and 65,000 have no sum in half precision."""
    rows = [
        (20, [[1.0, -4.0]], [60_000.0], 5),
        (30, [[2.0, 0.0]], [60_000.0], 9),
        (10, [[6.0, 1.0]], [65_000.0], 2),
    ]
    files = [
        write(
            folder,
            step,
            weight=torch.tensor(weight),
            half=torch.tensor(half, dtype=torch.half),
            seen=torch.tensor(seen),
            on=torch.tensor([seen > 4]),
        )
        for step, weight, half, seen in rows
    ]
    path = average(files)
    assert path == folder / "checkpoints" / "average.ckpt"
    made = read_checkpoint(path)
    assert (made["global_step"], made["hyper_parameters"]) == (30, {"net": 30})
    mean = made["state_dict"]
    assert mean["weight"].tolist() == [[3.0, -1.0]]
    assert mean["half"].dtype == torch.half
    assert mean["half"].tolist() == [61_664.0]  # of 61,666.67 the nearest, as those of that size are 32 apart
    assert (mean["seen"].item(), mean["seen"].dtype) == (9, torch.long)
    assert mean["on"].tolist() == [True]
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


def test_a_model_that_lies_there_twice_counts_once(folder: Path) -> None:
    """``rnnx average RUN/checkpoints/*.ckpt``; by hand: (1 + 5) / 2."""
    files = [write(folder, step, weight=torch.tensor([number])) for step, number in ((10, 1.0), (20, 5.0))]
    best = Path(shutil.copy(files[1], folder / "checkpoints" / "best.ckpt"))
    assert read_checkpoint(average([best, *files]))["state_dict"]["weight"].tolist() == [3.0]


def test_a_mean_is_loaded_as_the_run_is_and_what_was_one_parameter_is_one(
    done: Result, tmp_path: Path
) -> None:
    """The weights and three times the weights have twice the weights as mean; two names have one matrix."""
    copy = shutil.copytree(done.folder, tmp_path / "copy")
    best = read_checkpoint(copy / "checkpoints/best.ckpt")
    threefold = {name: 3 * value for name, value in best["state_dict"].items()}
    later = best["global_step"] + 1
    torch.save(best | {"state_dict": threefold, "global_step": later}, copy / "checkpoints/threefold.ckpt")
    names = [copy / "checkpoints/best.ckpt", copy / "checkpoints/threefold.ckpt"]
    run, before = Run.load(average(chosen(names))), Run.load(copy)
    assert run.checkpoint == copy / "checkpoints/average.ckpt"
    pairs = zip(run.task.named_parameters(), before.task.named_parameters(), strict=True)
    for (name, mean), (other, weight) in pairs:
        assert name == other
        torch.testing.assert_close(mean, 2 * weight)
    assert len(list(run.task.parameters())) < len(best["state_dict"])
    assert run.test()["loss"] > 0


def test_of_a_run_those_are_taken_that_it_keeps(folder: Path) -> None:
    files = [write(folder, step, weight=torch.zeros(1)) for step in (100, 9, 20)]
    shutil.copy(files[0], folder / "checkpoints" / "best.ckpt")
    assert chosen(["a"]) == [files[1], files[2], files[0]]
    named = ["a/checkpoints/best.ckpt", files[1], str(files[1].resolve())]
    assert [file.name for file in chosen(named)] == ["best.ckpt", "step-9.ckpt"]


def test_what_has_no_mean_is_refused(folder: Path) -> None:
    few = (
        "runs/a: expected two checkpoints to average at least, got {}; name files in runs/a/checkpoints, or "
        "train with checkpoint.save_top_k=5, which keeps so many"
    )
    with pytest.raises(UsageError) as refused:
        chosen(["a"])
    assert str(refused.value) == few.format(0)
    files = [write(folder, 1, weight=torch.zeros(1)), write(folder, 2, weight=torch.zeros(2))]
    with pytest.raises(UsageError) as refused:
        chosen([files[0], files[0]])
    assert str(refused.value) == few.format(1)
    other = shutil.copytree(folder, folder.with_name("b"))
    with pytest.raises(UsageError) as refused:
        chosen([*files, other])
    assert str(refused.value) == (
        "expected checkpoints of one run, got those of runs/a and runs/b, and a mean of the weights of "
        "several is no model; for the mean of their answers: rnnx predict runs/a runs/b"
    )
    with pytest.raises(RunError) as broken:
        average(files)
    assert (
        str(broken.value)
        == f"{files[1]}: expected weights of the shapes in {files[0]}; use the files of one run"
    )
    assert not (folder / "checkpoints" / "average.ckpt").exists()
    shutil.copy(files[0], folder / "checkpoints" / "average.ckpt")
    with pytest.raises(UsageError, match="got a mean of some; leave it out"):
        chosen([*files, folder / "checkpoints" / "average.ckpt"])


@pytest.mark.parametrize("content", [{"state_dict": {"w": "text"}}, {"state_dict": []}, {"state_dict": {}}])
def test_what_are_no_weights_is_refused(folder: Path, content: dict[str, Any]) -> None:
    whole = write(folder, 1, weight=torch.zeros(1))
    broken = folder / "checkpoints" / "broken.ckpt"
    torch.save(content | {"hyper_parameters": {}}, broken)
    for files in ([whole, broken], [broken, whole]):
        with pytest.raises(
            RunError, match=r"broken\.ckpt: expected weights and their step, as rnnx writes them"
        ):
            average(files)
