from __future__ import annotations

import pytest
import torch

from rnnx.core.batch import Batch
from rnnx.core.data import Data, Loader, Meta, Split


class Numbers(Data):
    """Whole data: one batch a split."""

    def prepare(self) -> None:
        self.numbers = torch.arange(3)

    @property
    def meta(self) -> Meta:
        return {"largest": int(self.numbers.max())}

    def loader(self, split: Split) -> Loader:
        return [Batch(self.numbers.unsqueeze(1), torch.ones(3).long(), self.numbers, self.numbers)]


def test_data_that_tells_everything_can_be_built() -> None:
    data = Numbers()
    data.prepare()
    assert data.meta == {"largest": 2}
    assert [len(batch) for batch in data.loader("train")] == [3]


@pytest.mark.parametrize("missing", ["prepare", "meta", "loader"])
def test_data_that_leaves_something_out_cannot(missing: str) -> None:
    partial = type("Partial", (Numbers,), {missing: getattr(Data, missing)})
    with pytest.raises(TypeError, match=missing):
        partial()
