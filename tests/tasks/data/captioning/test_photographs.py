from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image

from rnnx.core.data import Split
from rnnx.tasks.data.captioning.listing import Listed, Listing
from rnnx.tasks.data.captioning.photographs import Photographs
from rnnx.tasks.parts.files.faults import Faults


@final
@dataclass(kw_only=True, eq=False)
class Given(Photographs):
    """One photograph for each split."""

    root: Path

    def listing(self, split: Split) -> Listing:
        place = self.root / f"{split}.png"
        return Listing(Faults("x", skip=False), 1, [Listed(self.reader(place), ["a"], "x", None, str(place))])


def test_photographs_are_read_as_squares_of_bytes_anew_each_time(tmp_path: Path) -> None:
    """The right half of a wide picture is white, and the middle of it half."""
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 30:] = 255
    for name in ("train", "valid", "test"):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    for grey, channels in ((False, 3), (True, 1)):
        (image,) = Given(root=tmp_path, side=10, grey=grey).captioned()["test"]
        picture = image.read()
        assert picture.shape == (1, channels, 10, 10)
        assert picture.dtype == np.uint8
        assert not picture[..., :4].any()
        assert (picture[..., 6:] == 255).all()
        assert np.array_equal(pickle.loads(pickle.dumps(image.read))(), picture)  # as workers need it
    Image.new("L", (5, 5), 7).save(tmp_path / "test.png")
    assert (image.read() == 7).all()
    assert Given(root=tmp_path).meta["shape"] == [3, 128, 128]
