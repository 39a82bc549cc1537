from __future__ import annotations

import torch


def test_the_mean_of_a_runs_best_models_is_measured_as_a_run_is(quick):
    words = (
        "data=adding",
        "data.length=5",
        "data.train=48",
        "data.valid=8",
        "data.test=8",
        "cell.hidden_size=4",
    )
    many = ("trainer.max_epochs=3", "checkpoint.save_top_k=-1", "logger=none", "name=a b")
    done = quick("run", "task=memory", "data.batch_size=8", *words, *many)
    assert done.returncode == 0, done.stderr
    done = quick("average", "a b")
    path = "runs/a b/checkpoints/average.ckpt"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: the mean of step-6, step-12, step-18; rnnx test '{path}'\n"
    names = ("average", "step-6", "step-12", "step-18")
    files = [torch.load(quick.folder / "runs/a b/checkpoints" / f"{name}.ckpt") for name in names]
    mean, *others = (file["state_dict"] for file in files)
    for name, value in mean.items():
        torch.testing.assert_close(value, sum(other[name] for other in others) / 3)
    scores = [quick("test", model, "--json") for model in (path, "a b")]
    assert [one.returncode for one in scores] == [0, 0]
    assert scores[0].stdout != scores[1].stdout
    assert quick("predict", path, stdin="0.5:1 0.1:0 0.9:0 0.25:1 0.3:0\n").stdout

    done = quick("average", "a b/checkpoints/step-6.ckpt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rnnx: runs/a b: expected two checkpoints to average at least, got 1; ")
