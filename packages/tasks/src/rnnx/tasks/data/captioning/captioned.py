"""Images with captions: what every source of them shares."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import final

from rnnx.core.bounds import Count, Positive
from rnnx.core.data import Data, Loader, Meta, Split
from rnnx.core.errors import UsageError
from rnnx.tasks.data.captioning.example import Example
from rnnx.tasks.data.captioning.image import CaptionedImage
from rnnx.tasks.parts.texts.caption_text import words
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Captioned(Data, ABC):
    """Images with captions in three splits; a source says only where they come from.

    A batch has pictures of bytes ``(N, 1, C, H, W)``, or features of the places of images ``(N, S, D)``, as
    ``inputs``; the tokens of a caption and ``<eos>`` as ``targets`` ``(N, U)``, padded with ``<pad>``; and
    all captions of the image as references. In training each caption is an example, and batches hold captions
    of like length in a new order each epoch. In the other splits each image is one, with its first caption,
    and ``index`` tells its place.

    Args:
        punctuation: Whether the words of a caption are what blanks separate, punctuation too; else it is
            split, and punctuation left out, as COCO's evaluation does (Chen et al. 2015).
        lowercase: Whether captions are lower-cased, references too.
        min_frequency: Words seen less often in training are left out of the vocabulary.
        vectors: A word2vec or GloVe text file (plain or .gz) that embeddings start with.
        max_length: The most words of a training caption; longer ones are left out, which is told and
            counted.
        batch_size: Captions, or images, in a batch, in each process.
        workers: Processes that make batches beside the training one; 0 makes them in it.
    """

    punctuation: bool = False
    lowercase: bool = True
    min_frequency: Positive = 1
    vectors: str | None = None
    max_length: Positive = 50
    batch_size: Positive = 64
    workers: Count = 0

    @abstractmethod
    def captioned(self) -> dict[Split, list[CaptionedImage]]:
        """The images of each split, in order, none of which is empty, and all alike.

        Pictures have the same shape, features the same width.
        """

    @final
    def prepare(self) -> None:
        _ = self._examples

    @property
    @final
    def meta(self) -> Meta:
        """The vocabulary as plain data, and what there is.

        ``shape`` is that of a picture (channels, height, width), or the number of features of a place.
        ``places`` are the lines that ``rnnx predict`` reads the test images from, empty where they lie
        nowhere. ``examples`` are the captions to train on, and the images of the other splits; ``left_out``
        are training captions.
        """
        from rnnx.tasks.parts.files.vector_file import vectors_meta

        captions = sum(len(references) for references in self._references["train"])
        return {
            "vocabulary": self._vocabulary.to_plain(),
            "vectors": vectors_meta(self.vectors, self._vocabulary),
            "shape": list(self._images["train"][0].read().shape[1:]),
            "places": [image.place for image in self._images["test"]],
            "images": {split: len(images) for split, images in self._images.items()},
            "examples": {split: len(examples) for split, examples in self._examples.items()},
            "left_out": captions - len(self._examples["train"]),
        }

    @final
    def loader(self, split: Split) -> Loader:
        """The batches of a split; the order of ``train`` follows from torch's seed when this is called."""
        from rnnx.tasks.data.captioning.padded import PaddedCaptions
        from rnnx.tasks.parts.bucketing import bucketed

        captions = PaddedCaptions(self._examples[split], self._vocabulary.pad)
        return bucketed(captions, captions.lengths, self.batch_size, split == "train", self.workers)

    @cached_property
    def _images(self) -> dict[Split, list[CaptionedImage]]:
        return self.captioned()

    @cached_property
    def _references(self) -> dict[Split, list[tuple[str, ...]]]:
        """The captions of each image as they are scored."""
        return {
            split: [tuple(map(self._normalised, image.captions)) for image in images]
            for split, images in self._images.items()
        }

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        captions = [caption for references in self._references["train"] for caption in references]
        return Vocabulary.train(captions, "word", min_frequency=self.min_frequency, lowercase=self.lowercase)

    @cached_property
    def _examples(self) -> dict[Split, list[Example]]:
        examples = {split: self._encoded(split) for split in self._images}
        examples["train"] = self._fitting(examples["train"])
        return examples

    def _encoded(self, split: Split) -> list[Example]:
        """An example for each caption in training, else one for each image, with its first caption."""
        examples = []
        for image, references in zip(self._images[split], self._references[split], strict=True):
            captions = references if split == "train" else references[:1]
            for tokens in self._vocabulary.encode(captions):
                target = [*tokens, self._vocabulary.eos]
                examples.append(Example(image.read, target, references))
        return examples

    def _fitting(self, examples: list[Example]) -> list[Example]:
        """The examples to train on; it is said how many others there are."""
        with_eos = self.max_length + 1
        fitting = [example for example in examples if len(example.target) <= with_eos]
        if not fitting:
            raise UsageError(
                f"data.max_length: every training caption has more than {self.max_length} words; raise it"
            )
        if len(fitting) < len(examples):
            log.warning(
                "left out %d of %d training captions, with more than %d words (data.max_length)",
                len(examples) - len(fitting),
                len(examples),
                self.max_length,
            )
        return fitting

    def _normalised(self, caption: str) -> str:
        text = " ".join(caption.split() if self.punctuation else words(caption))
        return text.lower() if self.lowercase else text
