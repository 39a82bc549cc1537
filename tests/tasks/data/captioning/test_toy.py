from __future__ import annotations

import numpy as np
import torch

from rnnx.tasks.data.captioning.toy import Toy
from rnnx.tasks.parts.toys.scenes import COLOURS, SHAPES

SMALL = {"train": 300, "valid": 20, "test": 60}


def test_as_many_pictures_as_asked_for_with_five_captions_each() -> None:
    data = Toy(**SMALL)
    assert data.meta["images"] == SMALL
    assert data.meta["examples"] == {"train": 1500, "valid": 20, "test": 60}
    assert data.meta["shape"] == [3, 32, 32]
    assert data.meta["places"] == [""] * 60
    batch = next(iter(data.loader("train")))
    assert batch.inputs.shape == (64, 1, 3, 32, 32)
    assert batch.inputs.dtype == torch.uint8
    assert batch.lengths.tolist() == [1] * 64
    assert batch.references is not None
    assert {len(references) for references in batch.references} == {5}
    images = [image for split in data.captioned().values() for image in split]
    assert len({image.read().tobytes() for image in images}) == 380
    assert np.array_equal(images[0].read(), images[0].read())


def test_the_seed_makes_the_pictures() -> None:
    def made(seed: int) -> list[bytes]:
        return [image.read().tobytes() for image in Toy(train=5, seed=seed).captioned()["train"]]

    assert made(1) == made(1)
    assert not set(made(1)) & set(made(2))


def test_a_test_shows_what_training_has_not_and_says_it_in_the_same_words() -> None:
    """What stands where is told by the first caption alone."""
    found = Toy(train=2000, valid=200, test=300).captioned()
    stand: dict[str, list[set[tuple[str, ...]]]] = {}
    words: dict[str, set[str]] = {}
    for split, images in found.items():
        stand[split], words[split] = [], set()
        for image in images:
            first = image.captions[0].split()
            assert first[1] in COLOURS
            assert first[2] in SHAPES
            left = first[4] == "left"
            stand[split].append(
                {
                    (first[1], first[2], "left" if left else "above"),
                    (first[-2], first[-1], "right" if left else "below"),
                }
            )
            words[split].update(" ".join(image.captions).split())
    seen = set().union(*stand["train"])
    assert len(seen) == 48
    assert set().union(*stand["valid"]) <= seen
    assert all(some - seen for some in stand["test"])
    assert words["test"] == words["train"]
