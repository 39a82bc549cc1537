from __future__ import annotations

import torch

from rnnx.tasks.data.memory.adding import Adding
from rnnx.tasks.data.memory.toy import Toy


def test_it_is_the_adding_problem_over_20_steps() -> None:
    toy, adding = Toy(train=60), Adding(length=20, train=60, valid=500, test=500)
    assert toy.meta == adding.meta
    for split in ("train", "valid", "test"):
        torch.manual_seed(1)
        ours, theirs = list(toy.loader(split)), list(adding.loader(split))
        assert all(batch.inputs.shape[1:] == (20, 2) for batch in ours)
        assert all(
            torch.equal(a.inputs, b.inputs) and torch.equal(a.targets, b.targets)
            for a, b in zip(ours, theirs, strict=True)
        )
