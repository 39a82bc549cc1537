from __future__ import annotations

import numpy as np

from rnnx.tasks.data.captioning.image import CaptionedImage


def test_it_is_read_when_it_is_asked_for_and_may_lie_nowhere() -> None:
    picture = np.zeros((1, 3, 4, 4), np.uint8)
    image = CaptionedImage(lambda: picture, ["a dog"])
    assert image.read() is picture
    assert image.place == ""
    assert list(image._asdict()) == ["read", "captions", "place"]
