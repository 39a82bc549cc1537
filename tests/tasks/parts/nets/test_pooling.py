"""Pooling against loops over the real steps of each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from rnnx.tasks.parts.nets.pooling import AttentionPool, Pool, Pooling, pool

LENGTHS = (3, 1, 5, 2)
each_kind = pytest.mark.parametrize("kind", get_args(Pooling))
each_way = pytest.mark.parametrize("bidirectional", [False, True], ids=["", "bidirectional"])


def outputs(lengths: tuple[int, ...] = LENGTHS, more: int = 0) -> tuple[Tensor, Tensor]:
    """What a net gives: zero past each row's length."""
    torch.manual_seed(0)
    mask = torch.arange(5 + more) < torch.tensor(lengths).unsqueeze(1)
    y = torch.nn.functional.pad(torch.randn(len(lengths), 5, 4), (0, 0, 0, more))
    return y * mask.unsqueeze(-1), mask


def attended(made: Pool, row: Tensor) -> Tensor:
    assert isinstance(made, AttentionPool)
    (v,) = made.energy.weight
    scores = [v @ torch.tanh(made.key.weight @ y + made.key.bias) for y in row]
    weights = torch.stack(scores).exp()
    return sum(weight * y for weight, y in zip(weights / weights.sum(), row, strict=True))  # type: ignore[return-value]


EXPECTED: dict[Pooling, Callable[[Pool, Tensor], Tensor]] = {
    "last": lambda made, row: row[-1],
    "mean": lambda made, row: sum(row) / len(row),  # type: ignore[arg-type, return-value]
    "max": lambda made, row: torch.stack([feature.max() for feature in row.T]),
    "attention": attended,
}


@pytest.mark.usefixtures("doubles")
@each_kind
def test_it_is_made_of_the_real_steps(kind: Pooling) -> None:
    made = pool(kind, 4, bidirectional=False)
    y, mask = outputs()
    pooled = made(y, mask)
    assert pooled.shape == (4, made.output_size) == (4, 4)
    for row, length, found in zip(y, LENGTHS, pooled, strict=True):
        assert torch.allclose(found, EXPECTED[kind](made, row[:length]), atol=1e-12)


@each_kind
@each_way
def test_more_padding_changes_nothing(kind: Pooling, bidirectional: bool) -> None:
    made = pool(kind, 4, bidirectional)
    assert torch.allclose(made(*outputs()), made(*outputs(more=3)), atol=1e-6)


@each_kind
@each_way
def test_a_row_without_steps_gives_zeros(kind: Pooling, bidirectional: bool) -> None:
    made = pool(kind, 4, bidirectional)
    pooled = made(*outputs((0, 2)))
    assert not pooled[0].any()
    assert pooled[1].any()


def test_both_ends_are_read_where_the_net_reads_both_ways() -> None:
    made = pool("last", 4, bidirectional=True)
    y, mask = outputs()
    expected = torch.stack(
        [torch.cat((row[length - 1], row[0])) for row, length in zip(y, LENGTHS, strict=True)]
    )
    assert made.output_size == 8
    assert torch.equal(made(y, mask), expected)


def test_attention_prefers_what_it_looks_for() -> None:
    made = AttentionPool(1)
    with torch.no_grad():
        made.key.weight.fill_(1)
        made.key.bias.zero_()
        made.energy.weight.fill_(100)
    y, mask = torch.tensor([[[-1.0], [2.0], [0.0]]]), torch.tensor([[True, True, False]])
    assert made(y, mask).item() == pytest.approx(2)
