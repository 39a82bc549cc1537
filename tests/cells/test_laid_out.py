"""Every cell of sequences that is installed, in each of its settings, with its matrices laid out before."""

from __future__ import annotations

import pytest
import torch

from rnnx.core.unrolling import products
from tests.cells.by_plan import SUBJECTS, as_the_steps
from tests.core.unrolling.counting import Operations

LAYING = torch.ops.mkldnn._reorder_linear_weight.default
ELEMENTWISE = ("qrnn", "sru")  # they multiply with no matrix step by step


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_gives_what_the_steps_give(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "NUMBERS", 1)
    counted = Operations()
    as_the_steps(name, lay_out=True, within=counted)
    assert (counted.counts[LAYING] > 0) == (name.split()[0] not in ELEMENTWISE)
