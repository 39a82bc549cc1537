"""Generated sequences: what every source that can draw examples without end shares."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import torch

from rnnx.core.batch import Batch
from rnnx.core.bounds import Positive, Seed
from rnnx.core.data import Data, Loader, Split
from rnnx.tasks.data.memory.draws import Draw, generator, loader


@dataclass(kw_only=True, eq=False)
class Generated(Data, ABC):
    """Examples drawn at random; a source says only how.

    As in the papers no training example comes twice: each epoch is drawn anew, from the run's seed. The
    validation and the test examples follow from the seed given here alone, so that they are those of every
    run.

    Args:
        train: Training examples in an epoch.
        valid: Validation examples.
        test: Test examples.
        batch_size: Examples in a batch, in each process.
        seed: The seed of the validation and the test examples.
    """

    train: Positive = 10_000
    valid: Positive = 1000
    test: Positive = 5000
    batch_size: Positive = 50
    seed: Seed = 1

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draws examples.

        Args:
            count: ``N``.
            generator: The random numbers to use.

        Returns:
            One batch of all, its targets ``(N, K)``.
        """

    @final
    def prepare(self) -> None:
        _ = self._fixed

    @final
    def loader(self, split: Split) -> Loader:
        """The batches of a split; those of ``train`` follow from torch's seed when this is called."""
        if split == "train":
            return loader(self._fresh, self.train, self.batch_size, shuffle=False, training=True)
        fixed = self._fixed[split]
        return loader(
            lambda draw: fixed.select(draw.positions.tolist()),
            len(fixed),
            self.batch_size,
            shuffle=False,
            training=False,
        )

    def _fresh(self, draw: Draw) -> Batch:
        drawn = self.draw(len(draw.positions), generator("train", draw.seed))
        return replace(drawn, index=draw.positions)

    @cached_property
    def _fixed(self) -> dict[Split, Batch]:
        sizes: dict[Split, int] = {"valid": self.valid, "test": self.test}
        return {split: self.draw(size, generator(split, self.seed)) for split, size in sizes.items()}
